"""A transformer's blocks left out for a step, from outside: each film adds what the blocks changed when they last ran.

The blocks of the transformer are wrapped while a cache is in use and unwrapped afterwards; the network is unaware.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from muybridge.flow.samplers import Velocity
from muybridge.transformer import Transformer
from muybridge.transformer.conditions import Signals

Probe = Callable[[nn.Module, Tensor, Tensor, Signals], Tensor]  # (first block, img before, img after, signals)


class Judge(Protocol):
    """Says which films may leave out this step, from what the probe saw of them."""

    def __call__(self, probe: Float[Tensor, "b n d"], index: int) -> Bool[Tensor, " b"]:
        """True where the blocks are left out; `index` counts the evaluations from 0."""
        ...


class Gate:
    """What the wrapped blocks of one transformer share during one sampler run.

    A step of true classifier-free guidance passes the transformer twice: the first pass decides for both, and each has
    its own memory, one residual of the visual tokens.
    """

    def __init__(self, judge: Judge, probe: Probe, *, runs_first: bool) -> None:
        """runs_first: the first block is computed in every step, because the probe is what it changes."""
        self.runs_first = runs_first
        self.num_computed = 0
        self._judge, self._probe = judge, probe
        self._index, self._pass = -1, 0
        self._residuals: dict[int, Tensor] = {}
        self._entry: Tensor = torch.empty(0)
        self._skips: Bool[Tensor, " b"] = torch.zeros(0, dtype=torch.bool)

    def around(self, velocity: Velocity) -> Velocity:
        """The velocity whose transformer is behind this gate."""

        def gated(x: Tensor, sigma: Tensor) -> Tensor:
            self._index, self._pass = self._index + 1, -1
            return velocity(x, sigma)

        return gated

    @property
    def is_closed(self) -> bool:
        """True where every film leaves this step out."""
        return bool(self._skips.all())

    def enter(self, block: nn.Module, img: Tensor, txt: Tensor, *, signals: Signals) -> tuple[Tensor, Tensor]:
        """The first block, or what stands for it."""
        self._pass += 1
        before = img.clone()  # blocks may add to their stream in place
        after, txt_after = block(img, txt, signals=signals) if self.runs_first else (img, txt)
        if self._pass == 0:
            self._skips = self._judge(self._probe(block, before, after, signals), self._index)
            self.num_computed += not self.is_closed
        self._entry = after.clone() if self.runs_first else before
        if not self.runs_first and not self.is_closed:
            after, txt_after = block(img, txt, signals=signals)
        return after, txt_after

    def leave(self, visual: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """The visual tokens after the last block: as computed, or the entry and the residual kept."""
        if self.is_closed:
            return self._entry + self._residuals[self._pass]
        residual = visual - self._entry
        if self._pass in self._residuals:
            skips = self._skips[:, None, None]
            residual = torch.where(skips, self._residuals[self._pass], residual)
            visual = torch.where(skips, self._entry + residual, visual)
        self._residuals[self._pass] = residual
        return visual


class _First(nn.Module):
    """The first block behind a gate."""

    def __init__(self, block: nn.Module, gate: Gate) -> None:
        super().__init__()
        self.block, self.gate = block, gate

    def forward(self, img: Tensor, txt: Tensor, *, signals: Signals) -> tuple[Tensor, Tensor]:
        return self.gate.enter(self.block, img, txt, signals=signals)


class _Double(nn.Module):
    """A block of both streams that is passed by while its gate is closed; the last of all lets the tokens out."""

    def __init__(self, block: nn.Module, gate: Gate, *, is_last: bool) -> None:
        super().__init__()
        self.block, self.gate, self.is_last = block, gate, is_last

    def forward(self, img: Tensor, txt: Tensor, *, signals: Signals) -> tuple[Tensor, Tensor]:
        if not self.gate.is_closed:
            img, txt = self.block(img, txt, signals=signals)
        return (self.gate.leave(img) if self.is_last else img), txt


class _Single(nn.Module):
    """The same for a block of one stream."""

    def __init__(self, block: nn.Module, gate: Gate, *, is_last: bool) -> None:
        super().__init__()
        self.block, self.gate, self.is_last = block, gate, is_last

    def forward(self, x: Tensor, *, signals: Signals) -> Tensor:
        if not self.gate.is_closed:
            x = self.block(x, signals=signals)
        if not self.is_last:
            return x
        return torch.cat([self.gate.leave(x[:, : signals.num_visual]), x[:, signals.num_visual :]], 1)


@contextmanager
def gated(transformer: Transformer, gate: Gate) -> Iterator[Gate]:
    """The transformer's blocks stand behind the gate inside; outside they are as they were.

    The first of at least two blocks is one of both streams, as in every released network.
    """
    doubles, singles = transformer.double_blocks, transformer.single_blocks
    last = len(doubles) + len(singles) - 1
    transformer.double_blocks = nn.ModuleList(
        _Double(block, gate, is_last=index == last) if index else _First(block, gate)
        for index, block in enumerate(doubles)
    )
    transformer.single_blocks = nn.ModuleList(
        _Single(block, gate, is_last=len(doubles) + index == last) for index, block in enumerate(singles)
    )
    try:
        yield gate
    finally:
        transformer.double_blocks, transformer.single_blocks = doubles, singles
