"""Pixels of the pictures and films that a request refers to, at the size and rate of the film that is made."""

import math
from pathlib import Path

import numpy as np

from muybridge.core.errors import MediaError, invalid
from muybridge.media.frames import Frames
from muybridge.media.geometry import fill
from muybridge.media.image import IMAGE_SUFFIXES, read_image
from muybridge.media.probe import probe
from muybridge.media.video import read_video
from muybridge.pipelines.conditions.media_ref import MediaRef

STILL_SUFFIXES = (*IMAGE_SUFFIXES, ".bmp", ".tif", ".tiff")
MAX_CONDITION_FRAMES = 8 * 2049  # of a film to read: convention, several times the longest film that is made
SLACK = 1e-3  # of a frame, that clocks which round may be off


def picture(ref: MediaRef) -> Frames:
    """One frame: upright as the camera says, 8 bits, transparent parts white; of an animation or film in memory the
    first.

    Raises MediaError where it is damaged, too large or no picture.
    """
    return ref.pixels[:1] if ref.pixels is not None else read_image(Path(str(ref.path)))[None]


def size_px(ref: MediaRef) -> tuple[int, int]:
    """(width, height) as it is shown. Raises MediaError."""
    if ref.pixels is not None or _is_still(ref):
        height, width = picture(ref).shape[1:3]
        return width, height
    facts = probe(Path(str(ref.path)))
    return facts.width_px, facts.height_px


def num_frames_at(ref: MediaRef, fps: float) -> int:
    """How many frames a film has once it is resampled to `fps`; 1 of a picture. Raises MediaError."""
    if ref.pixels is not None:
        return _resampled_length(len(ref.pixels), ref.fps or fps, fps)
    if _is_still(ref):
        return 1
    facts = probe(Path(str(ref.path)))
    return _resampled_length(facts.num_frames, facts.fps or fps, fps)


def film(ref: MediaRef, *, fps: float) -> Frames:
    """All frames at `fps`: of another rate, those that are shown at these moments. A picture is one frame.

    Raises MediaError where it is damaged or no film, InvalidInput where it is far too long.
    """
    if num_frames_at(ref, fps) > MAX_CONDITION_FRAMES:
        rule = f"at most {MAX_CONDITION_FRAMES} frames are read"
        raise invalid(f"{ref.name} of {num_frames_at(ref, fps)} frames", rule, "cut it to the part that matters")
    if _is_still(ref):
        return picture(ref)
    frames, own_fps = (ref.pixels, ref.fps or fps) if ref.pixels is not None else read_video(Path(str(ref.path)))
    times = np.arange(_resampled_length(len(frames), own_fps, fps)) / fps
    shown = np.floor(times * own_fps + SLACK).astype(int)
    return frames[np.minimum(shown, len(frames) - 1)]


def fitted(frames: Frames, *, width: int, height: int) -> Frames:
    """Covering the whole frame of the film: cropped around the centre, then resampled."""
    try:
        return fill(frames, width_px=width, height_px=height)
    except MediaError as error:
        raise MediaError(f"a picture to be {width}x{height}: {error}") from None


def _is_still(ref: MediaRef) -> bool:
    if ref.pixels is not None:
        return len(ref.pixels) == 1
    path = Path(str(ref.path))
    suffix = path.suffix.lower()
    return suffix in STILL_SUFFIXES and (suffix != ".webp" or probe(path).is_picture)


def _resampled_length(num_frames: int, fps: float, to_fps: float) -> int:
    return max(1, math.floor(num_frames * to_fps / fps + SLACK))
