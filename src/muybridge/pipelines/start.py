"""Where the sampling of a film starts: from noise alone, or from latents that are given (DESIGN law 2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.flow.held import frame_levels, hold_frames, place
from muybridge.flow.loops import on_a_circle, turned
from muybridge.flow.pinned import pin_cells
from muybridge.flow.samplers import Velocity
from muybridge.flow.wander import wander


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Start:
    """What a film starts from beside its noise. Every task is a choice of these.

    given: clean latents at the transformer's scale, read where a frame is held, a cell is pinned, at a strength below 1
    and by noise_mix. held: latent frames that stay at sigma 0. made: cells that are made anew; all others follow the
    straight path from noise to `given`. strength: the share of the run's grid that is sampled, from
    x = (1 - sigma) given + sigma noise at its first level; 1 is pure noise (`flow.timesteps.inference_sigmas`).
    beside: channels that the network reads beside x, as latent-concat weights do. noise_mix: the share of `given` in
    the noise itself. is_circle: the last latent frame is followed by the first (`flow.loops`). Raises InvalidInput
    where shapes do not fit each other, a share lies outside [0, 1], or no cell is left to make.
    """

    given: Float[Tensor, "c t h w"]
    held: Bool[Tensor, " t"]
    made: Bool[Tensor, "t h w"] | None = None
    strength: float = 1.0
    beside: Float[Tensor, "k t h w"] | None = None
    noise_mix: float = 0.0
    is_circle: bool = False

    def __post_init__(self) -> None:
        grid = tuple(self.given.shape[1:])
        for name, part, shape in (("held", self.held, grid[:1]), ("made", self.made, grid)):
            if part is not None and tuple(part.shape) != shape:
                raise invalid(f"{name} of shape {tuple(part.shape)}", f"given has {grid}", f"give {name} of {shape}")
        if self.beside is not None and tuple(self.beside.shape[1:]) != grid:
            raise invalid(f"beside of shape {tuple(self.beside.shape)}", f"given has {grid}", "give the same frames")
        if not 0 < self.strength <= 1:
            raise invalid(f"strength={self.strength}", "lies above 0 and up to 1", "use 0.6, or 1 for pure noise")
        if not 0 <= self.noise_mix <= 1:
            raise invalid(f"noise_mix={self.noise_mix}", "lies within [0, 1]", "use 0")
        if self.made is not None and not bool(self.made.any()):
            raise invalid("a mask without a cell to make", "everything would stay as it is", "free a part of the film")


class Starts:
    """The starts of a batch beside its noise: what acts on the velocity of its run."""

    def __init__(
        self,
        starts: Sequence[Start] | None,
        noise: Float[Tensor, "b c t h w"],
        *,
        sigmas: Float[Tensor, " n"],
    ) -> None:
        """`sigmas`: the run's noise levels, from its first.

        Raises InvalidInput where films of one batch differ in held frames, strength or what they have.
        """
        self._noise = noise
        self._sigma = float(sigmas[0])
        self._cut = wander(noise.shape[2], sigmas=sigmas)
        self._first = starts[0] if starts else None
        if starts and any(_pattern(start) != _pattern(starts[0]) for start in starts):
            raise invalid("starts of a batch", "hold the same frames from the same level", "make these films apart")
        self._given = _stacked([start.given for start in starts or ()], noise)
        self._made = _stacked([start.made for start in starts or ()], noise)
        self._beside = _stacked([start.beside for start in starts or ()], noise)
        if self._given is not None:
            share = torch.tensor([start.noise_mix for start in starts or ()]).to(noise)[:, None, None, None, None]
            self._noise = torch.where(share > 0, (1 - share) * noise + share * self._given, noise)

    def x(self) -> Float[Tensor, "b c t h w"]:
        """The latents at the first level of the run, held frames in place."""
        if self._first is None or self._given is None:
            return self._noise
        sigma = self._sigma
        x = self._noise if sigma == 1 else (1 - sigma) * self._given + sigma * self._noise
        return place(x, self._given, self._first.held)

    def levels(self, sigma: float) -> Float[Tensor, "b *t"]:
        """What the network is asked for when the run is at `sigma`: one level a film, or one a latent frame."""
        levels = torch.full((len(self._noise),), sigma)
        if self._first is None:
            return levels
        levels = frame_levels(levels, self._first.held)
        return turned(levels, self._cut(sigma)) if self._first.is_circle else levels

    def inside(self, velocity: Velocity, frames: slice = slice(None)) -> Velocity:
        """Around the network itself, below guidance: the channels that it reads beside x, of the frames it sees."""
        if self._first is None or self._beside is None:
            return velocity
        whole, is_circle = self._beside, self._first.is_circle

        def seen(x: Float[Tensor, "b c t h w"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b c t h w"]:
            first = self._cut(float(sigma.amax())) if is_circle else 0
            return velocity(torch.cat([x, whole.roll(-first, 2)[:, :, frames].to(x)], 1), sigma)

        return seen

    def around(self, velocity: Velocity) -> Velocity:
        """Around the guided velocity of the whole film: as on a circle, cells on their known path, frames at rest."""
        if self._first is None or self._given is None:
            return velocity
        if self._first.is_circle:
            velocity = on_a_circle(velocity, cut=self._cut)
        if self._made is not None:
            velocity = pin_cells(velocity, self._made, path=self._noise - self._given)
        return hold_frames(velocity, self._first.held)

    def landed(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t h w"]:
        """The latents at the end of a run, pinned cells at `given` without what rounding left of their path."""
        if self._made is None or self._given is None:
            return x
        return torch.where(self._made[:, None], x, self._given)


def _pattern(start: Start) -> tuple[list[bool], float, bool, bool, bool]:
    """What films of one batch have in common."""
    return start.held.tolist(), start.strength, start.made is None, start.beside is None, start.is_circle


def _stacked(parts: Sequence[Tensor | None], noise: Tensor) -> Tensor | None:
    """On the noise's device, numbers in its dtype; None where the films have none."""
    own = [part for part in parts if part is not None]
    if not own:
        return None
    whole = torch.stack(own).to(noise.device)
    return whole if whole.dtype == torch.bool else whole.to(noise.dtype)
