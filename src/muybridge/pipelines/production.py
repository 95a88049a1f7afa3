"""From a call's requests to its films, in order: latents group by group, then pixels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from muybridge.acceleration.settings import RunSettings
from muybridge.media.frames import to_uint8, to_uint16
from muybridge.pipelines.batches import Bench, Group, Shared, shared
from muybridge.pipelines.coding import decoded
from muybridge.pipelines.conditions.finishing import decodable, finished
from muybridge.pipelines.fitting import within_memory
from muybridge.pipelines.long.reel import Reel, reel_of
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.result import Video
from muybridge.pipelines.resume.keeper import Sampled
from muybridge.pipelines.sampling import Sampling
from muybridge.pipelines.start import Start
from muybridge.vae.steady import steadied


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Production:
    """The films of one call, once their texts are read.

    runs: how requests are run on the bench, by what they share. settings_of: what is recorded with a film. together,
    bits: as `Pipeline.__call__` takes them.
    """

    sampling: Sampling
    bench: Bench
    runs: Mapping[Shared, RunSettings]
    settings_of: Callable[[GenerationRequest], dict[str, Any]]
    together: bool | None
    bits: int

    def films(self, requests: Sequence[GenerationRequest]) -> Iterator[Video | Reel]:
        """Each as soon as it is finished; those of several windows are not made yet."""
        for group in self.bench.groups(requests, self.runs, shares=self._shares):
            if group.requests[0].is_streamed:
                yield self._reel(group.requests[0], run=group.run)
                continue
            for request, sampled in zip(group.requests, self._sampled(group), strict=True):
                yield self._film(request, sampled, run=group.run)

    def _shares(self, request: GenerationRequest) -> bool:
        """Whether a film shares passes with its neighbours."""
        run = self.runs[shared(request)]
        if not request.long.can_share(request.num_frames):
            return False
        is_wanted = self.bench.gains(request, run) if self.together is None else self.together
        return is_wanted and self.bench.can_share(request, run) and self.sampling.loras.can_share(request.loras)

    def _sampled(self, group: Group) -> Iterator[Sampled]:
        if not group.is_packed:
            return self.sampling.batch(group.requests, run=group.run)
        return self.sampling.packed(group.requests, run=group.run, has_room=partial(self.bench.has_room, run=group.run))

    def _film(self, request: GenerationRequest, sampled: Sampled, *, run: RunSettings) -> Video:
        latents, report = sampled
        components, counter = self.sampling.components, self.sampling.counter
        counter.advance("decode", 0)
        with within_memory(request):
            whole = decoded(components, decodable(request, latents)[None], mode=run.vae_mode)
            pixels = steadied(whole, request.steady)[0]
            frames = finished(request, to_uint8(pixels))
            fine = finished(request, to_uint16(pixels)) if self.bits > 8 else None
        counter.advance("decode")
        return Video(
            pixels=frames,
            fine=fine,
            fps=request.fps,
            settings=self.settings_of(request) | ({} if report is None else {"cache": dict(report)}),
            latents=latents.float().cpu().clone(),
            on_saved=self.sampling.keeper.on_saved(request),
        )

    def _reel(self, request: GenerationRequest, *, run: RunSettings) -> Reel:
        sampling = self.sampling

        def sample(window: GenerationRequest, start: Start | None) -> Sampled:
            own = replace(sampling, texts={window: sampling.texts[request]})
            [sampled] = own.batch([window], run=run, starts=None if start is None else [start])
            return sampled

        reel = reel_of(request, sample, sampling.components, settings=self.settings_of(request))
        on_saved, on_end = sampling.keeper.on_saved(request), partial(sampling.counter.advance, "decode")
        return replace(reel, on_saved=on_saved, on_end=on_end)
