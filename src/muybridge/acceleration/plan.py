"""The fastest way to run a request that fits: every combination of a few choices, estimated, filtered, compared."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from muybridge.acceleration.device import Device
from muybridge.acceleration.estimate import Phases, estimate
from muybridge.acceleration.facts import Model, TextFacts, Work, block_bits
from muybridge.acceleration.memory import in_words
from muybridge.acceleration.quantise import SCHEMES
from muybridge.acceleration.quantise.schemes import check_scheme
from muybridge.acceleration.settings import RunSettings
from muybridge.core.errors import DoesNotFit, invalid
from muybridge.core.shapes import TEMPORAL_RATIO
from muybridge.ops.pieces import CHUNK_TOKENS

AS_FAST = 1.03  # estimates are no better than that
KEPT_FREE = 1.05  # of a peak: the rest is for what the estimate misses
SIZE_STEP_PX = 16  # sides of a film are multiples of it
DTYPES = {"cpu": ("float32", "bfloat16"), "cuda": ("bfloat16",)}  # the usual one first


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The most bytes to take of the device, and of the host beside an accelerator."""

    device_bytes: int
    host_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One way to run a request, and what it takes. changes: how its results differ from the plain ones, in words."""

    settings: RunSettings
    phases: Phases
    changes: tuple[str, ...]

    def fits(self, limits: Limits) -> bool:
        """Whether both peaks stay within the limits."""
        return self.share_of(limits) <= 1

    def share_of(self, limits: Limits) -> float:
        """Of the limit that is nearer, with something kept free."""
        device = self.phases.peak_bytes / max(1, limits.device_bytes)
        return KEPT_FREE * max(device, self.phases.host_bytes / max(1, limits.host_bytes))


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What was asked, what was chosen, and all that was looked at, the plainest first."""

    model: Model
    work: Work
    device: Device
    limits: Limits
    chosen: Candidate
    candidates: tuple[Candidate, ...]

    @property
    def settings(self) -> RunSettings:
        """The chosen ones."""
        return self.chosen.settings


