"""What a request takes under one setting: peak memory and time of each phase, composed from closed forms."""

from collections.abc import Mapping
from dataclasses import dataclass

from muybridge.acceleration import duration, footprint
from muybridge.acceleration.device import Device
from muybridge.acceleration.facts import Model, Work
from muybridge.acceleration.settings import RunSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """Peak and duration of one phase. parts: bytes on the device by what they are."""

    name: str
    parts: Mapping[str, int]
    seconds: float

    @property
    def num_bytes(self) -> int:
        """The peak on the device."""
        return sum(self.parts.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Phases:
    """Load, text, denoise and decode, one after the other. host_bytes: the peak on the host beside an accelerator."""

    phases: tuple[Phase, ...]
    host_bytes: int

    @property
    def peak_bytes(self) -> int:
        """The largest peak on the device."""
        return max(phase.num_bytes for phase in self.phases)

    @property
    def seconds(self) -> float:
        """From the command to the film."""
        return sum(phase.seconds for phase in self.phases)

    def of(self, name: str) -> Phase:
        """The phase of that name."""
        return next(phase for phase in self.phases if phase.name == name)


def estimate(model: Model, work: Work, settings: RunSettings, device: Device) -> Phases:
    """Every phase of the request under these settings, whose `dtype` must be given."""
    always = footprint.always(model, settings, device)
    encoder = {"text encoder": footprint.text_resident_bytes(model, settings, kind=device.kind)}
    layers = {"layers on their way": footprint.text_lane_bytes(model, settings)}
    blocks = {"blocks on their way": footprint.lane_bytes(model, settings)}
    beside = always | encoder if settings.keeps_text else always
    phases = {
        "load": (always, duration.load(model, settings, device)),
        "text": (always | encoder | layers, duration.text(model, settings, device)),
        "denoise": (
            beside | blocks | footprint.denoise(model, work, settings),
            duration.denoise(model, work, settings, device),
        ),
        "decode": (
            beside | footprint.decode(model, work, settings, kind=device.kind),
            duration.decode(model, work, settings, device),
        ),
    }
    return Phases(
        phases=tuple(Phase(name=name, parts=parts, seconds=seconds) for name, (parts, seconds) in phases.items()),
        host_bytes=footprint.host(model, work, settings, device),
    )
