"""How fast one model is on one machine: what films take, phase by phase, beside what was predicted of them."""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from muybridge.acceleration import duration
from muybridge.acceleration.device import LARGE, Device, rate_at
from muybridge.acceleration.estimate import Phases, estimate
from muybridge.acceleration.facts import Model, Work, vae_dtype
from muybridge.acceleration.footprint import LIBRARY_BYTES
from muybridge.acceleration.machine import AUTO
from muybridge.acceleration.settings import RunSettings
from muybridge.pipelines.fitting import SETTLED, fitted
from muybridge.pipelines.pipeline import Pipeline
from muybridge.pipelines.planning import work_of
from muybridge.pipelines.progress import OnProgress, Progress, Stage
from muybridge.pipelines.request import GenerationRequest
from muybridge.vae.cost import decode_flops

SPEED_PROMPT = "a brown horse gallops to the right over green grass"
MEASURED_STEPS = 3  # of a film; all others are like them


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """Operations, how many of them a second, and how much that is of what large ones reach on this machine."""

    flops: int
    flops_per_s: float
    of_ceiling: float


@dataclass(frozen=True, kw_only=True, slots=True)
class FilmSeconds:
    """One film. prepare: what the first step takes longer, such as tables of modulation, or compiling."""

    text: float
    prepare: float
    step: float
    decode: float

    def total(self, num_steps: int) -> float:
        """With all its steps."""
        return self.text + self.prepare + num_steps * self.step + self.decode


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """What was measured of a model, and predicted.

    first: the film for which the text encoder is loaded and kernels are chosen. usual: the median of those after it.
    peak_bytes: of the process; on an accelerator of what torch allocated there.
    """

    model: Model
    work: Work
    settings: RunSettings
    machine: Device
    load_s: float
    first: FilmSeconds
    usual: FilmSeconds
    peak_bytes: int

    @property
    def predicted(self) -> Phases:
        """By the planner, from the machine's rates."""
        return estimate(self.model, self.work, self.settings, self.machine)

    @property
    def predicted_evaluation_s(self) -> float:
        """Of the network, by the planner."""
        return duration.forward(self.model, self.work, self.settings, self.machine)

    @property
    def predicted_load_s(self) -> float:
        """Without the start of the program, which is not measured here."""
        return self.predicted.of("load").seconds - duration.START_S

    @property
    def predicted_peak_bytes(self) -> int:
        """Of what `peak_bytes` counts."""
        return self.predicted.peak_bytes - (LIBRARY_BYTES["cuda"] if self.machine.kind == "cuda" else 0)

    @property
    def evaluation_s(self) -> float:
        """One of the network."""
        return self.usual.step / self.work.passes

    @property
    def network(self) -> Share:
        """One evaluation; its share of the ceiling of matrix products is the MFU."""
        flops = sum(duration.operations(self.model, self.work, self.settings))
        ceiling = rate_at(self.machine.matmul, duration.multiplied_as(self.settings, self.machine), LARGE)
        return _share(flops, self.evaluation_s, ceiling=ceiling)

    @property
    def decoding(self) -> Share:
        """One film; its share is of the ceiling of convolutions."""
        work, mode = self.work, self.settings.vae_mode
        size = {"num_frames": work.num_frames, "height_px": work.height, "width_px": work.width}
        flops = decode_flops(self.model.vae, **size, mode=mode)
        ceiling = rate_at(self.machine.convolution, vae_dtype(self.settings, self.machine.kind), LARGE)
        return _share(flops, self.usual.decode, ceiling=ceiling)


def measure_speed(
    pipe: Pipeline,
    request: GenerationRequest,
    *,
    machine: Callable[[], Device],
    load_s: float,
    repeats: int,
    memory: str = AUTO,
    on_progress: OnProgress | None = None,
) -> Speed:
    """The speed of films like `request` with `pipe`, which took `load_s` to load.

    Makes 1 + `repeats` films, each of another prompt and of few steps: the rest of a film's time is more of the same.
    machine: measures where they are made, when their memory has been read. Raises what a pipeline raises.
    """
    model, device = pipe.components.facts, pipe.device
    run = fitted(model, request, pipe.components.run, settled=SETTLED, device=device, memory=memory)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    clocks = [_Clock(device, before=index, films=1 + repeats, tell=on_progress) for index in range(1 + repeats)]
    for index, clock in enumerate(clocks):
        for _film in pipe.stream([_short(request, index)], memory=memory, on_progress=clock):
            pass
    first, *others = (clock.film() for clock in clocks)
    peak_bytes = _peak_bytes(device)
    return Speed(
        model=model,
        work=work_of(request),
        settings=run,
        machine=machine(),
        load_s=load_s,
        first=first,
        usual=_median(others),
        peak_bytes=peak_bytes,
    )


class _Clock:
    """An `on_progress` that waits for the device and reads the time at every unit of one film's work."""

    def __init__(self, device: torch.device, *, before: int, films: int, tell: OnProgress | None) -> None:
        """`tell` hears of all `films` as of one work, of which `before` are finished."""
        self._device, self._before, self._films, self._tell = device, before, films, tell
        self._seconds: dict[Stage, list[float]] = {"text": [], "denoise": [], "decode": []}
        self._last_s = 0.0

    def __call__(self, progress: Progress) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now_s = time.perf_counter()
        if progress.done:  # 0 announces a stage
            self._seconds[progress.stage].append(now_s - self._last_s)
        if self._tell is not None:
            done = self._before * progress.total + progress.done
            self._tell(replace(progress, done=done, total=self._films * progress.total))
        self._last_s = time.perf_counter()

    def film(self) -> FilmSeconds:
        """What it took."""
        first, *later = self._seconds["denoise"]
        step = statistics.median(later or [first])
        return FilmSeconds(
            text=sum(self._seconds["text"]),
            prepare=max(0.0, first - step),
            step=step,
            decode=sum(self._seconds["decode"]),
        )


def _short(request: GenerationRequest, index: int) -> GenerationRequest:
    """A film of the same shape with a prompt of its own, whose text is not known yet."""
    steps = min(MEASURED_STEPS, request.num_steps)
    return replace(request, prompt=f"{request.prompt}, {index}", num_steps=steps)


def _median(films: Sequence[FilmSeconds]) -> FilmSeconds:
    """Of each phase by itself."""
    return FilmSeconds(
        text=statistics.median(film.text for film in films),
        prepare=statistics.median(film.prepare for film in films),
        step=statistics.median(film.step for film in films),
        decode=statistics.median(film.decode for film in films),
    )


def _share(flops: int, seconds: float, *, ceiling: float) -> Share:
    rate = flops / max(seconds, 1e-9)
    return Share(flops=flops, flops_per_s=rate, of_ceiling=rate / ceiling)


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
