"""From texts to latents: films that are sampled as a batch, or by passes that they share, and kept meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from jaxtyping import Float
from torch import Tensor

from muybridge.acceleration.settings import RunSettings
from muybridge.core.shapes import latent_shape
from muybridge.pipelines.batches import Texts, prompts_of
from muybridge.pipelines.components import Components
from muybridge.pipelines.conditions.starting import starts_of
from muybridge.pipelines.denoise import Means, Plan, denoise
from muybridge.pipelines.fitting import within_memory
from muybridge.pipelines.loras import LoraShelf
from muybridge.pipelines.preview import Glances, Sight
from muybridge.pipelines.progress import Counter
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.resume.keeper import Keeper, Sampled
from muybridge.pipelines.resume.record import Replay
from muybridge.pipelines.start import Start
from muybridge.pipelines.step_cache import StepCache
from muybridge.pipelines.together import Seat, Together


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sampling:
    """What makes the latents of one call's films.

    texts: states of all that their requests say. keeper: what finds and keeps films. counter: who hears of every step.
    """

    components: Components
    loras: LoraShelf
    glances: Glances
    texts: Texts
    keeper: Keeper
    counter: Counter

    def batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        run: RunSettings,
        seat: Seat | None = None,
        starts: Sequence[Start] | None = None,
    ) -> Iterator[Sampled]:
        """Of each film its latents, and what its step cache reports: as they were kept, or made now.

        seat: of a film that shares passes. starts: where films begin, if not where their requests say.
        """
        found = self.keeper.found(requests)
        missing = [request for request, known in zip(requests, found, strict=True) if known is None]
        num_found = (len(requests) - len(missing)) * requests[0].steps_taken
        self.counter.advance("denoise", num_found, is_found=num_found > 0)
        made = iter(self._made(missing, run=run, seat=seat, starts=starts) if missing else ())
        return (next(made) if known is None else known for known in found)

    def packed(
        self,
        requests: Sequence[GenerationRequest],
        *,
        run: RunSettings,
        has_room: Callable[[Sequence[GenerationRequest]], bool],
    ) -> Iterator[Sampled]:
        """As `batch`, by passes that these films share. has_room: whether some of them go together."""

        def sample(request: GenerationRequest, seat: Seat) -> Sampled:
            [film] = self.batch([request], run=run, seat=seat)
            return film

        transformer, puts_away = self.components.transformer, run.evicts_modulation
        try:
            with Together(transformer, loras=self.loras, has_room=has_room, puts_away=puts_away) as together:
                films = [together.add(partial(sample, request), size=request) for request in requests]
                yield from map(together.wait, films)
        finally:
            self.components.rest()

    def _made(
        self,
        batch: Sequence[GenerationRequest],
        *,
        run: RunSettings,
        seat: Seat | None,
        starts: Sequence[Start] | None,
    ) -> list[Sampled]:
        cache = StepCache.of(batch[0], model=self.components.name)
        with self.keeper.replay(batch) as replay:
            latents = self._denoised(batch, run=run, cache=cache, replay=replay, seat=seat, starts=starts)
        reports = cache.reports() if cache is not None else [None] * len(batch)
        films = list(zip(latents, reports, strict=True))
        self.keeper.keep(batch, films)
        return films

    def _denoised(
        self,
        batch: Sequence[GenerationRequest],
        *,
        run: RunSettings,
        cache: StepCache | None,
        replay: Replay,
        seat: Seat | None,
        starts: Sequence[Start] | None,
    ) -> Float[Tensor, "b c t h w"]:
        first, transformer = batch[0], self.components.transformer
        self.counter.advance("denoise", 0)
        sight = Sight(self.glances)
        transformer.chunk_tokens = run.chunk_tokens
        means = Means(
            evicts_modulation=run.evicts_modulation,
            cache=cache,
            record=replay.around,
            watch=sight.around,
            context=first.long.context_latents(first.num_frames),
            prepare=None if seat is None else seat.prepared,
        )

        def on_step() -> None:
            self.counter.advance("denoise", len(batch), is_found=replay.is_found, preview=sight.frames)

        bent = transformer.rope_tables.bent(first.long.bend(first.num_frames))
        channels = transformer.config.out_channels
        try:
            with within_memory(first), bent, (seat or self.loras).active(first.loras) as at_step:
                return denoise(
                    transformer,
                    prompts_of(batch, self.texts),
                    plan=Plan.of(first),
                    seeds=[request.seed for request in batch],
                    shape=latent_shape(first.sampled_frames, first.height, first.width, channels=channels),
                    starts=starts or starts_of(batch, replace(self.components, run=run)),
                    means=replace(means, at_step=at_step),
                    on_step=on_step,
                )
        finally:
            if seat is None:  # else the others go on
                self.components.rest()
