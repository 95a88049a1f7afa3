"""The stage that finds watermarks, logos and borders, and crops those away that stand at the edge."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from muybridge.curation.clip import Clip, Value
from muybridge.curation.marks.cropping import area, crop_without, is_outside
from muybridge.curation.marks.detect import Mark, marks_in, surest
from muybridge.curation.marks.network import MarkConfig, MarkDetector
from muybridge.curation.plain import Measurement
from muybridge.curation.stage import Column, Resources
from muybridge.weights.small import load_small

SHIPPED = Path(__file__).parent.parent / "embedded" / "marks.safetensors"
NONE = "none"
MIN_SCORE = 0.05  # below, a place is not worth a thought
LIKELY = 0.5  # from here on a mark is named, and cropped away where that costs little


class Marks(Measurement):
    """Says how sure it is of a mark in what is left of a clip, and what the strongest mark was.

    `mark_score` is of the frames as they leave: of the strongest mark that the crop did not take away, 0 where there is
    none. `mark_kind`, `mark_box` and `mark_share` (of the area) are of the strongest mark that was found, cropped away
    or not; the box is in pixels of the frames as they came. A mark that is less than likely has the kind "none" and no
    box.
    """

    name = "marks"
    version = 2
    outputs: Mapping[str, Column] = MappingProxyType({
        "mark_score": "float", "mark_share": "float", "mark_kind": "text", "mark_box": "floats",
        "mark_cropped_share": "float",
    })  # fmt: skip
    resources = Resources(cpus=0.25, memory_bytes=128 * 2**20)

    def __init__(self, weights: Path = SHIPPED) -> None:
        """weights: a file of `muybridge train curation-marks`. Raises WeightsError at `setup` where it is none."""
        self.weights = weights
        self._network: MarkDetector | None = None

    def setup(self) -> None:
        """Load the network."""
        self._network = load_small(self.weights, MarkConfig, MarkDetector)

    def process(self, clip: Clip) -> Clip:
        """The clip, cropped where that takes a likely mark away."""
        assert self._network is not None, "setup comes first"
        height, width = clip.frames.shape[1:3]
        marks = [_rounded(mark) for mark in marks_in(self._network, clip.frames, min_score=MIN_SCORE)]
        likely = [mark for mark in marks if mark.score >= LIKELY]
        box = crop_without(likely, width_px=width, height_px=height)
        left = [mark for mark in marks if not is_outside(mark, box)]
        values = _strongest(likely, area_px=width * height) | {
            "mark_score": max((mark.score for mark in left), default=0.0),
            "mark_cropped_share": 1 - area(box) / (width * height),
        }
        return (clip if area(box) == width * height else clip.cropped(box)).noted(values)


def _strongest(likely: list[Mark], *, area_px: int) -> dict[str, Value]:
    """The columns that describe one mark."""
    mark = surest(likely)
    if mark is None:
        return {"mark_share": 0.0, "mark_kind": NONE, "mark_box": None}
    left, top, right, bottom = mark.box
    return {"mark_share": (right - left) * (bottom - top) / area_px, "mark_kind": mark.kind, "mark_box": mark.box}


def _rounded(mark: Mark) -> Mark:
    """To what is stored: decisions then follow from the stored values alone."""
    left, top, right, bottom = (round(edge, 2) for edge in mark.box)
    return replace(mark, score=round(mark.score, 6), box=(left, top, right, bottom))
