"""Results as files: a film or picture, its settings inside and beside it, and pictures of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from muybridge.core.errors import MediaError
from muybridge.media.formats import VIDEO_SUFFIXES
from muybridge.media.frames import AnyFrames, as_any_frames, coarse
from muybridge.media.image import IMAGE_SUFFIXES, write_image
from muybridge.media.save_options import SaveOptions
from muybridge.media.sequence import is_sequence
from muybridge.media.sidecar import write_settings
from muybridge.media.stills import Stills
from muybridge.media.writer import PLAIN, check_output, write_video
from muybridge.pipelines.identity import found_file

STILL_SUFFIXES = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix not in VIDEO_SUFFIXES)


def save_frames(
    path: Path,
    parts: Iterable[AnyFrames],
    *,
    num_frames: int,
    fps: int,
    settings: Mapping[str, Any],
    options: SaveOptions = PLAIN,
    found: Callable[[], Mapping[str, Any]] = dict,
) -> Path:
    """Write a film that comes in parts, or a picture; returns the path. What was chosen of `options` is recorded.

    found: what is known once all parts came; recorded beside the film, whose own settings are in its head.
    Nothing half-written is left. Raises MediaError on an extension or options that cannot hold it, InvalidInput where
    the folder cannot be written.
    """
    path = Path(path)
    check_destination(path, num_frames=num_frames, fps=fps, options=options)
    options = identified(options)
    if chosen := options.record():
        settings = {**settings, "output": chosen}
    stills = Stills(options.stills or (), num_frames=num_frames)
    passing = stills.passing(parts)
    if is_picture_file(path):
        write_image(path, coarse(as_any_frames(next(passing))[0]), metadata=settings)
    else:
        write_video(path, passing, fps=fps, metadata=settings, options=options)
    stills.write(path, caption=str(settings.get("prompt", "")))
    write_settings(path, {**settings, **found()})
    return path


def identified(options: SaveOptions) -> SaveOptions:
    """With the full path and hash of the sound file, so that they can be repeated from anywhere.

    Raises InvalidInput where there is none, or it is not the one that the hash says.
    """
    if options.audio is None:
        return options
    path, digest = found_file(options.audio, option="audio", known=options.audio_sha256, remedy="name a sound file")
    return replace(options, audio=path, audio_sha256=digest)


def check_destination(
    path: str | Path, *, num_frames: int, fps: int | None = None, options: SaveOptions = PLAIN
) -> None:
    """Raises MediaError where a result of `num_frames` could not be written so to `path`; nothing is created."""
    path = Path(path)
    if num_frames > 1 and is_picture_file(path):
        raise MediaError(f"{path}: a picture holds one frame, not {num_frames}; use {path.stem}.mp4 or 1 frame.")
    if is_picture_file(path):
        for name in sorted(set(options.record()) - {"stills"}):
            raise MediaError(f"{path}: a picture takes no {name}; leave it out, or write a film.")
    check_output(path, suffixes=(*VIDEO_SUFFIXES, *STILL_SUFFIXES), options=options, fps=fps)


def is_picture_file(path: Path) -> bool:
    """Whether the file holds a picture and never a film."""
    return path.suffix.lower() in STILL_SUFFIXES and not is_sequence(path)
