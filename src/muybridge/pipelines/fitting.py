"""How a request is run: plainly where that fits into memory, else the fastest exact way that does."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from muybridge.acceleration import footprint
from muybridge.acceleration.estimate import estimate
from muybridge.acceleration.explain import choice_words
from muybridge.acceleration.facts import Model
from muybridge.acceleration.machine import AUTO, device_here, limits_of
from muybridge.acceleration.plan import Candidate, check_run
from muybridge.acceleration.settings import RunSettings
from muybridge.core.config import to_dict
from muybridge.core.errors import DoesNotFit
from muybridge.ops.pieces import CHUNK_TOKENS
from muybridge.pipelines.planning import planned, work_of
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.settings import Defaults, Settings

SETTLED = ("dtype", "quantise", "weights", "text_weights", "attention", "compiles")  # when a model has been loaded


@dataclass(frozen=True, kw_only=True, slots=True)
class RunChoice:
    """What decides how a model is run, once the model is known.

    films: the choices that the films will be made with; those left out are the model's own. memory: the most to use of
    the device, such as 12GiB; "auto" is what is free. wanted: values by the names of `RunSettings` that are settled.
    """

    films: Settings = field(default_factory=Settings)
    memory: str = AUTO
    wanted: Mapping[str, Any] = field(default_factory=dict)

    def settle(self, model: Model, defaults: Defaults, *, dtype: str, device: torch.device) -> RunSettings:
        """The settings of this model on this device. Raises DoesNotFit, and InvalidInput on a value that is none."""
        films = replace(self.films, seed=0, loras=None)
        [request] = films.requests(["any"], defaults)
        wanted = {name: value for name, value in self.wanted.items() if value is not None}
        plain = replace(plain_run(dtype=dtype, device=device), **wanted)
        check_run(plain, device.type)
        return fitted(model, request, plain, settled=("dtype", *wanted), device=device, memory=self.memory)


def plain_run(*, dtype: str, device: torch.device) -> RunSettings:
    """Everything on the device, every result exact. On a CPU modulation leaves memory, as the file has it still."""
    return RunSettings(dtype=dtype, chunk_tokens=CHUNK_TOKENS, evicts_modulation=device.type == "cpu")


def unusual(run: RunSettings, *, device: torch.device) -> list[str]:
    """In words, what is not as `plain_run` has it."""
    plain = plain_run(dtype=run.dtype or "float32", device=device)
    names = [name for name, value in to_dict(run).items() if value != getattr(plain, name)]
    return [choice_words(name, getattr(run, name)) for name in names]


def fitted(
    model: Model,
    request: GenerationRequest,
    plain: RunSettings,
    *,
    settled: Collection[str],
    device: torch.device,
    memory: str = AUTO,
) -> RunSettings:
    """`plain` where that fits; else the fastest exact way that keeps the settled fields; else the fastest of all.

    So a machine's speed has no part in a film that fits. Raises DoesNotFit with the nearest length and size that fit.
    """
    if fits(model, request, plain, device=device, memory=memory):
        return plain
    kept = {name: getattr(plain, name) for name in settled}
    return planned(model, request, device=device, memory=memory, wanted=kept).settings


def fits(
    model: Model,
    request: GenerationRequest,
    run: RunSettings,
    *,
    batch_size: int = 1,
    device: torch.device,
    memory: str = AUTO,
) -> bool:
    """Whether `batch_size` such films fit when they are run exactly so."""
    machine = device_here(device)
    limits, work = limits_of(machine, memory=memory), work_of(request, batch_size=batch_size)
    found = Candidate(settings=run, phases=estimate(model, work, run, machine), changes=())
    return found.fits(limits)


def work_bytes(model: Model, request: GenerationRequest, run: RunSettings) -> int:
    """The peak of one film beside all weights: of denoising or of decoding, which follow each other."""
    phases = (phase(model, work_of(request), run) for phase in (footprint.denoise, footprint.decode))
    return max(sum(parts.values()) for parts in phases)


@contextmanager
def within_memory(request: GenerationRequest) -> Iterator[None]:
    """Raises DoesNotFit where the device's memory runs out inside, whatever was planned."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        given = f"{request.width}x{request.height}, {request.num_frames} frames"
        reason = str(error).splitlines()[0]
        raise DoesNotFit(f"{given}: ran out of memory ({reason}); use fewer frames or a smaller size.") from None
