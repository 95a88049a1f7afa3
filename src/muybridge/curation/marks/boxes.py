"""Boxes: how much two overlap, which of several are the same mark, and where they lie in the clip."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def overlaps(
    first: Float[Tensor, "*a 4"], second: Float[Tensor, "*b 4"], *, is_generalised: bool = False
) -> Float[Tensor, "*c"]:
    """Intersection over union of boxes (left, top, right, bottom), broadcast.

    is_generalised: less the share of their hull that neither fills (arXiv 1902.09630), so in (-1, 1].
    """
    inner = (torch.minimum(first[..., 2:], second[..., 2:]) - torch.maximum(first[..., :2], second[..., :2])).clamp(0)
    shared = inner.prod(-1)
    union = areas(first) + areas(second) - shared
    ratio = shared / union.clamp(min=1e-9)
    if not is_generalised:
        return ratio
    hull = torch.maximum(first[..., 2:], second[..., 2:]) - torch.minimum(first[..., :2], second[..., :2])
    hull_area = hull.prod(-1).clamp(min=1e-9)
    return ratio - (hull_area - union) / hull_area


def areas(boxes: Float[Tensor, "*a 4"]) -> Float[Tensor, "*a"]:
    """The areas of boxes; 0 where right is left of left."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(0).prod(-1)


def distinct(boxes: Float[Tensor, "n 4"], scores: Float[Tensor, " n"], *, max_overlap: float) -> Int[Tensor, " kept"]:
    """Numbers of the boxes that no better one overlaps by more than `max_overlap`, best first."""
    order = scores.argsort(descending=True, stable=True)
    kept: list[int] = []
    for number in order.tolist():
        if not kept or float(overlaps(boxes[number], boxes[kept]).max()) <= max_overlap:
            kept.append(number)
    return torch.tensor(kept, dtype=torch.long)
