"""A run of frames of footage as a clip: its times, its sound, and where it comes from."""

from collections.abc import Mapping

import numpy as np

from muybridge.curation.clip import Clip, Origin, SourceFile, Value, clip_id, source_id
from muybridge.curation.shots.footage import Footage
from muybridge.media.frames import Frames


def origin_of(source: SourceFile, film: Footage) -> Origin:
    """What every clip of a source says of it."""
    return Origin(
        id=source_id(source.uri),
        uri=source.uri,
        width_px=film.width_px,
        height_px=film.height_px,
        fps=film.fps,
        licence=source.licence,
        has_consent=source.has_consent,
    )


def clip_of(
    frames: Frames, film: Footage, origin: Origin, *, first: int, version: str, values: Mapping[str, Value]
) -> Clip:
    """The clip of frames that begin with the film's frame `first`; a picture has no time. Forgets sound before its end.

    version: of what cut it, which its id depends on. values: columns that it begins with.
    """
    start_s, end_s, sound = 0.0, 0.0, None
    if not film.is_picture:
        start_s, end_s = first / film.fps, (first + len(frames)) / film.fps
    if film.sound is not None:
        sound = film.sound.between(film.start_s + start_s, film.start_s + end_s)
        film.sound.forget(film.start_s + end_s)
    clip = Clip(
        id=clip_id(origin.uri, start_s, end_s, version=version),
        origin=origin,
        start_s=start_s,
        end_s=end_s,
        frames=np.ascontiguousarray(frames),
        fps=film.fps,
        crop=(0, 0, frames.shape[2], frames.shape[1]),
        sound=sound,
    )
    return clip.noted(values)
