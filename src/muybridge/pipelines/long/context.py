"""A film made whole by a network that sees a part of it at a time: context windows that wander from step to step."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from muybridge.core.shapes import latent_frames
from muybridge.flow.evaluations import evaluations
from muybridge.flow.samplers import Velocity, sampler
from muybridge.flow.windows import Layout, Window, levels_asked, wandering, windowed
from muybridge.pipelines.cast import Cast
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.start import Starts

Context = tuple[int, int]  # latent frames that the network sees at a time, and those that neighbours share
Asked = tuple[list[tuple[int, Tensor]], list[list[int]]]  # as `Cast.asked`


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What the network sees of a film in each step; layout is None where that is all of it."""

    layout: Layout | None

    @classmethod
    def of(cls, context: Context | None, *, num_frames: int, sigmas: Float[Tensor, "n"]) -> "Seen":
        """Of a run over `sigmas`."""
        if context is None:
            return cls(layout=None)
        size, overlap = context
        return cls(layout=wandering(num_frames, size=size, overlap=overlap, sigmas=sigmas))

    def asked(self, cast: Cast, begin: Starts) -> Asked:
        """As `Cast.asked`: of every window, where their levels differ because frames are held."""
        layout = self.layout
        if layout is None:
            return cast.asked(begin.levels)

        def levels(sigma: float) -> list[Float[Tensor, "b *t"]]:
            return levels_asked(layout(sigma), begin.levels(sigma))

        most = max(len(levels(each.sigma)) for each in cast.run)
        parts = [cast.asked(lambda sigma, n=n: levels(sigma)[min(n, len(levels(sigma)) - 1)]) for n in range(most)]
        return [one for passes, _ in parts for one in passes], [one for _, about in parts for one in about]

    def velocity(self, cast: Cast, begin: Starts, velocities: Sequence[Velocity]) -> Velocity:
        """The guided velocity of the whole film, of the network's in each role."""

        def of_window(window: Window) -> Velocity:
            return cast.velocity([begin.inside(velocity, window.frames) for velocity in velocities])

        if self.layout is not None:
            return windowed(of_window, self.layout)
        played = zip(cast.roles, velocities, strict=True)
        return cast.velocity([begin.inside(velocity, cast.frames(role)) for role, velocity in played])


def mean_views(request: GenerationRequest) -> float:
    """Context windows that the network is asked for in each forward of a film, the mean of its run; 1 without any."""
    context, num_frames = request.long.context_latents(request.num_frames), latent_frames(request.sampled_frames)
    seen = Seen.of(context, num_frames=num_frames, sigmas=request.sigmas)
    if seen.layout is None:
        return 1
    run = evaluations(sampler(request.sampler), request.sigmas)
    return sum(len(seen.layout(each.sigma)) for each in run) / len(run)
