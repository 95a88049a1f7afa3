"""The pooled output of a CLIP text model: one vector for the whole prompt."""

import logging

import torch
from jaxtyping import Float
from torch import Tensor
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

MAX_TOKENS = 77  # CLIP's position table, begin and end tokens included

log = logging.getLogger(__name__)


class ClipPooled:
    """`pooler_output` of a CLIP text model: the normed last state at the end token.

    Prompts run one at a time and unpadded; the released code pads to 77, which under the causal mask changes nothing
    before the end token.
    """

    def __init__(self, model: CLIPTextModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model = model
        self.tokenizer = tokenizer

    @property
    def dim(self) -> int:
        """Width of the pooled vector; 768 in the released system."""
        return self.model.config.hidden_size

    @torch.no_grad()
    def pooled(self, prompt: str) -> Float[Tensor, " p"]:
        """The prompt's vector; what lies beyond 77 tokens is left out with a warning, as in the released code."""
        every = self.tokenizer(prompt)["input_ids"]
        ids = self.tokenizer(prompt, truncation=True, max_length=MAX_TOKENS)["input_ids"]
        if len(every) > len(ids):
            dropped = self.tokenizer.decode(every[MAX_TOKENS - 1 : -1])
            log.warning("prompt_too_long encoder=clip limit_tokens=%d dropped=%r", MAX_TOKENS, dropped)
        return self.model(input_ids=torch.tensor([ids], device=self.model.device)).pooler_output[0]
