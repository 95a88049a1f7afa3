"""From facts to samples: which bucket, which moments, which crop; and the pixels of a sample."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

from muybridge.data.buckets import Bucket, BucketsConfig, sizes
from muybridge.data.probes import Refused
from muybridge.data.record import Record
from muybridge.data.report import Note, Reason
from muybridge.media.frames import Frames
from muybridge.media.geometry import Box, fill_box
from muybridge.media.probe import Facts
from muybridge.media.sampling import read_at

READING = 1  # version of what `read_sample` does to pixels; part of what a cached latent is known by
ROUNDING = 1e-3  # of a frame: times are floats
SIDES = 64  # px of the small picture in which detail is looked for


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One clip of a record: `bucket.num_frames` moments from `start_s` on, `rate` a second, brought to its size."""

    record: Record
    bucket: Bucket
    start_s: float
    rate: float
    crop: Literal["centre", "smart"]

    @property
    def is_picture(self) -> bool:
        """Whether it has one frame."""
        return self.bucket.num_frames == 1

    def preprocessing(self) -> dict[str, Any]:
        """All that pixels depend on besides the file's bytes; JSON-ready."""
        moments = {"start_s": round(self.start_s, 6), "rate": round(self.rate, 6)}
        return {"reading": READING, "bucket": self.bucket.name, "crop": self.crop, **moments}


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """Where one input goes, before captions are looked at."""

    bucket: Bucket
    starts_s: tuple[float, ...]
    rate: float
    notes: tuple[str, ...]


def assign(facts: Facts, config: BucketsConfig) -> Assignment | Refused:
    """The bucket of an input and its samples' starts, or why there is none."""
    length = _length(facts, config)
    if isinstance(length, Refused):
        return length
    size = _size(facts, config)
    if isinstance(size, Refused):
        return size
    rate, num_available, num_frames = length
    firsts = _firsts(num_available, num_frames, config)
    bucket = Bucket(num_frames=num_frames, width_px=size[0], height_px=size[1])
    starts = tuple(first / rate if rate else 0.0 for first in firsts)
    used = len({first + offset for first in firsts for offset in range(num_frames)})
    notes = _notes(facts, config, bucket)
    if used < num_available:
        notes.append(f"{Note.PARTLY_USED}: {used} of {num_available} frames")
    return Assignment(bucket=bucket, starts_s=starts, rate=rate, notes=tuple(notes))


def read_sample(sample: Sample) -> Frames:
    """The sample's pixels, uint8 (t, h, w, 3). Raises MediaError where the file is damaged there, OSError if gone."""
    bucket = sample.bucket
    boxes: list[Box] = []

    def fit(picture: np.ndarray) -> np.ndarray:
        if not boxes:  # the first frame settles the crop of all
            boxes.append(crop_box(picture, bucket, is_smart=sample.crop == "smart"))
        return resized(picture, boxes[0], bucket)

    media = sample.record.media
    times = [sample.start_s + index / sample.rate if index else sample.start_s for index in range(bucket.num_frames)]
    return read_at(media.name, times, fit=fit, data=media.data())


def crop_box(picture: np.ndarray, bucket: Bucket, *, is_smart: bool) -> Box:
    """The largest part with the bucket's aspect: the centre, or where the most detail lies."""
    height, width = picture.shape[:2]
    left, top, right, bottom = fill_box(width, height, to_width_px=bucket.width_px, to_height_px=bucket.height_px)
    if not is_smart or (left < 0.5 and top < 0.5):
        return left, top, right, bottom
    grey = Image.fromarray(np.ascontiguousarray(picture)).convert("L").resize((SIDES, SIDES), Image.Resampling.BOX)
    levels = np.asarray(grey).astype(np.float64)
    detail = np.hypot(np.gradient(levels, axis=0), np.gradient(levels, axis=1))
    if left >= top:
        shift = _best_shift(detail.sum(axis=0), (right - left) / width) * width - left
        return left + shift, top, right + shift, bottom
    shift = _best_shift(detail.sum(axis=1), (bottom - top) / height) * height - top
    return left, top + shift, right, bottom + shift


def resized(picture: np.ndarray, box: Box, bucket: Bucket) -> np.ndarray:
    """The part of the picture in `box` at the bucket's size (Lanczos)."""
    size = (bucket.width_px, bucket.height_px)
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS, box))


def available(facts: Facts, config: BucketsConfig) -> tuple[float, int]:
    """(moments a second, how many of them the film has)."""
    own = facts.fps
    rate = (own if config.fps is None else min(own, config.fps)) / config.frame_interval
    return rate, int(facts.duration_s * rate + ROUNDING) + 1


