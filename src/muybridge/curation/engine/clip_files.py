"""The file of a clip: H.264 with its sound, or PNG where it is a picture. Equal clips are equal bytes."""

from dataclasses import replace
from pathlib import Path

from muybridge.core.errors import MediaError
from muybridge.curation.clip import Clip, Sound
from muybridge.curation.yuv import as_yuv420
from muybridge.media.coded import coded_film
from muybridge.media.formats import MAX_FPS, coding
from muybridge.media.image import write_image

# One quantiser: nothing is coded worse than the rest, or looked ahead for (benchmarks/clip_files.py).
PLAIN = "threads=1:bframes=0:cabac=0:8x8dct=0:scenecut=0:weightp=0:mbtree=0"


def evened(clip: Clip) -> Clip:
    """The clip without the last row or column where 4:2:0 film needs an even side; a picture as it is.

    Raises MediaError where nothing would be left.
    """
    height, width = clip.frames.shape[1:3]
    if clip.is_picture or (width % 2 == 0 and height % 2 == 0):
        return clip
    if min(width, height) < 2:
        raise MediaError(f"frames of {width}x{height}: a film has at least 2 pixels each way; leave it out.")
    return clip.cropped((0, 0, width - width % 2, height - height % 2))


def place_of(clip: Clip) -> str:
    """Where its file lies in the folder of a run."""
    return f"clips/{clip.id[:2]}/{clip.id}{'.png' if clip.is_picture else '.mp4'}"


def write_clip(clip: Clip, path: Path, *, qp: int) -> None:
    """Write its frames and sound, film with the quantiser `qp`. Raises MediaError."""
    if clip.is_picture:
        write_image(path, clip.frames[0])
        return
    how = coding(path, codec=None, crf=None, bitrate=None, bits=None)
    how = replace(how, options=fast_options(qp))
    height, width = clip.frames.shape[1:3]
    with coded_film(path, how, fps=min(clip.fps, MAX_FPS), metadata=None, sound=_heard(clip)) as film:
        film.start(width, height)
        for picture in clip.frames:
            film.add_coded(as_yuv420(picture))


def fast_options(qp: int) -> dict[str, str]:
    """x264's, of which equal frames give equal bytes on every machine."""
    return {"preset": "superfast", "x264-params": f"{PLAIN}:qp={qp}"}


def _heard(clip: Clip) -> Sound | None:
    return clip.sound if clip.sound is not None and clip.sound.samples.size else None
