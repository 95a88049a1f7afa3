"""Average precision of a detector: how well its boxes, surest first, meet the true ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from muybridge.media.geometry import Box, overlap


@dataclass(frozen=True, kw_only=True, slots=True)
class Detection:
    """A box of a picture, by its number, and how sure the detector is of it; the score of a true box is not read."""

    picture: int
    kind: str
    box: Box
    score: float = 1.0


def average_precision(
    found: Sequence[Detection], true: Sequence[Detection], *, kind: str, min_overlap: float = 0.5
) -> float:
    """The area under precision over recall for one kind, precision made to fall; NaN where nothing of it is true.

    As in PASCAL VOC since 2010: each true box is met at most once, by the surest that overlaps it most.
    """
    boxes = [one for one in true if one.kind == kind]
    if not boxes:
        return float("nan")
    ranked = sorted((one for one in found if one.kind == kind), key=lambda one: -one.score)
    hits = np.array(_hits(ranked, boxes, min_overlap), dtype=float)
    recall = np.concatenate([[0.0], hits.cumsum() / len(boxes)])
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall) * falling).sum())


def mean_average_precision(found: Sequence[Detection], true: Sequence[Detection], *, min_overlap: float = 0.5) -> float:
    """The mean over the kinds that occur among the true boxes."""
    kinds = sorted({one.kind for one in true})
    return float(np.mean([average_precision(found, true, kind=kind, min_overlap=min_overlap) for kind in kinds]))


def _hits(ranked: Sequence[Detection], boxes: Sequence[Detection], min_overlap: float) -> list[bool]:
    is_met = [False] * len(boxes)
    hits = []
    for one in ranked:
        near = [(overlap(one.box, box.box), number) for number, box in enumerate(boxes) if box.picture == one.picture]
        best, number = max(near, default=(0.0, -1))
        is_hit = best >= min_overlap and not is_met[number]
        hits.append(is_hit)
        if is_hit:
            is_met[number] = True
    return hits
