"""Data sets described in TOML, as musubi-tuner and diffusion-pipe have them: what they say, in our settings.

Keys that are about those programs' own work (caches, batch sizes, masks) are named in the remarks, not followed.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.core.errors import InvalidInput, invalid
from muybridge.data.buckets import MULTIPLE_PX, BucketsConfig
from muybridge.data.folders import FolderConfig

MUSUBI_FPS = 24.0  # to which musubi-tuner brings films whose source_fps is given, for HunyuanVideo
MUSUBI_PLACES = ("video_directory", "image_directory", "video_jsonl_file", "image_jsonl_file")
MUSUBI_KEYS = {
    *MUSUBI_PLACES, "resolution", "caption_extension", "num_repeats", "enable_bucket", "bucket_no_upscale",
    "target_frames", "frame_extraction", "frame_stride", "frame_sample", "max_frames", "source_fps",
}  # fmt: skip
PIPE_KEYS = {
    "path", "num_repeats", "resolutions", "enable_ar_bucket", "min_ar", "max_ar", "num_ar_buckets", "frame_buckets",
    "caption_prefix", "directory",
}  # fmt: skip
Settings = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """One place that a description names: a folder or a table, how it is read, its buckets."""

    place: Path
    folder: FolderConfig
    buckets: BucketsConfig


def read_toml(path: Path, base: BucketsConfig) -> tuple[list[Described], list[str]]:
    """The places in a description, `base` where it leaves something open, and remarks on keys that are not followed.

    Relative places are looked for beside the file. Raises InvalidInput where it is not TOML or neither program's.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"{path}: not TOML ({error}); mend it.") from None
    if isinstance(values.get("datasets"), list):
        general = values.get("general", {})
        layers = [{**general, **entry} for entry in values["datasets"]]
        described = [_musubi(layer, path, base) for layer in layers]
        return described, _remarks(path, layers, MUSUBI_KEYS)
    if isinstance(values.get("directory"), list):
        general = {name: value for name, value in values.items() if name != "directory"}
        layers = [{**general, **entry} for entry in values["directory"]]
        return [_pipe(layer, path, base) for layer in layers], _remarks(path, layers, PIPE_KEYS)
    rule = "has neither [[datasets]] (musubi-tuner) nor [[directory]] (diffusion-pipe)"
    raise invalid(str(path), rule, "give a data set's description, or a folder")


def _musubi(settings: Settings, path: Path, base: BucketsConfig) -> Described:
    place = next((settings[name] for name in MUSUBI_PLACES if name in settings), None)
    if not isinstance(place, str):
        raise invalid(f"{path}: a [[datasets]] entry", f"needs one of {', '.join(MUSUBI_PLACES)}", "add it")
    is_film = "video_directory" in settings or "video_jsonl_file" in settings
    lengths = _target_frames(settings) if is_film else (1,)
    extraction = settings.get("frame_extraction", "head") if is_film else "head"
    return _described(
        path, place,
        folder={"caption_suffix": settings.get("caption_extension"), "num_repeats": settings.get("num_repeats", 1)},
        buckets={
            **_as_fields(base),
            "resolutions": (_size(settings.get("resolution", [960, 544]), path),),
            "num_aspects": base.num_aspects if settings.get("enable_bucket", False) else 1,
            "max_upscale": 1.0 if settings.get("bucket_no_upscale", False) else None,
            "frames": lengths,
            "extraction": extraction,
            "slide_frames": settings.get("frame_stride", base.slide_frames),
            "num_uniform": settings.get("frame_sample", base.num_uniform),
            "fps": MUSUBI_FPS if "source_fps" in settings else base.fps,
        },
    )  # fmt: skip


def _target_frames(settings: Settings) -> tuple[int, ...]:
    """Lengths as musubi-tuner takes them: rounded down to 4n+1; `full` goes up to max_frames."""
    if settings.get("frame_extraction") == "full":
        given = [settings.get("max_frames", 129)]
    else:
        given = settings.get("target_frames", [1])
    return tuple((int(length) - 1) // 4 * 4 + 1 for length in given)


def _pipe(settings: Settings, path: Path, base: BucketsConfig) -> Described:
    place = settings.get("path")
    if not isinstance(place, str):
        raise invalid(f"{path}: a [[directory]] entry", "needs a path", 'add path = "FOLDER"')
    has_aspects = settings.get("enable_ar_bucket", False)
    return _described(
        path, place,
        folder={"num_repeats": settings.get("num_repeats", 1), "caption_prefix": settings.get("caption_prefix", "")},
        buckets={
            **_as_fields(base),
            "resolutions": tuple(_size(item, path) for item in settings.get("resolutions", [512])),
            "num_aspects": settings.get("num_ar_buckets", 7) if has_aspects else 1,
            "min_aspect": settings.get("min_ar", 0.5),
            "max_aspect": settings.get("max_ar", 2.0),
            "frames": tuple((int(length) - 1) // 4 * 4 + 1 for length in settings.get("frame_buckets", [1])),
            "max_upscale": None,
        },
    )  # fmt: skip


def _described(path: Path, place: str, *, folder: dict[str, Any], buckets: dict[str, Any]) -> Described:
    """Both configs, so that a value of the wrong type is one line that names the file."""
    try:
        found = Described(
            place=path.parent / Path(place).expanduser(),
            folder=FolderConfig(**folder),
            buckets=BucketsConfig(**buckets),
        )
    except (TypeError, ValueError) as error:  # InvalidInput is a ValueError
        raise InvalidInput(f"{path}: {place}: {error}") from None
    return found


def _as_fields(config: BucketsConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in config.__dataclass_fields__}


def _size(value: Any, path: Path) -> tuple[int, int]:
    """A side of a square, or [width, height], brought to multiples of 16."""
    sides = [value, value] if isinstance(value, int | float) else value
    if not isinstance(sides, list) or len(sides) != 2 or not all(isinstance(side, int | float) for side in sides):
        raise invalid(f"{path}: resolution {value!r}", "is a side or [width, height]", "write [256, 256]")
    width, height = (max(1, round(float(side) / MULTIPLE_PX)) * MULTIPLE_PX for side in sides)
    return width, height


def _remarks(path: Path, layers: Sequence[Settings], known: set[str]) -> list[str]:
    unknown = sorted({name for layer in layers for name in layer if name not in known})
    return [f"{path.name}: not followed: {', '.join(unknown)}"] if unknown else []
