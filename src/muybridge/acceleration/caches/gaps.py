"""Gaps between computed velocities: predicted while they last, corrected once the next velocity is known.

Velocities change evenly in the log-odds of the noise, tau = log(sigma / (1 - sigma)): fast in sigma where films begin
and where they end. Within a gap the velocity goes on along its last slope in tau, of which not quite a half is trusted:
velocities are rough, and slopes are soon forgotten. The velocity computed at the end of the gap says how wrong that
was: the surprise s = v_b - predicted. Had it been known, the gap would have been interpolated rather than extrapolated.
The difference this makes to the latents, summed over the skipped evaluations i with their weights w_i, is one number
times the surprise,

    s * sum w_i (tau_i - tau_a) / (tau_b - tau_a),

and is put right in the step that is computed anyway. But the latents are off by that much when v_b is computed, and the
network sees it: velocities pull errors in, at the rate `stiffness`, so that a part of the surprise is the pull. It is
taken off first, from the velocity that is used and remembered too; otherwise the error would be put right twice, here
and by the pull, which a long gap goes on using. Two velocities are kept, whatever the gap.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from muybridge.flow.evaluations import Evaluation

TRUST = 0.45  # least squares on gallop: twenty gaps of 1 to 16 evaluations, ten films
EDGE = 0.004  # of sigma and 1 - sigma, where log-odds would be infinite; from 0.001 to 0.02 corrections are as good


def log_odds(sigma: float) -> float:
    """The time in which velocities change evenly; finite from 0 to 1."""
    return math.log((sigma + EDGE) / (1 - sigma + EDGE))


def stiffness(sigma: float) -> float:
    """How much an error of the latents changes the velocity, along the error.

    Measured on gallop with classifier-free guidance 3, gaps of 1 to 6 evaluations: 8.7 at sigma 0.91, 3.8 at 0.82, 1.4
    at 0.70 and 0.48, 2.6 at 0.09. Heun's rule asks at 0 itself, so the last term ends at 0.05.
    """
    return 1 / (1 - sigma) + 0.15 / max(sigma, 0.05)


@dataclass(frozen=True, kw_only=True, slots=True)
class Closed:
    """velocity: without the pull. surprise: None for the first of a run. share * surprise puts the latents right."""

    velocity: Tensor
    surprise: Tensor | None
    share: float


class Gap:
    """The state of one film between two computed velocities; every tensor has the shape of the film's latents."""

    def __init__(self, run: Sequence[Evaluation]) -> None:
        self._run = run
        self.start = -1  # index of the last computed evaluation
        self._velocity: Tensor | None = None
        self._slope: Tensor | None = None

    def predicted(self, index: int) -> Float[Tensor, "c t h w"]:
        """The velocity to use at `index`, in the gap."""
        assert self._velocity is not None
        if self._slope is None:
            return self._velocity
        return self._velocity + TRUST * self._distance(index) * self._slope

    def close(self, index: int, velocity: Float[Tensor, "c t h w"]) -> Closed:
        """Takes the velocity computed at `index`: what it should have been, and what it says of the gap."""
        if self._velocity is None:
            self._learn(index, velocity)
            return Closed(velocity=velocity, surprise=None, share=0.0)
        share, predicted = self.share(self.start, index), self.predicted(index)
        surprise = velocity - predicted
        if share:
            surprise = surprise / (1 + abs(share) * stiffness(self._run[index].sigma))
            velocity = predicted + surprise
        self._learn(index, velocity)
        return Closed(velocity=velocity, surprise=surprise, share=share)

    def share(self, start: int, end: int) -> float:
        """Of the surprise at `end` in the correction of the gap from `start`: 0 where nothing was skipped."""
        skipped = self._run[start + 1 : end] if start >= 0 else ()
        if not skipped:
            return 0.0
        begun = log_odds(self._run[start].sigma)
        change = sum(each.weight * (log_odds(each.sigma) - begun) for each in skipped)
        return change / (log_odds(self._run[end].sigma) - begun)

    def forget(self) -> None:
        """The slope is of no use any more: the network is another from here on."""
        self._slope = None

    @property
    def is_slope_known(self) -> bool:
        """False where the velocity is all that there is to go by."""
        return self._slope is not None

    def _learn(self, index: int, velocity: Tensor) -> None:
        distance = self._distance(index) if self._velocity is not None else 0.0
        if distance and self._velocity is not None:
            self._slope = (velocity - self._velocity) / distance
        self.start, self._velocity = index, velocity

    def _distance(self, index: int) -> float:
        return log_odds(self._run[index].sigma) - log_odds(self._run[self.start].sigma)
