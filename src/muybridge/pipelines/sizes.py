"""The words people use for a picture size, as pixels."""

import math
import re
from collections.abc import Mapping

from muybridge.core.errors import invalid
from muybridge.pipelines.request import SIZE_MULTIPLE_PX

Size = tuple[int, int]  # width, height in px
Presets = Mapping[str, tuple[Size, ...]]  # the sizes a model was trained for, by the name of the preset

DEFAULT_ASPECT = "16:9"
MAX_RATIO = 10  # of the longer side to the shorter: convention
BUCKET_PX, BUCKET_RATIO = 32, 4  # released, of image to video
RELEASED_BUCKETS: Mapping[str, int] = {"720p": 960, "540p": 720, "360p": 480}  # by preset, as `bucket_size` takes it
ASPECT_TOLERANCE = 0.03  # 960x544 is sold as 16:9 and 1104x832 as 4:3


def parse_size(size: str | None, aspect: str | None, *, default: Size, native: Presets) -> Size:
    """(width, height) in px of "WIDTHxHEIGHT", of a preset of the model, or of its default area at an aspect.

    Raises InvalidInput on anything else, and on an aspect beside a size in pixels.
    """
    if size is None:
        return default if aspect is None else _with_aspect(aspect, default, native)
    match = re.fullmatch(r"(\d{1,9})[xX×](\d{1,9})", str(size).strip())
    if match is None:
        return _preset(size, aspect, native)
    if aspect is not None:
        raise invalid(f"aspect={aspect} with size={size}", "a size in pixels has its own aspect", "leave one out")
    return int(match[1]), int(match[2])


def size_like(given: Size, *, default: Size, native: Presets) -> Size:
    """The size of a film made from a picture or film of this size: its own where the model takes it and it is no larger
    than the default; else of the default's area, with its aspect, within 10:1.
    """
    width, height = given
    if not width % SIZE_MULTIPLE_PX and not height % SIZE_MULTIPLE_PX and default == max(default, given, key=math.prod):
        return given
    ratio = min(max(width / height, 1 / MAX_RATIO), MAX_RATIO)
    return _of_ratio(ratio, default, native)


def bucket_size(given: Size, base_px: int) -> Size:
    """The size of a film that begins with a picture of this size, by the released image-to-video rule.

    Of `bucket_sizes` the one that is nearest in aspect among those that are less elongated, so that covering it only
    crops the picture.   HunyuanVideo-I2V, hyvideo/utils/data_utils.py.
    """
    aspect = given[1] / given[0]
    buckets = {size: round(size[1] / size[0], 5) for size in bucket_sizes(base_px)}
    if aspect >= 1:
        near = {size: aspect - ratio for size, ratio in buckets.items() if ratio <= aspect}
    else:
        near = {size: ratio - aspect for size, ratio in buckets.items() if ratio > aspect}
    return min(near, key=lambda size: near[size])


def bucket_sizes(base_px: int) -> tuple[Size, ...]:
    """Multiples of 32 px within 4:1, along the hyperbola below the area of a square of `base_px`; the tallest first."""
    num = round((base_px / BUCKET_PX) ** 2)
    return tuple(
        (across * BUCKET_PX, down * BUCKET_PX)
        for down in range(num, 0, -1)
        for across in range(max(1, num // (down + 1)), num // down + 1)
        if max(across, down) <= BUCKET_RATIO * min(across, down)
    )


def format_size(width: int, height: int) -> str:
    """WIDTHxHEIGHT."""
    return f"{width}x{height}"


def _preset(size: str, aspect: str | None, native: Presets) -> Size:
    """The native size of that aspect; without one the only size, or the one of 16:9."""
    if size not in native:
        presets = f", or {', '.join(native)}" if native else ""
        raise invalid(f"size={size!r}", "is neither WIDTHxHEIGHT nor a preset of this model", f"write 128x128{presets}")
    if aspect is None and len(native[size]) == 1:
        return native[size][0]
    ratio = _ratio(aspect or DEFAULT_ASPECT)
    found = _nearest(native[size], ratio)
    if not _is_near(found, ratio):
        known = ", ".join(format_size(*each) for each in native[size])
        raise invalid(f"aspect={aspect}", f"{size} was trained at {known}", "use one of these, or a size in pixels")
    return found


def _with_aspect(aspect: str, default: Size, native: Presets) -> Size:
    return _of_ratio(_ratio(aspect), default, native)


def _of_ratio(ratio: float, default: Size, native: Presets) -> Size:
    """The native sibling of the default at that aspect, or both sides rounded so that the area stays near."""
    for sizes in native.values():
        if default in sizes and _is_near(found := _nearest(sizes, ratio), ratio):
            return found
    area = default[0] * default[1]
    return _rounded((area * ratio) ** 0.5), _rounded((area / ratio) ** 0.5)


def _nearest(sizes: tuple[Size, ...], ratio: float) -> Size:
    return min(sizes, key=lambda size: abs(math.log(size[0] / size[1] / ratio)))


def _ratio(aspect: str) -> float:
    match = re.fullmatch(r"([1-9]\d{0,2}):([1-9]\d{0,2})", str(aspect).strip())
    ratio = int(match[1]) / int(match[2]) if match else 0.0
    if not 1 / MAX_RATIO <= ratio <= MAX_RATIO:
        raise invalid(f"aspect={aspect!r}", "is not WIDTH:HEIGHT within 10:1", "write 16:9, 9:16, 4:3, 3:4 or 1:1")
    return ratio


def _is_near(size: tuple[int, int], ratio: float) -> bool:
    return abs(size[0] / size[1] / ratio - 1) <= ASPECT_TOLERANCE


def _rounded(side: float) -> int:
    return max(SIZE_MULTIPLE_PX, round(side / SIZE_MULTIPLE_PX) * SIZE_MULTIPLE_PX)
