"""A clip as a stage got it, and what the stage made of it, in one file: what `replay` compares with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from muybridge.core.errors import RunFailed
from muybridge.curation.clip import Clip, Origin, Sound, Value
from muybridge.curation.engine.rows import as_column
from muybridge.curation.stage import Stage
from muybridge.media.frames import digest_of

NOTE = "sample"  # one metadata key: safetensors writes several in any order, and equal samples shall be equal bytes
FRAMES = "frames"  # named beside the columns where the frames themselves differ


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What a stage got, and the columns (and digest of the frames) that it gave."""

    clip: Clip
    made: Mapping[str, Value]


def save_sample(before: Clip, after: Clip, stage: Stage, folder: Path) -> None:
    """Write FOLDER/samples/STAGE/ID.safetensors."""
    path = folder / "samples" / stage.name / f"{before.id}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {"frames": before.frames}
    known: dict[str, Any] = {
        "id": before.id,
        "start_s": before.start_s,
        "end_s": before.end_s,
        "fps": before.fps,
        "crop": before.crop,
        "values": {name: _exact(value) for name, value in before.values.items()},
        "origin": {name: getattr(before.origin, name) for name in Origin.__dataclass_fields__},
    }
    if before.sound is not None:
        tensors["sound"] = before.sound.samples
        known["rate_hz"] = before.sound.rate_hz
    note = json.dumps({"clip": known, "made": made_by(stage, after)}, sort_keys=True)
    save_file(tensors, path, metadata={NOTE: note})


def read_sample(path: Path) -> Sample:
    """The sample in a file. Raises RunFailed where it is damaged."""
    try:
        with safe_open(path, framework="numpy") as file:
            note = json.loads(file.metadata()[NOTE])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise RunFailed(f"{path}: is no sample ({error}); run again with samples.") from None
    known = note["clip"]
    rate_hz = known.pop("rate_hz", None)
    sound = None if rate_hz is None else Sound(samples=tensors["sound"], rate_hz=rate_hz)
    values = {name: _back(value) for name, value in known.pop("values").items()}
    crop, origin = tuple(known.pop("crop")), Origin(**known.pop("origin"))
    clip = Clip(**known, crop=crop, origin=origin, frames=tensors["frames"], sound=sound, values=values)
    return Sample(clip=clip, made={name: _back(value) for name, value in note["made"].items()})


def made_by(stage: Stage, after: Clip) -> dict[str, Value]:
    """What a stage gave: its columns as rows keep them, and its frames as their digest."""
    columns = {name: as_column(after.values[name], kind, name=name) for name, kind in stage.outputs.items()}
    return {**columns, FRAMES: digest_of(after.frames)}


def _exact(value: Any) -> Any:
    """As JSON holds it, to the last digit."""
    if isinstance(value, tuple | list):
        return [_exact(each) for each in value]
    return value.item() if hasattr(value, "item") else value


def _back(value: Any) -> Value:
    return tuple(value) if isinstance(value, list) else value
