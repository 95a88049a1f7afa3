"""Faces made unknowable: a few patches of colour stay, nothing of what lies within them.

A face keeps five cells across. They are means of its pixels, then smoothed, so that nothing finer can be brought back
from a frame.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from muybridge.curation.opencv import one_thread, opencv
from muybridge.curation.people.faces import FloatBox, grown, size_of
from muybridge.curation.people.tracks import Track
from muybridge.media.frames import Frames

CELLS = 5  # over the shorter side of a face
CORE, RIM = 1.25, 1.6  # half axes of the ellipses, in those of the box: wholly blurred within one, untouched beyond
MARGIN_PX = 1.0  # at each side of a box before: as far off as small ones are


def blurred(frames: Frames, tracks: Sequence[Track]) -> Frames:
    """A copy in which every face of every frame is blurred; pixels away from faces stay bit by bit."""
    done = frames.copy()
    with one_thread():
        for track in tracks:
            for index, box in zip(track.frames, track.boxes, strict=True):
                _blur(done[index], _with_margin(tuple(box.tolist())))
    return done


def hidden(box: FloatBox) -> FloatBox:
    """The box of the ellipse in which all is blurred, of the box of a face."""
    return grown(_with_margin(box), CORE)


def _with_margin(box: FloatBox) -> FloatBox:
    left, top, right, bottom = box
    return left - MARGIN_PX, top - MARGIN_PX, right + MARGIN_PX, bottom + MARGIN_PX


def _blur(picture: np.ndarray, box: FloatBox) -> None:
    """Blur an ellipse round the box, in place."""
    height, width = picture.shape[:2]
    wide, high = size_of(box)
    middle_x, middle_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    left, right = (int(np.clip(middle_x + side * RIM * wide / 2, 0, width)) for side in (-1, 1))
    top, bottom = (int(np.clip(middle_y + side * RIM * high / 2, 0, height)) for side in (-1, 1))
    if right <= left or bottom <= top:
        return
    region = picture[top:bottom, left:right]
    x = (np.arange(left, right) + 0.5 - middle_x) / (wide / 2)
    y = (np.arange(top, bottom) + 0.5 - middle_y) / (high / 2)
    radius = np.hypot(x[None], y[:, None])
    opacity = np.clip((RIM - radius) / (RIM - CORE), 0, 1).astype(np.float32)[..., None]
    coarse = _coarse(region, cell_px=max(2.0, min(wide, high) / CELLS))
    region[:] = (region + opacity * (coarse - region)).round().astype(np.uint8)


def _coarse(region: np.ndarray, *, cell_px: float) -> Float32[np.ndarray, "h w 3"]:
    """Means of cells, smoothly joined."""
    cv2 = opencv()
    height, width = region.shape[:2]
    columns, rows = max(1, round(width / cell_px)), max(1, round(height / cell_px))
    cells = cv2.resize(region.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    joined = cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(joined, (0, 0), cell_px / 2, borderType=cv2.BORDER_REPLICATE)
