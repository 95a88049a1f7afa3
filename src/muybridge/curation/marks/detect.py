"""Marks of a clip: what the network finds, each once, in pixels of the clip's frames."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from muybridge.curation.marks.boxes import distinct
from muybridge.curation.marks.network import KINDS, STRIDES, Found, MarkDetector
from muybridge.curation.marks.summary import summarise
from muybridge.media.frames import Frames

MAX_OVERLAP = 0.5  # of two boxes that are two marks; of any kind, as one thing is not two kinds
MAX_CANDIDATES = 100  # of which the distinct ones are kept
# The network's score that counts as 0.5, as an earlier network had them, set on natural films. Of 112 stretches without
# marks no watermark or logo of the present one scores as much, and two borders do (benchmarks/marks.py --scores).
EVEN = MappingProxyType({"watermark": 0.8, "logo": 0.8, "border": 0.9})


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """One mark: its kind, how sure the network is of it, and its box (left, top, right, bottom) in pixels."""

    kind: str
    score: float  # in [0, 1]; 0.5 where false alarms become rare
    box: tuple[float, float, float, float]


@torch.inference_mode()
def marks_in(network: MarkDetector, frames: Frames, *, min_score: float) -> list[Mark]:
    """The marks of a clip. Frames: uint8 (t, h, w, 3); one frame is a picture.

    min_score: of the network, before it is levelled.
    """
    summary = summarise(frames, side_px=network.config.side_px, multiple=STRIDES[-1])
    found = network(summary.planes[None])
    height, width = frames.shape[1:3]
    return marks_of(found, min_score=min_score, scale=summary.scale, size=(width, height))[0]


def marks_of(
    found: Found, *, min_score: float, scale: tuple[float, float] = (1.0, 1.0), size: tuple[int, int] | None = None
) -> list[list[Mark]]:
    """The marks of each picture of a batch; `scale` is the network's pixels a frame's pixel, `size` clips the boxes.

    (width, height) in pixels of the frames.
    """
    scores = found.objectness.sigmoid()[..., None] * found.kinds.sigmoid()
    best, kinds = scores.max(-1)
    return [
        _of_picture(found.boxes[row], best[row], kinds[row], min_score=min_score, scale=scale, size=size)
        for row in range(len(best))
    ]


def _of_picture(
    boxes: Tensor,
    scores: Tensor,
    kinds: Tensor,
    *,
    min_score: float,
    scale: tuple[float, float],
    size: tuple[int, int] | None,
) -> list[Mark]:
    chosen = scores.topk(min(MAX_CANDIDATES, len(scores))).indices
    chosen = chosen[scores[chosen] >= min_score]
    boxes = boxes[chosen] / torch.tensor([*scale, *scale])
    if size is not None:
        boxes = boxes.clamp(min=torch.zeros(4), max=torch.tensor([*size, *size]).float())
    kept = distinct(boxes, scores[chosen], max_overlap=MAX_OVERLAP)
    marks = []
    for number in kept:
        kind, score = KINDS[int(kinds[chosen[number]])], float(scores[chosen[number]])
        marks.append(Mark(kind=kind, score=levelled(score, kind), box=_edges(boxes[number])))
    return marks


def levelled(score: float, kind: str) -> float:
    """The network's score raised to the power at which EVEN becomes 0.5, so that all kinds share one threshold."""
    return score ** (math.log(0.5) / math.log(EVEN[kind]))


def _edges(box: Tensor) -> tuple[float, float, float, float]:
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom


def surest(marks: Sequence[Mark]) -> Mark | None:
    """The mark with the best score."""
    return max(marks, key=lambda mark: mark.score, default=None)
