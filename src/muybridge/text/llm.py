"""States of a decoder-only language model for a templated prompt (paper 4.3)."""

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers.modeling_utils import PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from muybridge.core.errors import invalid
from muybridge.text.templates import Template

SKIP_LAYERS = 2  # released: the states below the two topmost layers
PROBE = "a"  # any prompt that starts with a letter


class LanguageStates:
    """`hidden_states[-(skip_layers + 1)]` of a decoder-only model, without the prompt template's tokens.

    The layers above the one asked for never run, which changes nothing in the result. Prompts are run one at a time
    and without padding, so that a prompt's states do not depend on its neighbours; the released code pads, which under
    a causal mask changes only the padding's own states.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        skip_layers: int = SKIP_LAYERS,
        has_final_norm: bool = False,
    ) -> None:
        """`model` has `layers` and `norm` (Llama, Mistral, Qwen...); it is not changed, its weights are shared."""
        self.model = truncated(model, skip_layers=skip_layers, has_final_norm=has_final_norm)
        self.tokenizer = tokenizer

    @property
    def dim(self) -> int:
        """Width of the states."""
        return self.model.config.hidden_size

    def token_ids(self, template: Template, prompt: str) -> list[int]:
        """Tokens of the filled template, special tokens as the tokenizer adds them."""
        return list(self.tokenizer(template.fill(prompt))["input_ids"])

    def crop(self, template: Template) -> int:
        """How many tokens the template puts before the prompt.

        Raises InvalidInput where the tokenizer would merge the template's end with the prompt's beginning.
        """
        prefix = list(self.tokenizer(template.prefix)["input_ids"])
        if self.token_ids(template, PROBE)[: len(prefix)] != prefix:
            rule = "this tokenizer does not split it from the prompt that follows"
            raise invalid(f"template {template.prefix!r}", rule, "end it with a newline or a special token")
        return len(prefix)

    @torch.no_grad()
    def states(self, token_ids: Sequence[int]) -> Float[Tensor, "l d"]:
        """States of one prompt's tokens, template included, on the model's device and in its dtype."""
        ids = torch.tensor([list(token_ids)], device=self.model.device)
        return self.model(input_ids=ids, use_cache=False).last_hidden_state[0]

    @torch.no_grad()
    def embedded(self, token_ids: Sequence[int]) -> Float[Tensor, "l d"]:
        """What the first layer reads of these tokens: other vectors may take the place of some of them."""
        return self.model.get_input_embeddings()(torch.tensor(list(token_ids), device=self.model.device))

    @torch.no_grad()
    def states_of(self, vectors: Float[Tensor, "l d"]) -> Float[Tensor, "l d"]:
        """As `states`, of what the first layer reads."""
        return self.model(inputs_embeds=vectors[None], use_cache=False).last_hidden_state[0]

    @torch.no_grad()
    def batch_states(self, token_ids: Int[Tensor, "b l"]) -> Float[Tensor, "b l d"]:
        """States of prompts that have equally many tokens; may differ from `states` by rounding."""
        return self.model(input_ids=token_ids.to(self.model.device), use_cache=False).last_hidden_state


def truncated(model: PreTrainedModel, *, skip_layers: int, has_final_norm: bool) -> PreTrainedModel:
    """A view of `model` (same parameters) whose last hidden state is `hidden_states[-(skip_layers + 1)]` of `model`.

    Raises InvalidInput where `skip_layers` leaves no layer, or is 0: the last state is always normed.
    """
    layers = model.layers
    assert isinstance(layers, nn.ModuleList)
    if not 1 <= skip_layers < len(layers):
        raise invalid(f"skip_layers={skip_layers}", f"this model has {len(layers)} layers", "use 2, as released")
    view = copy.copy(model)
    view._modules = dict(model._modules)
    view.layers = layers[: len(layers) - skip_layers]
    view.norm = model.norm if has_final_norm else nn.Identity()
    return view
