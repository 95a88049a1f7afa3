"""What is seen of a clip, written down as a caption by SmolLM2 with low-rank changes of its own (arXiv 2106.09685).

The language model reads no pixels: each slot becomes a few vectors in the space of its own word embeddings, those of
the slot's phrases mixed by how likely each is, with a mark of the slot added. After them it writes the caption's JSON.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from huggingface_hub.errors import StrictDataclassError
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaForCausalLM
from transformers.tokenization_utils_tokenizers import PreTrainedTokenizerFast

from muybridge.captioning.own.slots import SLOTS, Phrases, plain_words
from muybridge.captioning.vocabulary import Vocabulary
from muybridge.core.errors import WeightsError, invalid

LANGUAGE = "smollm2-135m-instruct"
ADAPTED = ("q_proj", "v_proj")  # as in the paper


@dataclass(frozen=True, kw_only=True, slots=True)
class WriterConfig:
    """Which blocks of the language model are changed, from `first_block` on, and how much; its sizes."""

    first_block: int = 14
    num_blocks: int = 30
    rank: int = 6
    hidden_size: int = 576
    value_size: int = 192

    def __post_init__(self) -> None:
        if not 0 <= self.first_block < self.num_blocks:
            given, rule = f"first_block={self.first_block}", f"the model has {self.num_blocks} blocks"
            raise invalid(given, rule, "use 14 of 30")
        for name in ("rank", "hidden_size", "value_size"):
            if getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "is at least 1", "leave it out")


class Writer(nn.Module):
    """The part that is trained: a mark for each slot, and thin matrices beside the queries' and the values'."""

    def __init__(self, config: WriterConfig) -> None:
        super().__init__()
        self.config = config
        width, rank = config.hidden_size, config.rank
        self.marks = nn.Parameter(torch.zeros(len(SLOTS), width))
        self.down, self.up = nn.ParameterDict(), nn.ParameterDict()
        for block in range(config.first_block, config.num_blocks):
            for name, size in zip(ADAPTED, (width, config.value_size), strict=True):
                self.down[f"{block}_{name}"] = nn.Parameter(torch.randn(rank, width) / width**0.5)
                self.up[f"{block}_{name}"] = nn.Parameter(torch.zeros(rank, size))  # rows long enough for int8

    @contextmanager
    def changing(self, model: LlamaForCausalLM) -> Iterator[None]:
        """Within the block the language model has the changes."""
        with ExitStack() as hooks:
            for key, down in self.down.items():
                block, name = key.split("_", 1)
                layer = getattr(model.model.layers[int(block)].self_attn, name)
                handle = layer.register_forward_hook(partial(_changed, down=down, up=self.up[key]))
                hooks.callback(handle.remove)
            yield

    def shown(self, mixed: Sequence[Float[Tensor, "b l d"]]) -> Float[Tensor, "b n d"]:
        """What the language model reads: the slots' vectors one after another, each with its mark."""
        return torch.cat([vectors + mark for vectors, mark in zip(mixed, self.marks, strict=True)], 1)


def _changed(layer: nn.Module, given: tuple[Tensor], out: Tensor, *, down: Tensor, up: Tensor) -> Tensor:
    return out + F.linear(F.linear(given[0], down.to(out.dtype)), up.T.to(out.dtype))


@dataclass(frozen=True, kw_only=True, slots=True)
class Language:
    """SmolLM2 with what it can write."""

    model: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerFast
    vocabulary: Vocabulary

    @property
    def eos_id(self) -> int:
        """The token that ends an answer."""
        known = self.model.config.eos_token_id
        assert isinstance(known, int)
        return known

    @torch.no_grad()
    def phrase_vectors(self, phrases: Phrases) -> tuple[Float[Tensor, "p l d"], ...]:
        """For each slot the embeddings of its phrases' words, zeros where a phrase is shorter than the longest."""
        table = self.model.model.embed_tokens.weight
        return tuple(
            pad_sequence([table[self._ids(phrase)].float() for phrase in known], batch_first=True) for known in phrases
        )

    def _ids(self, phrase: str) -> list[int]:
        words = plain_words(phrase)
        return self.tokenizer(f" {words}", add_special_tokens=False)["input_ids"] if words else []


def mixture(
    shares: Sequence[Float[Tensor, "b p"]], vectors: Sequence[Float[Tensor, "p l d"]]
) -> list[Float[Tensor, "b l d"]]:
    """For each slot its phrases' vectors, mixed by their shares."""
    return [torch.einsum("bp,pld->bld", share, each) for share, each in zip(shares, vectors, strict=True)]


def open_language(folder: Path, *, dtype: torch.dtype = torch.float32) -> Language:
    """SmolLM2 from a folder as `weights.assets` prepares it, frozen. Raises WeightsError where it is none."""
    try:
        config = LlamaConfig(**json.loads((folder / "config.json").read_text()))
        state = load_file(folder / "model.safetensors")
        model = LlamaForCausalLM(config)
        model.model.load_state_dict(state, strict=True)
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    except (OSError, TypeError, ValueError, RuntimeError, SafetensorError, StrictDataclassError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        raise WeightsError(f"{folder}: not a language model ({reason}); remove it to have it fetched again.") from None
    model.tie_weights()
    nn.Module.to(model, dtype)
    model.eval().requires_grad_(False)
    return Language(model=model, tokenizer=tokenizer, vocabulary=Vocabulary(tokenizer, config.vocab_size))
