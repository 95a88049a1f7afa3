"""Sizes of pictures: the centred crop that fills a frame, and resampling."""

import numpy as np
from PIL import Image

from muybridge.core.errors import MediaError
from muybridge.media.frames import Frames, as_frames

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels


def overlap(first: Box, second: Box) -> float:
    """Intersection over union, 0 to 1."""
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / (_area(first) + _area(second) - across * down)


def fill_box(width_px: int, height_px: int, *, to_width_px: int, to_height_px: int) -> Box:
    """The largest centred part of a picture that has the target's aspect ratio."""
    if min(width_px, height_px, to_width_px, to_height_px) < 1:
        given = f"{width_px}x{height_px} to {to_width_px}x{to_height_px}"
        raise MediaError(f"{given}: sides are at least 1 px; give other sizes.")
    scale = min(width_px / to_width_px, height_px / to_height_px)
    width, height = min(width_px, to_width_px * scale), min(height_px, to_height_px * scale)  # rounding may exceed
    left, top = (width_px - width) / 2, (height_px - height) / 2
    return left, top, left + width, top + height


def fill(frames: Frames, *, width_px: int, height_px: int) -> Frames:
    """Frames of the given size with no bars and no distortion: cropped around the centre, then resampled (Lanczos)."""
    array = as_frames(frames)
    height, width = array.shape[1:3]
    if (width, height) == (width_px, height_px):
        return array
    box = fill_box(width, height, to_width_px=width_px, to_height_px=height_px)
    resized = [Image.fromarray(frame).resize((width_px, height_px), Image.Resampling.LANCZOS, box) for frame in array]
    return np.stack([np.asarray(image) for image in resized])


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