def _length(facts: Facts, config: BucketsConfig) -> tuple[float, int, int] | Refused:
    """(rate, moments available, frames of the bucket)."""
    if facts.is_picture:
        if 1 in config.frames:
            return 0.0, 1, 1
        return Refused(reason=Reason.NO_BUCKET, detail="a picture, and no bucket has 1 frame")
    lengths = config.film_lengths()
    if not lengths:
        return Refused(reason=Reason.NO_BUCKET, detail="a film, and every bucket is for pictures")
    rate, num_available = available(facts, config)
    if config.extraction == "full":
        lengths = (max(5, min(lengths[0], (num_available - 1) // 4 * 4 + 1)),)
    fitting = [length for length in lengths if length <= num_available]
    if not fitting:
        detail = f"{num_available} frames at {rate:.4g} fps, the shortest bucket has {lengths[-1]}"
        return Refused(reason=Reason.TOO_SHORT, detail=detail)
    return rate, num_available, fitting[0]


def _size(facts: Facts, config: BucketsConfig) -> tuple[int, int] | Refused:
    """The size of nearest aspect at the largest resolution that does not enlarge beyond the limit."""
    width, height = facts.width_px, facts.height_px
    nearest = [
        min(group, key=lambda size: abs(math.log(size[0] / size[1] * height / width))) for group in sizes(config)
    ]
    limit = math.inf if config.max_upscale is None else config.max_upscale
    fitting = [size for size in nearest if max(size[0] / width, size[1] / height) <= limit + ROUNDING]
    if not fitting:
        factor = max(nearest[-1][0] / width, nearest[-1][1] / height)
        detail = f"{width}x{height} would be enlarged {factor:.3g} times, the limit is {limit:g}"
        return Refused(reason=Reason.TOO_SMALL, detail=detail)
    lost = _lost(facts, fitting[0])
    if lost > config.max_crop:
        detail = f"{width}x{height} would lose {lost:.0%}, the limit is {config.max_crop:.0%}"
        return Refused(reason=Reason.ODD_ASPECT, detail=detail)
    return fitting[0]


def _lost(facts: Facts, size: tuple[int, int]) -> float:
    """Share of the picture that is cropped away."""
    scale = max(size[0] / facts.width_px, size[1] / facts.height_px)
    return 1 - size[0] * size[1] / (facts.width_px * facts.height_px * scale**2)


def _firsts(num_available: int, num_frames: int, config: BucketsConfig) -> list[int]:
    """The first moment of every sample."""
    spare = num_available - num_frames
    if config.extraction == "chunk":
        return list(range(0, spare + 1, num_frames))
    if config.extraction == "slide":
        return list(range(0, spare + 1, config.slide_frames))
    if config.extraction == "uniform":
        last = max(1, config.num_uniform - 1)
        return sorted({round(spare * number / last) for number in range(config.num_uniform)})
    return [spare // 2 if config.extraction == "middle" else 0]


def _notes(facts: Facts, config: BucketsConfig, bucket: Bucket) -> list[str]:
    lost = _lost(facts, (bucket.width_px, bucket.height_px))
    enlarged = max(bucket.width_px / facts.width_px, bucket.height_px / facts.height_px)
    is_slower = config.fps is not None and 0 < facts.fps < config.fps * (1 - ROUNDING)
    said = {
        Note.VARIABLE_RATE: facts.is_variable,
        f"{Note.SLOWER}: {facts.fps:.4g} fps": is_slower,
        Note.ROTATED: facts.rotation_deg != 0,
        Note.DEEP: facts.bit_depth > 8 and not facts.is_hdr,
        Note.HDR: facts.is_hdr,
        Note.ANAMORPHIC: facts.is_anamorphic,
        f"{Note.CROPPED}: {lost:.1%}": lost > ROUNDING,
        f"{Note.ENLARGED}: {enlarged:.3g} times": enlarged > 1 + ROUNDING,
    }
    return [str(note) for note, holds in said.items() if holds]


def _best_shift(detail: np.ndarray, share: float) -> float:
    """Where a window of `share` of the length holds the most detail, as a share; the most central of equals."""
    num = len(detail)
    width = max(1, round(share * num))
    totals = np.convolve(detail, np.ones(width), mode="valid")
    distance = np.abs(np.arange(len(totals)) - (num - width) / 2)
    best = int(np.lexsort((distance, -np.round(totals, 6)))[0])
    return min(best / num, 1 - share)
