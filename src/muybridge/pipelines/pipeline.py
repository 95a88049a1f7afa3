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
from muybridge.core.errors import invalid
from muybridge.media.frames import Frames
from muybridge.pipelines.batches import Bench, Shared, Texts
from muybridge.pipelines.coding import decoded
from muybridge.pipelines.components import Components
from muybridge.pipelines.conditions.film import Direction
from muybridge.pipelines.conditions.pictured import check_picture, seen_picture
from muybridge.pipelines.conditions.starting import check_media
from muybridge.pipelines.long.film import Switch
from muybridge.pipelines.long.reel import Reel
from muybridge.pipelines.long.windows import num_windows
from muybridge.pipelines.lora_use import LoraUse
from muybridge.pipelines.loras import LoraShelf
from muybridge.pipelines.preview import Glances
from muybridge.pipelines.production import Production
from muybridge.pipelines.progress import Counter, OnProgress
from muybridge.pipelines.prompting.encoding import FilmTexts, encode_texts
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.result import Video
from muybridge.pipelines.resume.folder import ResumeFolder, machine
from muybridge.pipelines.resume.keeper import Keeper
from muybridge.pipelines.sampling import Sampling
from muybridge.pipelines.settings import Prompt, Settings, settings_of
from muybridge.pipelines.step_cache import StepCache
from muybridge.vae import modes


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
        prompt: Prompt | Sequence[Prompt],
        *,
        negative: str | None = None,
        size: str | None = None,
        aspect: str | None = None,
        frames: int | None = None,
        seconds: float | None = None,
        fps: int | None = None,
        steps: int | None = None,
        shift: float | None = None,
        guidance: float | str | None = None,
        cfg: float | str | None = None,
        rescale: float | None = None,
        cfg_zero_star: bool | None = None,
        zero_steps: int | None = None,
        camera: str | None = None,
        prompt_at: Mapping[int | float | str, str] | None = None,
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
        window: int | None = None,
        context: int | None = None,
        riflex: Switch | None = None,
        memory: str | None = None,
        resume_dir: Path | str | None = None,
        together: bool | None = None,
        bits: int = 8,
        on_progress: OnProgress | None = None,
    ) -> Video | list[Video]:
        """A film from a sentence, or a list of films from a list; what is not given is the model's own default.

        The words in "(a red ball:1.3) on grass" weigh more; {0: "a meadow", 1.5: "a beach"}, or prompt_at={1.5: "a
        beach"}, gives way to the next prompt. negative: what classifier-free guidance (cfg above 1) turns away from.
        size: "WIDTHxHEIGHT" in px, "540p" or "720p", the presets with an aspect such as "9:16". frames: 4n+1, 1 for a
        picture; or seconds. guidance: the embedded kind. Both are numbers or schedules such as "1-6" or "6@0.2-0.8"
        (`flow.schedules`); rescale, cfg_zero_star and zero_steps keep cfg from burning (`flow.guidance`). camera: a
        movement such as "pan_left", said in the words of the training. seed: one (film i of a list gets seed + i) or
        one for each; left out, drawn and recorded in `.settings`.
        loras: each a LoraUse or "FILE[:WEIGHT][@BLOCKS][#STEPS]", swapped from call to call without loading anew.
        steady: averages frames along their motion, against flicker; 0 is off. quality: "psnr>=32", the least likeness
        to the film of all steps, or speed: "2x", so many times fewer network evaluations: the steps between are
        predicted, and `.settings["cache"]` says what it came to. memory: "12GiB", the most to use.

        What a film is made from, as `FilmConditions` says, is a path, a PIL image, an array, a tensor or a `Video`:
        image and last_image are its ends, keyframes {frame or seconds: picture}; video is made anew at a strength, or
        where mask is white; extend is continued, forwards or backwards, over an overlap; loop: its end meets its start.
        dynamic: more motion from weights that were made for pictures. Without a size the film takes the aspect of what
        is given. Beyond the trained length, as `LongFilm` says: window frames at a time, each window going on from the
        last; or whole, through context frames at a time; and riflex.

        resume_dir: a folder that keeps what is computed until the film is saved; if this is stopped, the same call goes
        on from there and makes the same film. together: films of different sizes, lengths, steps, guidance and LoRAs
        share the passes of the network; left out, where that is faster. bits: 10 keeps pixels fine enough for `save`
        with as many. on_progress: called with a `Progress`; if it raises, the work stops.

        The same request gives the same latents alone, in a list and in any order: bitwise on a CPU. Raises InvalidInput
        on a value that breaks a rule and DoesNotFit where memory would not do, both before the work starts.
        """
        chosen = locals()
        is_one = isinstance(prompt, (str, Mapping))
        prompts = [prompt] if is_one else _checked_list(prompt)
        settings = Settings.of(chosen)
        requests = self.requests(prompts, settings, resume_dir=resume_dir)
        stream = self.stream(
            requests,
            memory=memory,
            resume_dir=resume_dir,
            together=together,
            bits=bits,
            on_progress=on_progress,
        )
        films = list(stream)
        return films[0] if is_one else films

    def requests(
        self, prompts: Sequence[Prompt], settings: Settings, *, resume_dir: Path | str | None = None
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
        self._runs(requests, self.bench(memory))

    def _runs(self, requests: Sequence[GenerationRequest], bench: Bench) -> dict[Shared, RunSettings]:
        """How the requests are run, decided once for a call; raises as `check`."""
        for request in requests:
            self._check_guidance(request)
            StepCache.of(request, model=self.name)
            self._loras.check(request.loras)
            check_media(request)
            check_picture(request, self.components)
        return bench.runs(requests)

    def stream(
        self,
        requests: Sequence[GenerationRequest],
        *,
        memory: str | None = None,
        resume_dir: Path | str | None = None,
        together: bool | None = None,
        bits: int = 8,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Video]:
        """The films of the requests, in order, each as soon as it is finished. together: as in `__call__`."""
        films = self.reels(
            requests,
            memory=memory,
            resume_dir=resume_dir,
            together=together,
            bits=bits,
            on_progress=on_progress,
        )
        return (film.video(bits=bits) if isinstance(film, Reel) else film for film in films)

    def reels(
        self,
        requests: Sequence[GenerationRequest],
        *,
        memory: str | None = None,
        resume_dir: Path | str | None = None,
        together: bool | None = None,
        bits: int = 8,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Video | Reel]:
        """As `stream`, but films of several windows are not made before they are read, or saved; use each in turn."""
        bench = self.bench(memory)
        runs = self._runs(requests, bench)
        steps = sum(request.steps_taken * num_windows(request) for request in requests)
        counter = Counter(on_progress, {"text": len(requests), "denoise": steps, "decode": len(requests)})
        sampling = Sampling(
            components=self.components,
            loras=self._loras,
            glances=self.glances,
            texts=self._texts(requests, counter),
            keeper=self.keeper(resume_dir),
            counter=counter,
        )
        if not all(run.keeps_text for run in runs.values()):
            self.components.text.release()
        production = Production(
            sampling=sampling, bench=bench, runs=runs, settings_of=self.settings_of, together=together, bits=bits
        )
        yield from production.films(requests)

    def frames(
        self,
        prompt: Prompt,
        settings: Settings = Settings(),  # noqa: B008 (frozen)
        *,
        memory: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Frames]:
        """The frames of one film, uint8 (t, h, w, 3), a few at a time as they come: of any length in constant memory.

        A film that is not made window by window comes as one.
        """
        [request] = self.requests([prompt], settings)
        [film] = self.reels([request], memory=memory, on_progress=on_progress)
        return iter(film) if isinstance(film, Reel) else iter((film.pixels,))

    def decode(
        self, latents: Float[Tensor, "b c t h w"], *, mode: modes.Mode | None = None
    ) -> Float[Tensor, "b 3 f y x"]:
        """Pixels of latents, as `pipelines.coding.decoded`."""
        return decoded(self.components, latents, mode=mode)

    def _texts(self, requests: Sequence[GenerationRequest], counter: Counter) -> Texts:
        """States of all that the requests say."""
        texts: dict[GenerationRequest, FilmTexts] = {}
        counter.advance("text", 0)
        for request in requests:
            if request not in texts:
                texts[request] = encode_texts(
                    self.components.text,
                    request,
                    cameras=self.components.defaults.cameras,
                    picture=seen_picture(request, self.components),
                )
            counter.advance("text")
        return texts

    def _check_guidance(self, request: GenerationRequest) -> None:
        has_guidance = self.components.transformer.config.has_guidance
        if has_guidance and request.guidance is None:
            raise invalid("guidance=None", f"the weights of {self.name} need the embedded guidance", "use 6")
        if not has_guidance and request.guidance is not None:
            rule = f"the weights of {self.name} have no guidance embedding"
            raise invalid(f"guidance={request.guidance}", rule, "leave it out, or use cfg")


def _checked_list(prompts: Any) -> list[Prompt]:
    if not isinstance(prompts, Sequence) or not prompts:
        raise invalid(f"prompt={prompts!r}", "needs a sentence, or a list of at least one", "say what to show")
    return list(prompts)
