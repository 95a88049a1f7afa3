"""What every text encoder gives the transformer, the seam for it, and a shipped double without weights."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from muybridge.core.seeding import generator
from muybridge.media.frames import Picture

Place = tuple[int, int]  # from and up to, in characters of the prompt; empty for a token of the template


@dataclass(frozen=True, kw_only=True, slots=True)
class TextStates:
    """The condition of a batch of prompts: right-padded states, which of them are real, and one pooled vector each."""

    states: Float[Tensor, "b l d"]  # zero on padding
    mask: Bool[Tensor, "b l"]  # True on real tokens
    pooled: Float[Tensor, "b p"]


class TextEncoder(Protocol):
    """Prompts in, states out. Encoding a prompt alone or in any list gives the same numbers, bit for bit."""

    @property
    def text_dim(self) -> int:
        """Width of `TextStates.states`."""
        ...

    @property
    def pooled_dim(self) -> int:
        """Width of `TextStates.pooled`."""
        ...

    def encode(self, prompts: Sequence[str], *, num_frames: int, picture: Picture | None = None) -> TextStates:
        """The states of `prompts`; `num_frames` 1 means a picture, which the released models template differently.

        picture: what the film begins with, for encoders that look at it; for the others it makes no difference.
        """
        ...

    def places(self, prompt: str, *, num_frames: int) -> list[Place]:
        """The characters that each token of the prompt stands for; these tokens are the last of its states."""
        ...


def pad_states(
    states: Sequence[Float[Tensor, "_ d"]], pooled: Sequence[Float[Tensor, " p"]], *, length: int | None = None
) -> TextStates:
    """States of different lengths as one batch, right-padded with zeros to `length` or else to the longest."""
    padded = pad_sequence(list(states), batch_first=True)
    if length is not None:
        padded = torch.nn.functional.pad(padded, (0, 0, 0, length - padded.shape[1]))
    lengths = torch.tensor([len(item) for item in states], device=padded.device)
    mask = torch.arange(padded.shape[1], device=padded.device) < lengths[:, None]
    return TextStates(states=padded, mask=mask, pooled=torch.stack(list(pooled)))


class BulkTextEncoder(Protocol):
    """Encodes many prompts at once, for training; a little rounding is the price of its speed."""

    @property
    def text_dim(self) -> int:
        """Width of the states."""
        ...

    def encode_many(
        self, prompts: Sequence[str], *, batch_size: int = 16
    ) -> Iterator[tuple[Float[Tensor, "_ d"], Float[Tensor, " p"]]]:
        """(states, pooled) of each prompt in order, unpadded."""
        ...


class HashEncoder:
    """Standard normal states drawn from each word's own text: a `TextEncoder` with no weights, for tests and dry runs.

    Equal words give equal states; the pooled vector is the mean over words. A last token stands for the end of the
    prompt, so the empty prompt has one token.
    """

    def __init__(self, *, text_dim: int = 32, pooled_dim: int = 16) -> None:
        self.text_dim = text_dim
        self.pooled_dim = pooled_dim

    def encode(self, prompts: Sequence[str], *, num_frames: int, picture: Picture | None = None) -> TextStates:
        """One token per word and one for the end; `num_frames` and `picture` make no difference."""
        words = [[*prompt.lower().split(), "<end>"] for prompt in prompts]
        states = [torch.stack([self._draw(word, "state", self.text_dim) for word in line]) for line in words]
        pooled = [torch.stack([self._draw(word, "pooled", self.pooled_dim) for word in line]).mean(0) for line in words]
        return pad_states(states, pooled)

    def places(self, prompt: str, *, num_frames: int) -> list[Place]:
        """Of each word, and none of the end."""
        return [*(word.span() for word in re.finditer(r"\S+", prompt)), (len(prompt), len(prompt))]

    def encode_many(
        self, prompts: Sequence[str], *, batch_size: int = 16
    ) -> Iterator[tuple[Float[Tensor, "_ d"], Float[Tensor, " p"]]]:
        """(states, pooled) of each prompt in order; `batch_size` makes no difference."""
        for prompt in prompts:
            one = self.encode([prompt], num_frames=1)
            yield one.states[0], one.pooled[0]

    @staticmethod
    def _draw(word: str, purpose: str, dim: int) -> Float[Tensor, " {dim}"]:
        return torch.randn(dim, generator=generator(0, "text", purpose, word))
