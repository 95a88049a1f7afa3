"""Text found and read by the networks of PP-OCR (Apache-2.0) as the package `rapidocr` carries them.

Only the package's files are used, by onnxruntime: importing it would set up its own logging on the terminal, and its
own loader fetches what it does not find. Nothing is ever fetched here.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from muybridge.core.errors import AssetError, MissingExtra, invalid
from muybridge.curation.clip import Box
from muybridge.curation.opencv import opencv
from muybridge.curation.text.pixels import regions, resized
from muybridge.curation.text.reader import TextBox
from muybridge.media.frames import Picture

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

DETECTOR, RECOGNISER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"  # of rapidocr 3.10
STRIDE_PX = 32  # sides that the detector takes are multiples of it
TEXT_PROBABILITY, MIN_SCORE = 0.3, 0.5  # of a pixel, of a region's mean: as PP-OCR sets them
UNCLIP = 1.6  # the network is trained on shrunken lines: area / perimeter, times this, is put round them; PP-OCR's
MAX_LINE = 0.3  # of the short side: what is higher is no line but texture; measured on films without text
LINE_PX = 48  # height that the recogniser takes
MAX_LINE_PX = 960  # of its width: longer lines are squeezed
MAX_LONG_SIDES = 3  # of the short side, where a picture is very long
MIN_CONFIDENCE = 0.6  # of what is read, mean over its characters; below it is noise more often than words


class OcrReader:
    """PP-OCR's detector and recogniser: finds and reads Latin, Chinese and Japanese script among others.

    side_px: the short side that pictures are brought to; lines of 9 px there are found.
    folder: where the two networks lie; None for the folder of the package `rapidocr`.
    """

    version = 1

    def __init__(self, *, side_px: int = 320, folder: Path | None = None) -> None:
        if side_px < STRIDE_PX:
            raise invalid(f"side_px={side_px}", f"the detector takes {STRIDE_PX} px and more", "use 320")
        self.side_px = side_px
        self.folder = folder
        self._sessions: dict[str, Any] = {}

    def prepare(self) -> None:
        """Raises MissingExtra without onnxruntime, OpenCV or rapidocr, AssetError where a network is missing."""
        opencv()
        if onnxruntime is None:
            raise MissingExtra("text in pictures: needs onnxruntime; pip install 'muybridge[curate]'.")
        for name in (DETECTOR, RECOGNISER):
            if not (path := self._home() / name).is_file():
                raise AssetError(f"{path}: is not there; pip install 'rapidocr>=3.10', which carries it.")

    def setup(self) -> None:
        """Load both networks, 0.3 s."""
        self.prepare()
        assert onnxruntime is not None  # or prepare had raised
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised
        for name in (DETECTOR, RECOGNISER):
            path = str(self._home() / name)
            self._sessions[name] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def detect(self, picture: Picture) -> tuple[TextBox, ...]:
        """Lines of text, from top to bottom."""
        height, width = picture.shape[:2]
        scale = self.side_px / min(height, width)
        scale = min(scale, MAX_LONG_SIDES * self.side_px / max(height, width))
        rows, columns = (max(1, round(side * scale / STRIDE_PX)) * STRIDE_PX for side in (height, width))
        small = resized(picture, width_px=columns, height_px=rows)
        probability = self._run(DETECTOR, _normalised(small)[None])[0, 0]
        found = _lines(probability, across=width / columns, down=height / rows, size=(width, height))
        return tuple(sorted(found, key=lambda line: (line.box[1], line.box[0])))

    def read(self, picture: Picture, boxes: Sequence[Box]) -> tuple[str, ...]:
        """Strings in the order of the boxes; empty below a mean confidence of 0.6."""
        return tuple(self._line(picture[top:bottom, left:right]) for left, top, right, bottom in boxes)

    def _line(self, patch: Picture) -> str:
        if not patch.size:
            return ""
        width = int(np.clip(round(LINE_PX * patch.shape[1] / patch.shape[0]), LINE_PX // 2, MAX_LINE_PX))
        steps = self._run(RECOGNISER, _normalised(resized(patch, width_px=width, height_px=LINE_PX))[None])[0]
        best, sure = steps.argmax(1), steps.max(1)
        is_new = np.diff(best, prepend=0) != 0  # connectionist temporal classification: 0 is the blank
        kept = is_new & (best > 0)
        if not kept.any() or float(sure[kept].mean()) < MIN_CONFIDENCE:
            return ""
        characters = self._characters()
        return "".join(characters[index - 1] for index in best[kept]).strip()

    def _characters(self) -> list[str]:
        listed = self._sessions[RECOGNISER].get_modelmeta().custom_metadata_map["character"]
        return [*listed.splitlines(), " "]

    def _run(self, name: str, pixels: Float32[np.ndarray, "1 3 h w"]) -> np.ndarray:
        return self._sessions[name].run(None, {"x": pixels})[0]

    def _home(self) -> Path:
        if self.folder is not None:
            return self.folder
        found = importlib.util.find_spec("rapidocr")  # finds, does not import
        if found is None or found.origin is None:
            raise MissingExtra("text in pictures: needs rapidocr; pip install 'muybridge[curate]'.")
        return Path(found.origin).parent / "models"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sessions": {}}


def _normalised(picture: Picture) -> Float32[np.ndarray, "3 _h _w"]:
    """In [-1, 1], blue first: PP-OCR was trained on OpenCV's order."""
    return np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1), np.float32) / np.float32(127.5) - np.float32(1)


def _lines(
    probability: Float32[np.ndarray, "h w"], *, across: float, down: float, size: tuple[int, int]
) -> Iterator[TextBox]:
    """Regions of the map as upright boxes in the picture's pixels; across, down: picture pixels in one of the map's."""
    mask = (probability > TEXT_PROBABILITY).astype(np.uint8)
    for region in regions(mask, min_pixels=12):
        values = probability[region.top : region.bottom, region.left : region.right]
        score = float(values[region.mask].mean())
        long_px, short_px, slant_degrees = region.rectangle()
        if score < MIN_SCORE or not 3 <= short_px <= MAX_LINE * min(probability.shape):
            continue
        grown = long_px * short_px * UNCLIP / (2 * (long_px + short_px))
        box = (
            max(0, int(np.floor((region.left - grown) * across))),
            max(0, int(np.floor((region.top - grown) * down))),
            min(size[0], int(np.ceil((region.right + grown) * across))),
            min(size[1], int(np.ceil((region.bottom + grown) * down))),
        )
        yield TextBox(box=box, score=score, slant_degrees=slant_degrees)
