"""How a model is run: where its weights wait, what is put away, in which pieces it works."""

from dataclasses import dataclass
from typing import Literal, get_args

from muybridge.core.errors import invalid
from muybridge.ops.pieces import CHUNK_TOKENS

PLACES = ("device", "host", "disk")
DTYPES = ("float32", "bfloat16", "float16")
VaeMode = Literal["whole", "exact", "spill", "stream", "tiled"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSettings:
    """One way to run a model; as it stands here every result is exact and nothing is streamed or put away.

    dtype: what the transformer computes in; None is what it was loaded in.
    weights: where the transformer's blocks wait for their turn; unless "device", two of them are there at a time.
    quantise: a row of `acceleration.quantise.SCHEMES`; None keeps the blocks' weights as they are.
    evicts_modulation: adaptive-norm weights become a table of the run's rows, and leave the device.
    chunk_tokens: tokens that the layers of a block take at a time, as `Transformer.chunk_tokens`; None takes all.
    vae_mode: how films are decoded. "whole", "exact" and "spill" agree; "stream" agrees with them for norms of single
    frames; "tiled" is the released compromise, which differs.
    text_weights: "device", or "host": the host's processor encodes the prompts, beside an accelerator; or "disk": the
    language model's layers wait in their files, and two of them are on the device at a time.
    keeps_text: the text encoder stays beside the transformer; otherwise it is gone before the first step.
    attention: a backend by name; "auto" leaves the choice to the tensors.
    compiles: blocks run as one compiled graph.
    """

    dtype: str | None = None
    weights: str = "device"
    quantise: str | None = None
    evicts_modulation: bool = False
    chunk_tokens: int | None = CHUNK_TOKENS
    vae_mode: VaeMode = "exact"
    text_weights: str = "device"
    keeps_text: bool = True
    attention: str = "auto"
    compiles: bool = False

    def __post_init__(self) -> None:
        _check_one_of("weights", self.weights, PLACES)
        _check_one_of("vae_mode", self.vae_mode, get_args(VaeMode))
        _check_one_of("text_weights", self.text_weights, PLACES)
        if self.dtype is not None:
            _check_one_of("dtype", self.dtype, DTYPES)
        for name in ("evicts_modulation", "keeps_text", "compiles"):
            if not isinstance(getattr(self, name), bool):
                raise invalid(f"{name}={getattr(self, name)!r}", "is true or false", "use one of them")
        _check_chunk(self.chunk_tokens)
        if self.quantise is not None:
            _check_word("quantise", self.quantise)
        _check_word("attention", self.attention)

    @property
    def is_streamed(self) -> bool:
        """True where blocks come to the device one after the other."""
        return self.weights != "device"


def _check_one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise invalid(f"{name}={value!r}", f"known are {', '.join(known)}", "use one of them")


def _check_chunk(chunk_tokens: object) -> None:
    if chunk_tokens is None:
        return
    if isinstance(chunk_tokens, bool) or not isinstance(chunk_tokens, int) or chunk_tokens < 1:
        raise invalid(f"chunk_tokens={chunk_tokens!r}", "needs a whole number above 0", "use 4096, or leave it out")


def _check_word(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"{name}={value!r}", "needs a name", "leave it out for the default")
