"""Ways to damage a picture, each with a strength from 0 to 1 that is meant to be even to the eye.

Equal steps of strength are equal ratios of what is done (Weber's law): of a blur's width, of noise's deviation, of the
steps of a quantiser. Decibels, quantisation parameters and stops are logarithms already, so there the steps are equal.
Each ladder begins where the damage can just be seen and ends where little can be recognised; the quality of a picture
with strengths s is the product of 1 - s.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import av
import numpy as np

from muybridge.curation.opencv import opencv
from muybridge.media.frames import Picture

GAMMA, DARKEST = 2.2, 0.2  # of displays; what counts as a picture's lightest part, of full scale, at least

Damage = Callable[[Picture, float, np.random.Generator], Picture]


def damaged(picture: Picture, family: str, strength: float, *, seed: int) -> Picture:
    """The picture with one of `LADDERS`' damages. Strength 0 leaves it as it is."""
    if strength <= 0:
        return picture
    return LADDERS[family](picture, min(strength, 1.0), np.random.default_rng(seed))


def quality(strengths: Sequence[float]) -> float:
    """What is left of a quality of 1 after damages of these strengths."""
    return float(np.prod([1 - each for each in strengths]))


def between(first: float, last: float, strength: float) -> float:
    """From first to last by equal ratios."""
    return first * (last / first) ** strength


def _levels(pixels: np.ndarray) -> Picture:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _blur(picture: Picture, strength: float, _rng: np.random.Generator) -> Picture:
    return opencv().GaussianBlur(picture, (0, 0), between(0.4, 5.0, strength))


def _noise(picture: Picture, strength: float, rng: np.random.Generator) -> Picture:
    return _levels(picture + rng.normal(0, between(1.5, 60.0, strength), picture.shape))


def _jpeg(picture: Picture, strength: float, _rng: np.random.Generator) -> Picture:
    cv2 = opencv()
    scale = between(10.0, 1000.0, strength)  # percent of the standard's tables
    number = round(100 - scale / 2 if scale <= 100 else 5000 / scale)
    _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, number])
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)


def _h264(picture: Picture, strength: float, rng: np.random.Generator) -> Picture:
    """The third frame of a film in which the picture moves.

    Colours are converted by OpenCV: what FFmpeg's converter gives depends on where in memory a picture lies.
    """
    cv2, shift = opencv(), rng.integers(-3, 4, 2)
    height, width = (side - side % 2 for side in picture.shape[:2])
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        options = {"crf": str(round(18 + 33 * strength)), "preset": "veryfast", "threads": "1", "bf": "0"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(-2, 1):
            moved = np.ascontiguousarray(np.roll(picture, tuple(number * shift), (0, 1))[:height, :width])
            planes = cv2.cvtColor(moved, cv2.COLOR_RGB2YUV_I420)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as coded:
        last = [frame.to_ndarray() for frame in coded.decode(video=0)][-1]
    shown = cv2.cvtColor(last, cv2.COLOR_YUV2RGB_I420)
    return np.pad(shown, [(0, picture.shape[0] - height), (0, picture.shape[1] - width), (0, 0)], mode="edge")


def _banding(picture: Picture, strength: float, _rng: np.random.Generator) -> Picture:
    step = between(3.0, 64.0, strength)
    return _levels((np.floor(picture / step) + 0.5) * step)


def _ghosting(picture: Picture, strength: float, rng: np.random.Generator) -> Picture:
    """A second picture, some pixels beside the first, shines through."""
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(4, 12)
    weight = between(0.04, 0.5, strength)
    second = _moved(picture, float(reach * np.cos(angle)), down=float(reach * np.sin(angle)))
    return _levels((1 - weight) * picture + weight * second.astype(np.float32))


def _moved(picture: Picture, right: float, *, down: float = 0.0) -> Picture:
    cv2 = opencv()
    size = (picture.shape[1], picture.shape[0])
    return cv2.warpAffine(picture, np.array([[1, 0, right], [0, 1, down]]), size, borderMode=cv2.BORDER_REFLECT)


def _upscaling(picture: Picture, strength: float, rng: np.random.Generator) -> Picture:
    """Made smaller and enlarged again."""
    cv2 = opencv()
    height, width = picture.shape[:2]
    ratio = between(1.2, 8.0, strength)
    small = cv2.resize(picture, (round(width / ratio), round(height / ratio)), interpolation=cv2.INTER_AREA)
    kind = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)[int(rng.integers(3))]
    return cv2.resize(small, (width, height), interpolation=kind)


def _combing(picture: Picture, strength: float, rng: np.random.Generator) -> Picture:
    """Every second line is of another time, when all stood some pixels beside."""
    combed = picture.copy()
    combed[1::2] = _moved(picture, between(0.4, 12.0, strength) * (1 if rng.uniform() < 0.5 else -1))[1::2]
    return combed


def _overexposure(picture: Picture, strength: float, _rng: np.random.Generator) -> Picture:
    """Stops more than the picture's lightest hundredth can bear: below that, a dark one only gets lighter."""
    lightest = float(np.percentile(picture.max(2), 99)) / 255
    return _levels(255 * _exposed(picture, 0.25 + 3.25 * strength - GAMMA * np.log2(max(lightest, DARKEST))))


def _underexposure(picture: Picture, strength: float, _rng: np.random.Generator) -> Picture:
    return _levels(255 * _exposed(picture, -0.25 - 6.75 * strength))


def _exposed(picture: Picture, stops: float) -> np.ndarray:
    """Levels in [0, 1] after so many stops more light, by a display's gamma."""
    return np.minimum((picture / 255) * 2 ** (stops / GAMMA), 1)


LADDERS: Mapping[str, Damage] = MappingProxyType({
    "blur": _blur, "noise": _noise, "jpeg": _jpeg, "h264": _h264, "banding": _banding, "ghosting": _ghosting,
    "upscaling": _upscaling, "combing": _combing, "overexposure": _overexposure, "underexposure": _underexposure,
})  # fmt: skip
