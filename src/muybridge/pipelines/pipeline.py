"""From requests to finished films and pictures, whatever the task: a task is a condition.   Paper 4, 5.1."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.acceleration.machine import AUTO
from muybridge.acceleration.settings import RunSettings
from muybridge.core.errors import DoesNotFit, invalid
from muybridge.core.shapes import latent_shape
from muybridge.media.frames import to_uint8
from muybridge.pipelines.batches import Bench, Texts, prompts_of, shared, text_frames
from muybridge.pipelines.components import Components
from muybridge.pipelines.conditions.film import Direction
from muybridge.pipelines.conditions.finishing import decodable, finished
from muybridge.pipelines.conditions.pictured import check_picture
from muybridge.pipelines.conditions.starting import check_media, starts_of
from muybridge.pipelines.denoise import Means, Plan, denoise
from muybridge.pipelines.lora_use import LoraUse
from muybridge.pipelines.loras import LoraShelf
from muybridge.pipelines.preview import Glances, Sight
from muybridge.pipelines.progress import Counter, OnProgress
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.result import Video
from muybridge.pipelines.resume.folder import ResumeFolder, machine
from muybridge.pipelines.resume.keeper import Keeper, Sampled
from muybridge.pipelines.resume.record import Replay
from muybridge.pipelines.settings import Settings, settings_of
from muybridge.pipelines.step_cache import StepCache
from muybridge.text.encoder import TextStates
from muybridge.vae import modes, to_vae
from muybridge.vae.steady import steadied


class Pipeline:
    """The networks of one model, ready to make films; `muybridge.load` makes it."""

    def __init__(self, components: Components) -> None:
        self.components = components
        self._loras = LoraShelf(components.transformer)
        self.glances = Glances(components.vae, identity=components.weights.get("vae"))

    @property
    def name(self) -> str:
        """The model's name, as `muybridge.load` was given it."""
        return self.components.name

    @property
    def device(self) -> torch.device:
        """Where the transformer computes."""
        return self.components.transformer.device

    def __call__(
        self,
        prompt: str | Sequence[str],
        *,
        negative: str | None = None,
        size: str | None = None,
        aspect: str | None = None,
        frames: int | None = None,
        fps: int | None = None,
        steps: int | None = None,
        shift: float | None = None,
        guidance: float | None = None,
        cfg: float | None = None,
        seed: int | Sequence[int] | None = None,
        sampler: str | None = None,
        loras: Sequence[LoraUse | str] | None = None,
        steady: float | None = None,
        quality: str | None = None,
        speed: str | None = None,
        image: Any = None,
        last_image: Any = None,
        keyframes: Mapping[int | float | str, Any] | None = None,
        video: Any = None,
        strength: float | None = None,
        mask: Any = None,
        extend: Any = None,
        direction: Direction | None = None,
        overlap: int | None = None,
        loop: bool | None = None,
        dynamic: bool | None = None,
        memory: str | None = None,
        resume_dir: Path | str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Video | list[Video]:
        """A film from a sentence, or a list of films from a list; what is not given is the model's own default.

        negative: what classifier-free guidance (cfg above 1) turns away from. size: "WIDTHxHEIGHT" in px, "540p" or
        "720p", the presets with an aspect such as "9:16". frames: 4n+1, 1 for a picture. guidance: the embedded kind.
        seed: one (film i of a list gets seed + i) or one for each; left out, drawn and recorded in `.settings`.
        loras: each a LoraUse or "FILE[:WEIGHT][@BLOCKS][#STEPS]", swapped from call to call without loading anew.
        steady: averages frames along their motion, against flicker; 0 is off. quality: "psnr>=32", the least likeness
        to the film of all steps, or speed: "2x", so many times fewer network evaluations: the steps between are
        predicted, and `.settings["cache"]` says what it came to. memory: "12GiB", the most to use.

        What a film is made from, as `FilmConditions` says, is a path, a PIL image, an array, a tensor or a `Video`:
        image and last_image are its ends, keyframes {frame or seconds: picture}; video is made anew at a strength, or
        where mask is white; extend is continued, forwards or backwards, over an overlap; loop: its end meets its start.
        dynamic: more motion from weights that were made for pictures.
        Without a size the film takes the aspect of what is given.

        resume_dir: a folder that keeps what is computed until the film is saved; if this is stopped, the same call goes
        on from there and makes the same film. on_progress: called with a `Progress`; if it raises, the work stops.

        The same request gives the same latents alone, in a list and in any order: bitwise on a CPU. Raises InvalidInput
        on a value that breaks a rule and DoesNotFit where memory would not do, both before the work starts.
        """
        chosen = locals()
        prompts = [prompt] if isinstance(prompt, str) else _checked_list(prompt)
        settings = Settings.of(chosen)
        requests = self.requests(prompts, settings, resume_dir=resume_dir)
        films = list(self.stream(requests, memory=memory, resume_dir=resume_dir, on_progress=on_progress))
        return films[0] if isinstance(prompt, str) else films

    def requests(
        self, prompts: Sequence[str], settings: Settings, *, resume_dir: Path | str | None = None
    ) -> list[GenerationRequest]:
        """One checked request for each prompt, the model's defaults where nothing was chosen, LoRAs with their hash.

        resume_dir: where no seed is chosen, the folder's own, so that the same call gives the same requests.
        """
        if resume_dir is not None and settings.seed is None:
            settings = replace(settings, seed=ResumeFolder(resume_dir).seed())
        settings = settings.identified()
        if settings.loras:
            settings = replace(settings, loras=tuple(map(self._loras.identified, settings.loras)))
        return settings.requests(prompts, self.components.defaults)

    def settings_of(self, request: GenerationRequest) -> dict[str, Any]:
        """All that repeats the request: its own settings, the model, its weights and the versions in use."""
        return settings_of(request) | self.components.provenance()

    def check_same_weights(self, record: Mapping[str, Any], *, without: Collection[str] = ()) -> None:
        """Raises InvalidInput where the recorded settings of a result name other weights than these.

        without: parts that may be others.
        """
        recorded = record.get("weights", {})
        for part, identity in self.components.weights.items():
            if part not in without and isinstance(recorded, dict) and recorded.get(part, identity) != identity:
                rule = f"the result was made with {recorded[part][:12]}..., these are {identity[:12]}..."
                raise invalid(f"{part} of {self.name}", rule, "name the model to use these all the same")

    def bench(self, memory: str | None = None) -> Bench:
        """Where these networks make films, with at most this memory."""
        components = self.components
        return Bench(facts=components.facts, plain=components.run, device=self.device, memory=memory or AUTO)

    def keeper(self, resume_dir: Path | str | None) -> Keeper:
        """What keeps the films of these networks in a folder while they are made. Raises InvalidInput."""
        here = machine(self.device)
        folder = None if resume_dir is None else ResumeFolder(resume_dir)
        return Keeper(folder, lambda request: self.settings_of(request) | {"machine": here})

    def check(self, requests: Sequence[GenerationRequest], *, memory: str | None = None) -> None:
        """Raises DoesNotFit, or InvalidInput where the weights cannot do a request, before anything is computed."""
        for request in requests:
            self._check_guidance(request)
            StepCache.of(request, model=self.name)
            self._loras.check(request.loras)
            check_media(request)
            check_picture(request, self.components)
        self.bench(memory).runs(requests)

    def stream(
        self,
        requests: Sequence[GenerationRequest],
        *,
        memory: str | None = None,
        resume_dir: Path | str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Video]:
        """The films of the requests, in order, each as soon as it is finished."""
        self.check(requests, memory=memory)
        keeper = self.keeper(resume_dir)
        steps = sum(request.steps_taken for request in requests)
        counter = Counter(on_progress, {"text": len(requests), "denoise": steps, "decode": len(requests)})
        bench = self.bench(memory)
        runs = bench.runs(requests)
        texts = self._encode(requests, counter)
        if not all(run.keeps_text for run in runs.values()):
            self.components.text.release()
        for batch in bench.batches(requests, runs):
            run = runs[shared(batch[0])]
            sampled = self._sampled(batch, texts, run=run, keeper=keeper, counter=counter)
            for request, (latents, report) in zip(batch, sampled, strict=True):
                film = self._finish(request, latents, run=run, report=report, counter=counter)
                yield replace(film, on_saved=keeper.on_saved(request))

    @torch.inference_mode()
    def decode(
        self, latents: Float[Tensor, "b c t h w"], *, mode: modes.Mode | None = None
    ) -> Float[Tensor, "b 3 f y x"]:
        """Pixels, nominally in [-1, 1], float32, of latents at the transformer's scale; one film at a time.

        mode: one of `vae.modes`; left out, the model's.
        """
        vae, run = self.components.vae, self.components.run
        unscaled = to_vae(latents, vae.config).to(next(vae.parameters()))
        return modes.decode(vae, unscaled, mode=mode or run.vae_mode, tiling=self.components.tiling).float()

    def _encode(self, requests: Sequence[GenerationRequest], counter: Counter) -> dict[tuple[str, int], TextStates]:
        """States of every prompt and negative prompt, each encoded alone, once."""
        texts: dict[tuple[str, int], TextStates] = {}
        counter.advance("text", 0)
        for request in requests:
            wanted = [request.prompt] + ([request.negative_prompt] if request.cfg != 1 else [])
            for key in ((prompt, text_frames(request)) for prompt in wanted):
                if key not in texts:
                    texts[key] = self.components.text.encode([key[0]], num_frames=key[1])
            counter.advance("text")
        return texts

    def _sampled(
        self, batch: Sequence[GenerationRequest], texts: Texts, *, run: RunSettings, keeper: Keeper, counter: Counter
    ) -> Iterator[Sampled]:
        """Of each film its latents, and what its step cache reports: as they were kept, or made now."""
        found = keeper.found(batch)
        missing = [request for request, known in zip(batch, found, strict=True) if known is None]
        num_found = (len(batch) - len(missing)) * batch[0].steps_taken
        counter.advance("denoise", num_found, is_found=num_found > 0)
        made: Iterator[Sampled] = iter(())
        if missing:
            cache = StepCache.of(batch[0], model=self.name)
            with keeper.replay(missing) as replay:
                latents = self._denoise(missing, texts, run=run, cache=cache, replay=replay, counter=counter)
            reports = cache.reports() if cache is not None else [None] * len(missing)
            films = list(zip(latents, reports, strict=True))
            keeper.keep(missing, films)
            made = iter(films)
        return (next(made) if known is None else known for known in found)

    def _denoise(
        self,
        batch: Sequence[GenerationRequest],
        texts: Texts,
        *,
        run: RunSettings,
        cache: StepCache | None,
        replay: Replay,
        counter: Counter,
    ) -> Float[Tensor, "b c t h w"]:
        first = batch[0]
        channels = self.components.transformer.config.out_channels
        counter.advance("denoise", 0)
        sight = Sight(self.glances)
        self.components.transformer.chunk_tokens = run.chunk_tokens

        def on_step() -> None:
            counter.advance("denoise", len(batch), is_found=replay.is_found, preview=sight.frames)

        with self._loras.active(first.loras) as at_step:
            try:
                return denoise(
                    self.components.transformer,
                    prompts_of(batch, texts),
                    plan=Plan.of(first),
                    seeds=[request.seed for request in batch],
                    shape=latent_shape(first.sampled_frames, first.height, first.width, channels=channels),
                    starts=starts_of(batch, replace(self.components, run=run)),
                    means=Means(
                        evicts_modulation=run.evicts_modulation,
                        at_step=at_step,
                        cache=cache,
                        record=replay.around,
                        watch=sight.around,
                    ),
                    on_step=on_step,
                )
            except torch.OutOfMemoryError as error:
                raise _too_large(first, error) from None
            finally:
                self.components.rest()

    def _finish(
        self,
        request: GenerationRequest,
        latents: Float[Tensor, "c t h w"],
        *,
        run: RunSettings,
        report: Mapping[str, Any] | None,
        counter: Counter,
    ) -> Video:
        counter.advance("decode", 0)
        try:
            pixels = self.decode(decodable(request, latents)[None], mode=run.vae_mode)
            decoded = to_uint8(steadied(pixels, request.steady)[0])
        except torch.OutOfMemoryError as error:
            raise _too_large(request, error) from None
        pixels = finished(request, decoded)
        counter.advance("decode")
        cached = {} if report is None else {"cache": dict(report)}
        settings = self.settings_of(request) | cached
        return Video(pixels=pixels, fps=request.fps, settings=settings, latents=latents.float().cpu().clone())

    def _check_guidance(self, request: GenerationRequest) -> None:
        has_guidance = self.components.transformer.config.has_guidance
        if has_guidance and request.guidance is None:
            raise invalid("guidance=None", f"the weights of {self.name} need the embedded guidance", "use 6")
        if not has_guidance and request.guidance is not None:
            rule = f"the weights of {self.name} have no guidance embedding"
            raise invalid(f"guidance={request.guidance}", rule, "leave it out, or use cfg")


def _checked_list(prompts: Sequence[str]) -> list[str]:
    if not isinstance(prompts, Sequence) or not prompts:
        raise invalid(f"prompt={prompts!r}", "needs a sentence, or a list of at least one", "say what to show")
    return list(prompts)


def _too_large(request: GenerationRequest, error: Exception) -> DoesNotFit:
    given = f"{request.width}x{request.height}, {request.num_frames} frames"
    return DoesNotFit(f"{given}: ran out of memory ({str(error).splitlines()[0]}); use fewer frames or a smaller size.")
