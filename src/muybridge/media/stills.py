"""Pictures of a film beside it: its first frame, its last one, and a sheet of some of them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from muybridge.media.frames import AnyFrames, as_any_frames, coarse
from muybridge.media.geometry import fill
from muybridge.media.image import write_image
from muybridge.media.save_options import Still
from muybridge.media.sequence import is_sequence, stem_of
from muybridge.media.sheet import contact_sheet, spread

SHEET_COLUMNS = 5
MAX_SHEET_FRAME_PX = 320  # of the longer side; larger frames are made so small


class Stills:
    """Frames kept of a film that passes by, for the pictures that were asked for."""

    def __init__(self, stills: Sequence[Still], *, num_frames: int) -> None:
        self._stills = stills
        self._wanted = {0, num_frames - 1, *spread(num_frames, SHEET_COLUMNS)} if stills else set()
        self._kept: dict[int, np.ndarray] = {}

    def passing(self, parts: Iterable[AnyFrames]) -> Iterator[AnyFrames]:
        """The parts of a film, unchanged."""
        start = 0
        for part in parts:
            array = as_any_frames(part)
            for index in self._wanted & set(range(start, start + len(array))):
                self._kept[index] = coarse(array[index - start]).copy()
            start += len(array)
            yield part

    def write(self, path: Path, *, caption: str) -> None:
        """Write the pictures beside the film `path`; the sheet has `caption` over it. Raises as `write_image`."""
        frames = [self._kept[index] for index in sorted(self._kept)]
        for still in self._stills:
            if still == "sheet":
                sheet = np.stack(frames)
                contact_sheet([_small(sheet)], labels=[caption], columns=SHEET_COLUMNS, path=still_path(path, still))
            else:
                write_image(still_path(path, still), frames[0 if still == "first" else -1])


def still_path(path: Path, still: Still) -> Path:
    """ball.first.png beside ball.mp4."""
    stem = stem_of(path) if is_sequence(path) else path.stem
    return path.with_name(f"{stem}.{still}.png")


def _small(frames: np.ndarray) -> np.ndarray:
    height, width = frames.shape[1:3]
    scale = min(1.0, MAX_SHEET_FRAME_PX / max(height, width))
    return fill(frames, width_px=max(1, round(width * scale)), height_px=max(1, round(height * scale)))
