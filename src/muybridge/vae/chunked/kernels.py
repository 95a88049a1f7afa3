"""Causal convolutions of a film that comes in chunks: bands of rows, carried frames, folded kernels.

Two savings are exact but for the rounding of sums of weights. After a nearest-neighbour enlargement several taps of a
kernel meet the same value; added up, 3 taps become 2 for each parity of the output, so enlarging height and width
costs 12/27 of the products, time too 8/27, and the enlarged film never exists. And the first frame sees itself three
times: one tap in time.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.ops.causal_conv import CausalConv3d

Sizes = tuple[int, int, int]  # of time, height, width
Activation = Callable[[Tensor, slice], Tensor]  # of some rows of a chunk
Taps = Sequence[Sequence[int]]
ONE = (1, 1, 1)
PLAIN: Taps = ((0,), (1,), (2,))
EARLY: Taps = ((0, 1), (2,))  # the output's odd frames, and its odd rows and columns
LATE: Taps = ((0,), (1, 2))


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """The outputs at one parity of each axis: where they go, where their window starts, and their kernel."""

    place: Sizes
    start: tuple[int, int]  # row and column of the padded input
    weight: Float[Tensor, "d c i j k"]


def phases(weight: Float[Tensor, "d c i j k"], factor: Sizes) -> list[Phase]:
    """The kernels that, applied before a nearest enlargement by `factor` (1 or 2 each), do what `weight` does after."""
    in_time = [(0, 0, PLAIN if weight.shape[2] == 3 else ((0,),))] if factor[0] == 1 else [(0, 0, EARLY), (1, 0, LATE)]
    in_space = [[(0, 0, PLAIN)] if side == 1 else [(0, 0, LATE), (1, 1, EARLY)] for side in factor[1:]]
    return [
        Phase(place=(t[0], y[0], x[0]), start=(y[1], x[1]), weight=folded(weight, (t[2], y[2], x[2])))
        for t, y, x in product(in_time, *in_space)
    ]


def folded(weight: Float[Tensor, "d c i j k"], taps: Sequence[Taps]) -> Float[Tensor, "d c u y x"]:
    """The kernel with some of its taps added up, in float32 at least."""
    result = weight.to(torch.promote_types(weight.dtype, torch.float32))
    for dim, groups in enumerate(taps, start=2):
        if len(groups) < result.shape[dim]:
            result = torch.cat(
                [result.narrow(dim, group[0], len(group)).sum(dim, keepdim=True) for group in groups], dim
            )
    return result.to(weight.dtype)


class ChunkedConv:
    """A causal 3x3x3 convolution, perhaps after an enlargement or with a stride, of frames that come in chunks.

    band_bytes bounds the padded input that exists at one time; what the convolution's own workspace needs is of the
    same order. The state between chunks is `kept`: the last frames, as the convolution saw them.
    """

    def __init__(self, conv: CausalConv3d, *, factor: Sizes = ONE, stride: Sizes = ONE, band_bytes: int) -> None:
        self.conv, self.factor, self.stride, self.band_bytes = conv.conv, factor, stride, band_bytes
        weight = conv.conv.weight
        self.later = phases(weight, factor)
        self.first = phases(folded(weight, (((0, 1, 2),), PLAIN, PLAIN)), (1, *factor[1:]))
        self.num_kept = self.later[0].weight.shape[2] - stride[0]
        self.kept: Tensor | None = None

    def __call__(self, x: Float[Tensor, "1 c k h w"], activation: Activation) -> Float[Tensor, "1 d u y x"]:
        """The outputs of the next frames, the first time of the first frame alone; `activation` is applied before."""
        batch, channels, frames, height, width = x.shape
        is_first = self.kept is None
        factor, num_later = self.factor, frames // self.stride[0]
        if is_first:
            assert frames == 1, "the first frame comes alone"
            factor, num_later = (1, *self.factor[1:]), 1
            self.kept = x.new_empty(batch, channels, self.num_kept, height, width)
        sizes = (num_later * factor[0], height * factor[1] // self.stride[1], width * factor[2] // self.stride[2])
        out = x.new_empty(batch, self.conv.out_channels, *sizes)
        for rows in self._bands(x):
            window = self._window(x, rows, activation, is_first=is_first)
            target = out[:, :, :, rows.start * factor[1] // self.stride[1] : rows.stop * factor[1] // self.stride[1]]
            self._fill(target, window, self.first if is_first else self.later, factor)
            self._keep(window, rows, height)
        return out

    def _bands(self, x: Tensor) -> Iterator[slice]:
        """Runs of rows whose windows stay within the budget."""
        _, channels, frames, height, width = x.shape
        step, row_bytes = self.stride[1], channels * (frames + self.num_kept) * (width + 2) * x.element_size()
        size = max(step, (self.band_bytes // row_bytes - 2) // step * step)
        size = math.ceil(height / math.ceil(height / size) / step) * step  # of nearly equal height
        for start in range(0, height, size):
            yield slice(start, min(start + size, height))

    def _window(self, x: Tensor, rows: slice, activation: Activation, *, is_first: bool) -> Tensor:
        """Kept and new frames of some rows, with one more row and column on each side that the kernel reaches."""
        assert self.kept is not None
        height, below = x.shape[3], 2 - self.stride[1]
        seen = slice(max(rows.start - 1, 0), min(rows.stop + below, height))
        frames = x.shape[2] + (0 if is_first else self.num_kept)
        window = x.new_empty(*x.shape[:2], frames, rows.stop - rows.start + 1 + below, x.shape[4] + 2)
        top = seen.start - (rows.start - 1)
        body = window[:, :, :, top : top + seen.stop - seen.start, 1:-1]
        if not is_first:
            body[:, :, : self.num_kept] = self.kept[:, :, :, seen]
        body[:, :, frames - x.shape[2] :] = activation(x, seen)
        window[..., 0], window[..., -1] = window[..., 1], window[..., -2]
        if top:
            window[:, :, :, 0] = window[:, :, :, 1]
        if rows.stop + below > height:
            window[:, :, :, -1] = window[:, :, :, -2]
        return window

    def _fill(self, target: Tensor, window: Tensor, parts: list[Phase], factor: Sizes) -> None:
        """Each phase's outputs at their places; `target` has whole cells of `factor`."""
        for part in parts:
            place = target[:, :, part.place[0] :: factor[0], part.place[1] :: factor[1], part.place[2] :: factor[2]]
            height, width = (
                (size - 1) * step + reach
                for size, step, reach in zip(place.shape[3:], self.stride[1:], part.weight.shape[3:], strict=True)
            )
            top, left = part.start
            seen = window[:, :, :, top : top + height, left : left + width]
            place.copy_(F.conv3d(seen, part.weight, self.conv.bias, stride=self.stride))

    def _keep(self, window: Tensor, rows: slice, height: int) -> None:
        """The window's last frames, in place of the kept ones that no later band reads."""
        assert self.kept is not None
        start, stop = max(rows.start - 1, 0), height if rows.stop == height else rows.stop - 1
        first_row = rows.start - 1
        last = window[:, :, -self.num_kept :, start - first_row : stop - first_row, 1:-1]
        self.kept[:, :, :, start:stop] = last
