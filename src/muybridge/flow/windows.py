"""Windows over time: a film longer than the network was trained for, seen a piece at a time in every step.

Each window is evaluated as a film of its own, its positions counted from 0 as in training, and the answers are blended
where windows overlap (MultiDiffusion over time: arXiv 2302.08113; 2305.18264). No training is needed. Weights rise to
the middle of a window and fall to its ends, and always sum to 1, so that what all windows agree on comes out as it is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.flow.samplers import Velocity
from muybridge.flow.wander import wander


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Latent frames `start` to `stop` of a film, the last not among them."""

    start: int
    stop: int

    @property
    def num_frames(self) -> int:
        """Latent frames in it."""
        return self.stop - self.start

    @property
    def frames(self) -> slice:
        """Them, of the film's axis of time."""
        return slice(self.start, self.stop)


Layout = Callable[[float], Sequence[Window]]  # the windows at a noise level
Weigh = Callable[[int], Tensor]  # the weight of each frame of a window of so many
Part = tuple[Window, Tensor, Velocity]  # a window, the weight of each of its frames, and what is asked for it

LEAST_WEIGHT = 1e-5  # that a frame's velocities are divided by: where all weigh nothing, nothing is said


def cover(num_frames: int, *, size: int, overlap: int, shift: int = 0) -> tuple[Window, ...]:
    """Windows of `size` latent frames that share at least `overlap` with their neighbours and cover a film.

    One window where the film fits into it. `shift` moves all but the first and the last, which stay at the film's ends;
    it may be anything and counts modulo size - overlap. Raises InvalidInput unless 0 <= overlap < size.
    """
    if not 0 <= overlap < size:
        rule = "windows share at least 0 frames and move on by at least one"
        raise invalid(f"windows of {size} latent frames that share {overlap}", rule, f"share {size // 4}")
    last, stride = max(num_frames - size, 0), size - overlap
    starts = sorted({0, last, *range(shift % stride, last, stride)})
    return tuple(Window(start=start, stop=min(start + size, num_frames)) for start in starts)


def at_rest(num_frames: int, *, size: int, overlap: int) -> Layout:
    """The same windows at every noise level."""
    windows = cover(num_frames, size=size, overlap=overlap)
    return lambda _sigma: windows


def wandering(num_frames: int, *, size: int, overlap: int, sigmas: Float[Tensor, "n"]) -> Layout:
    """Other windows in every step of the grid `sigmas`, so that no place is always an end of one."""
    shift = wander(size - overlap, sigmas=sigmas)
    return lambda sigma: cover(num_frames, size=size, overlap=overlap, shift=shift(sigma))


def pyramid(num_frames: int) -> Float[Tensor, "t"]:
    """1, 2, 3, ... up to the middle of a window and down again to 1."""
    up = torch.arange(1, num_frames + 1, dtype=torch.float32)
    return torch.minimum(up, up.flip(0))


def windowed(velocity_of: Callable[[Window], Velocity], layout: Layout, *, weigh: Weigh = pyramid) -> Velocity:
    """The velocity of a whole film from those of windows: `velocity_of` says which one sees a window.

    It may be the same for all (`lambda _: velocity`), or know a window's place: its prompt, what lies beside it. Inner
    velocities get x and sigma of their window alone, (b, c, size, h, w) and (b,) or (b, size). One window is the plain
    velocity, bitwise; velocities that agree where they overlap come out bitwise as they are. Windows whose frames are
    all held are not asked: nobody reads their velocity. Memory of the network is that of one window.
    """

    def whole(x: Float[Tensor, "b c t h w"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b c t h w"]:
        windows = layout(float(sigma.max()))
        if len(windows) == 1:
            return velocity_of(windows[0])(x, sigma)
        parts = ((window, weigh(window.num_frames), velocity_of(window)) for window in windows)
        return weighted_mean(parts, x, sigma)

    return whole


def weighted_mean(
    parts: Iterable[Part], x: Float[Tensor, "b c t h w"], sigma: Float[Tensor, "b *t"]
) -> Float[Tensor, "b c t h w"]:
    """The mean of what velocities say of each frame, each asked for its window alone, by the weights of its frames.

    Taken one after the other, so that those that agree come out bitwise as they are, in the memory of one more.
    """
    mean, total = torch.zeros_like(x), torch.zeros(x.shape[2])
    for window, weight, velocity in parts:
        frames = window.frames
        own = sigma if sigma.ndim == 1 else sigma[:, frames]
        if not is_asked(own, sigma):
            continue
        total[frames] += weight
        share = (weight / total[frames].clamp_min(LEAST_WEIGHT)).to(x.device, non_blocking=True)[:, None, None]
        part = mean[:, :, frames]
        part += share * (velocity(x[:, :, frames], own) - part)
    return mean


def levels_asked(windows: Sequence[Window], sigma: Float[Tensor, "b *t"]) -> list[Float[Tensor, "b *t"]]:
    """The sigma of every window that `windowed` asks for: what is prepared for each level beforehand needs them."""
    if sigma.ndim == 1 or len(windows) == 1:
        return [sigma]
    return [own for own in (sigma[:, window.frames] for window in windows) if is_asked(own, sigma)]


def is_asked(own: Float[Tensor, "b *w"], sigma: Float[Tensor, "b *t"]) -> bool:
    """Whether the velocity of a window at its own levels is asked for: not where it is held while others are made."""
    return bool(own.any()) or not bool(sigma.any())
