"""What was measured of a clip, as a captioner uses it: told to the model, and in the end above what the model says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from muybridge.captioning.captioner import ClipView
from muybridge.captioning.schema import CHOICES, QUALITIES
from muybridge.curation.clip import Value
from muybridge.worlds.structured import UNKNOWN, StructuredCaption

CONFIDENT = (
    0.8  # of the camera classifier, from where its class stands (convention; the paper adds only confident ones)
)
GOOD, FAIR = 0.6, 0.3  # technical quality, 0 to 1, from where it is called high and medium (convention)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The measured fields of a caption, None where nothing sure was measured, and sentences that a model is told."""

    camera: str | None
    source: str | None
    quality: str | None
    told: tuple[str, ...]

    def imposed(self, caption: StructuredCaption) -> StructuredCaption:
        """The caption with the measured fields in place of the model's."""
        known = {name: value for name in CHOICES if (value := getattr(self, name)) is not None}
        return replace(caption, **known)


def measured(view: ClipView) -> Facts:
    """What the columns of a clip say for sure."""
    columns = view.columns
    camera = UNKNOWN if view.is_picture else _camera(columns)
    told = [f"It lasts {view.duration_s:.1f} seconds." if not view.is_picture else "It is a still picture."]
    if camera in CHOICES["camera"][:-1]:
        told.append(f"The camera movement was measured: {camera}.")
    if (people := number(columns, "num_people")) is not None:
        told.append(f"People detected: {people:.0f}.")
    if isinstance(texts := columns.get("text"), tuple) and texts:
        told.append(f"Text in the picture: {' | '.join(' '.join(str(each).split()) for each in texts)[:200]}.")
    if isinstance(kind := columns.get("sound_kind"), str):
        told.append(f"Its sound: {kind}.")
    source = "still picture" if view.is_picture else None
    return Facts(camera=camera, source=source, quality=_quality(columns), told=tuple(told))


def number(columns: Mapping[str, Value], name: str) -> float | None:
    """A column's number; None where it is not there or is none."""
    value = columns.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _camera(columns: Mapping[str, Value]) -> str | None:
    is_sure = (number(columns, "camera_confidence") or 0.0) >= CONFIDENT
    said = columns.get("camera")
    return str(said) if is_sure and said in CHOICES["camera"] else None


def _quality(columns: Mapping[str, Value]) -> str | None:
    technical = number(columns, "technical")
    if technical is None:
        return None
    return QUALITIES[0 if technical >= GOOD else 1 if technical >= FAIR else 2]
