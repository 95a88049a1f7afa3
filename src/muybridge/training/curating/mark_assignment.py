"""Which places of the detector answer for which mark, and the loss: SimOTA as in YOLOX (arXiv 2107.08430, 2.1)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from muybridge.curation.marks.boxes import overlaps
from muybridge.curation.marks.network import KINDS, Found

NEAR = 2.5  # strides from a mark's middle within which a place may answer for it: centre sampling
NUM_CANDIDATES = 10  # whose overlaps, summed, give the number of places of a mark
BOX_COST = 3.0  # of -log overlap, beside the classes' cross-entropy
FAR_COST, NEVER_COST = 1e5, 1e9  # places that are not both near and inside come last; others not at all
BOX_WEIGHT = 5.0  # of the overlap in the loss
NO_MARK = -1


class Wanted(NamedTuple):
    """The marks of a batch, padded to m a picture with kind NO_MARK."""

    boxes: Float[Tensor, "b m 4"]
    kinds: Int[Tensor, "b m"]


class Assignment(NamedTuple):
    """The mark that each place answers for, NO_MARK for none, and the overlap of its box with it."""

    marks: Int[Tensor, "b n"]
    overlaps: Float[Tensor, "b n"]


@torch.no_grad()
def assign(found: Found, wanted: Wanted, *, middles: Float[Tensor, "n 2"], strides: Float[Tensor, " n"]) -> Assignment:
    """Each mark takes the places of least cost, as many as their overlaps add up to; a place serves one mark."""
    cost, shared = _costs(found, wanted, middles=middles, strides=strides)
    is_asked = (wanted.kinds != NO_MARK)[..., None]
    best = shared.topk(min(NUM_CANDIDATES, shared.shape[2]), dim=2).values
    num_places = best.sum(2).int().clamp(min=1)[..., None]
    rank = cost.argsort(dim=2).argsort(dim=2)
    is_taken = (rank < num_places) & (cost < NEVER_COST) & is_asked
    cheapest = torch.where(is_taken, cost, torch.inf).min(dim=1)
    is_free = cheapest.values.isinf()
    marks = cheapest.indices.masked_fill(is_free, NO_MARK)
    return Assignment(marks, shared.gather(1, cheapest.indices[:, None])[:, 0].masked_fill(is_free, 0.0))


def _costs(found: Found, wanted: Wanted, *, middles: Tensor, strides: Tensor) -> tuple[Tensor, Tensor]:
    """What it costs that a place answers for a mark, and their overlap: (b, m, n) each."""
    shared = overlaps(wanted.boxes[:, :, None], found.boxes[:, None])
    is_near, is_inside = _reach(wanted.boxes, middles, strides)
    joint = (found.kinds.sigmoid() * found.objectness.sigmoid()[..., None]).sqrt()
    entropy = -(1 - joint).clamp(min=1e-6).log()  # of saying no to each kind
    chosen = wanted.kinds.clamp(min=0)[..., None].expand(-1, -1, joint.shape[1])
    yes = -joint.clamp(min=1e-6).log().transpose(1, 2).gather(1, chosen)
    no = entropy.transpose(1, 2).gather(1, chosen)
    cost = yes - no + entropy.sum(2)[:, None] - BOX_COST * shared.clamp(min=1e-8).log()
    cost = cost + FAR_COST * ~(is_near & is_inside)
    return cost.masked_fill(~(is_near | is_inside), NEVER_COST), shared * (is_near | is_inside)


def _reach(boxes: Tensor, middles: Tensor, strides: Tensor) -> tuple[Bool[Tensor, "b m n"], Bool[Tensor, "b m n"]]:
    """Which places are near a mark's middle, and which lie in its box."""
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    is_near = ((middles - centre[:, :, None]).abs() < NEAR * strides[:, None]).all(-1)
    is_inside = ((middles > boxes[:, :, None, :2]) & (middles < boxes[:, :, None, 2:])).all(-1)
    return is_near, is_inside


def mark_loss(
    found: Found, wanted: Wanted, *, middles: Float[Tensor, "n 2"], strides: Float[Tensor, " n"]
) -> tuple[Float[Tensor, ""], dict[str, float]]:
    """Overlap, objectness and kind, each a sum over places divided by the number that answer for a mark."""
    assigned = assign(found, wanted, middles=middles, strides=strides)
    is_mark = assigned.marks != NO_MARK
    count = is_mark.sum().clamp(min=1)
    objectness = F.binary_cross_entropy_with_logits(found.objectness, is_mark.float(), reduction="sum") / count
    picture = torch.arange(len(is_mark))[:, None].expand_as(is_mark)[is_mark]
    mark = assigned.marks[is_mark]
    target = F.one_hot(wanted.kinds[picture, mark], len(KINDS)) * assigned.overlaps[is_mark][:, None]
    kind = F.binary_cross_entropy_with_logits(found.kinds[is_mark], target.float(), reduction="sum") / count
    shared = overlaps(found.boxes[is_mark], wanted.boxes[picture, mark], is_generalised=True)
    box = BOX_WEIGHT * (1 - shared).sum() / count
    figures = {"objectness": float(objectness.detach()), "kind": float(kind.detach()), "box": float(box.detach())}
    return objectness + kind + box, figures