def axes(device: Device, wanted: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The values of `RunSettings` that are tried, the plainest first; `wanted` says some of them already."""
    has_host = device.kind == "cuda"
    tried: dict[str, tuple[Any, ...]] = {
        "dtype": DTYPES[device.kind],
        "quantise": (None, *SCHEMES),
        "weights": ("device", "host", "disk") if has_host else ("device", "disk"),
        "evicts_modulation": (False, True),
        "text_weights": ("device", "host", "disk") if has_host else ("device", "disk"),
        "keeps_text": (True, False),
        "chunk_tokens": (CHUNK_TOKENS, CHUNK_TOKENS // 4),
        "vae_mode": ("whole", "exact", "spill", "stream", "tiled"),
    }
    check_run(RunSettings(**wanted), device.kind)
    return tried | {name: (value,) for name, value in wanted.items()}


def check_run(run: RunSettings, kind: str) -> None:
    """Raises InvalidInput on settings that make no sense on this kind of device, or not together."""
    check_quantised(run)
    if run.weights == "host" and kind == "cpu":
        rule = "on a CPU the host's memory is where they compute"
        raise invalid("weights=host", rule, "use device, or disk for less memory")


def check_quantised(run: RunSettings) -> None:
    """Raises InvalidInput on an unknown scheme of quantisation, and on any for blocks that wait on the disk."""
    if run.quantise is None:
        return
    check_scheme(run.quantise)
    if run.weights == "disk":
        rule = "blocks that wait on the disk are read as their file has them"
        remedy = "write a quantised file with `muybridge convert --quantise` and load that, or leave one out"
        raise invalid(f"quantise={run.quantise} with weights=disk", rule, remedy)


def check_text(text: TextFacts, run: RunSettings) -> None:
    """Raises InvalidInput where layers of a text encoder are to wait on the disk that has none such."""
    if run.text_weights == "disk" and not text.can_stream:
        raise invalid("text_weights=disk", "this model's text encoder is small and read whole", "leave it out")


def candidates(model: Model, work: Work, device: Device, *, wanted: Mapping[str, Any]) -> Iterator[Candidate]:
    """Every combination of the axes that there is, estimated."""
    check_text(model.text, RunSettings(**wanted))
    values = axes(device, wanted)
    usual = wanted.get("dtype") or DTYPES[device.kind][0]
    for chosen in product(*values.values()):
        settings = RunSettings(**dict(zip(values, chosen, strict=True)))
        if is_possible(model, settings):
            phases = estimate(model, work, settings, device)
            changed = tuple(changes(model, work, settings=settings, usual_dtype=usual))
            yield Candidate(settings=settings, phases=phases, changes=changed)


def is_possible(model: Model, settings: RunSettings) -> bool:
    """Whether a model can be run so: what waits on the disk is as its file has it, and some text is not in layers."""
    is_quantised_on_the_way = settings.weights == "disk" and settings.quantise is not None
    return not is_quantised_on_the_way and (settings.text_weights != "disk" or model.text.can_stream)


def changes(model: Model, work: Work, *, settings: RunSettings, usual_dtype: str) -> Iterator[str]:
    """What differs from the plain results, in words; nothing where they are exact."""
    if settings.dtype != usual_dtype:
        yield f"computes in {settings.dtype} instead of {usual_dtype}"
    if settings.quantise is not None:
        yield f"weights are rounded to {settings.quantise}, {block_bits(settings):.3g} bits"
    if settings.vae_mode == "tiled":
        yield "films are decoded in tiles, whose seams and norms differ"
    if settings.vae_mode == "stream" and model.vae.decoder_side().norm == "clip":
        yield "films are decoded with the norms of their beginning"
    if work.budget is not None:
        yield f"steps are predicted, {work.budget}"


def choose(
    model: Model, work: Work, device: Device, *, limits: Limits, wanted: Mapping[str, Any] | None = None
) -> Plan:
    """The fastest exact candidate that fits, else the fastest that fits.

    wanted: settings that are not to be chosen, by the names of `RunSettings`; what they change was asked for, and None
    is a value too. Raises DoesNotFit with the nearest length and size that fit, and InvalidInput where what is wanted
    cannot be.
    """
    found = tuple(candidates(model, work, device, wanted=wanted or {}))
    fitting = [each for each in found if each.fits(limits)]
    if not fitting:
        raise DoesNotFit(_too_much(model, work, device, limits=limits, found=found))
    return Plan(model=model, work=work, device=device, limits=limits, chosen=_best(fitting), candidates=found)


def alternatives(plan: Plan) -> Iterator[tuple[str, Any, Candidate]]:
    """For each choice that was not made, its name, its value, and the best with it: the least if none fits."""
    for name in axes(plan.device, {}):
        values = dict.fromkeys(getattr(each.settings, name) for each in plan.candidates)
        for value in values:
            if value != getattr(plan.settings, name):
                group = [each for each in plan.candidates if getattr(each.settings, name) == value]
                fitting = [each for each in group if each.fits(plan.limits)]
                yield name, value, _best(fitting) if fitting else min(group, key=lambda each: each.phases.peak_bytes)


def nearest(work: Work, fits: Callable[[Work], bool]) -> str:
    """Words for the longest film and the largest one, of about the same aspect, that fit instead of `work`."""
    shorter = (replace(work, num_frames=n) for n in range(work.num_frames - TEMPORAL_RATIO, 0, -TEMPORAL_RATIO))
    smaller = (replace(work, width=w, height=h) for w, h in _smaller_sizes(work.width, work.height))
    found = [next(filter(fits, changes), None) for changes in (shorter, smaller)]
    words = " or ".join(shape_words(each) for each in found if each is not None)
    return f"the nearest that fits is {words}" if words else "use a machine with more memory"


def shape_words(work: Work) -> str:
    """Size and length."""
    return f"{work.width}x{work.height} with {work.num_frames} frames"


def _best(fitting: Sequence[Candidate]) -> Candidate:
    """The plainest of the fastest of those with the fewest changes."""
    fewest = min(len(each.changes) for each in fitting)
    alike = [each for each in fitting if len(each.changes) == fewest]
    fastest = min(each.phases.seconds for each in alike)
    return next(each for each in alike if each.phases.seconds <= fastest * AS_FAST)


def _too_much(model: Model, work: Work, device: Device, *, limits: Limits, found: Sequence[Candidate]) -> str:
    """One line: what was asked, what it takes at least, and the nearest that fits in the way that takes the least."""
    least = min(found, key=lambda each: each.share_of(limits))

    def fits(change: Work) -> bool:
        return replace(least, phases=estimate(model, change, least.settings, device)).share_of(limits) <= 1

    is_device = least.phases.peak_bytes > limits.device_bytes / KEPT_FREE
    needed, free, where = (
        (least.phases.peak_bytes, limits.device_bytes, "memory")
        if is_device
        else (least.phases.host_bytes, limits.host_bytes, "the host's memory")
    )
    return (
        f"{shape_words(work)}: needs about {in_words(needed)} of {where} at the least, and {in_words(free)} may be "
        f"used; {nearest(work, fits)}."
    )


def _smaller_sizes(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Sizes of about the same aspect, from large to small."""
    step = SIZE_STEP_PX
    for new in range(max(width, height) - step, step - 1, -step):
        scale = new / max(width, height)
        yield max(step, int(width * scale) // step * step), max(step, int(height * scale) // step * step)
