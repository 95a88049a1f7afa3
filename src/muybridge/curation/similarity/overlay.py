"""Laying one clip's tiny frames over another's: the crop, mirror and stretch of time that makes them agree the most.

Whichever of the two shows less, the other is searched for it: a crop is a part of its original, a clip is a part of
its bordered copy. What is compared is local contrast, and what changes over time; both are squashed, so that lettering
over a few cells counts as those few cells, and neither brightness, contrast nor colour matters much.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Float32, Int
from torch import Tensor

from muybridge.curation.similarity.signature import NUM_FRAMES, SIDE

CELLS = 8  # across and down at which clips are compared: a crop to 75 % still has nine of the signature's for them
SMALLEST = 0.75  # of a side that a crop leaves
STEP, COARSE_STEP = 0.05, 0.125  # of the side between the places that are tried: for promising pairs, and at first
PROMISING = 0.35  # agreement at the coarse places from which the others are tried
STRETCHES = ((0.0, 1.0), (0.0, 0.75), (0.125, 0.875), (0.25, 1.0), (0.0, 0.5), (0.25, 0.75), (0.5, 1.0))
NOISE = 0.5  # levels of contrast that mean nothing
STIRRING = 2.0  # levels of change at which what changes counts half as much as what stands
PAIRS = 16  # at a time; 20 MB


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """What of a clip is compared: vectors of length 1, and how much changes over time, in levels."""

    standing: Float[Tensor, "*n m"]
    changing: Float[Tensor, "*n m"]
    stir: Float[Tensor, "*n"]


def agreement(films: Float32[Tensor, "n t y x"], pairs: Int[Tensor, "p 2"]) -> Float[Tensor, " p"]:
    """How well the two clips of each pair agree where they are laid over each other best: about 1 for copies.

    Clips that have nothing in common rarely reach 0.5.
    """
    agreed = _over_all(films, pairs, COARSE_STEP)
    promising = (agreed >= PROMISING).nonzero()[:, 0]
    agreed[promising] = torch.maximum(agreed[promising], _over_all(films, pairs[promising], STEP))
    return agreed


def _over_all(films: Float32[Tensor, "n t y x"], pairs: Int[Tensor, "p 2"], step: float) -> Float[Tensor, " p"]:
    """The best agreement of each pair, whichever is the part and mirrored or not."""
    agreed = torch.zeros(len(pairs))
    for start in range(0, len(pairs), PAIRS):
        chosen = films[pairs[start : start + PAIRS]]
        first, second = chosen[:, 0], chosen[:, 1]
        ways = ((first, second), (second, first), (first.flip(-1), second), (second.flip(-1), first))
        found = [_found(part, whole, step) for part, whole in ways]
        agreed[start : start + PAIRS] = torch.stack(found).amax(0)
    return agreed


def _found(part: Float[Tensor, "p t y x"], whole: Float[Tensor, "p t y x"], step: float) -> Float[Tensor, " p"]:
    """The best agreement of the one with any part of the other: first the best place, then the best stretch there.

    The shorter in time may be either of them.
    """
    full, windows = _windows(1.0, step), _windows(SMALLEST, step)
    reference = torch.einsum("yj,ptjk,xk->ptyx", full[0], part, full[0])
    wanted = _look(reference[:, None])
    rows = torch.einsum("ayj,ptjk->patyk", windows, whole)
    placed = torch.einsum("bxk,patyk->pabtyx", windows, rows)
    placed = rearrange(placed, "p a b t y x -> p (a b) t y x")
    agreed = _agreed(wanted, _look(placed))
    best = agreed.argmax(1)
    there = placed[torch.arange(len(best)), best]
    shorter = _agreed(wanted, _look(_stretched(there))).amax(1)
    longer = _agreed(_look(_stretched(reference)), _look(there[:, None])).amax(1)
    return torch.maximum(shorter, longer)


def _stretched(film: Float[Tensor, "p t y x"]) -> Float[Tensor, "p s t y x"]:
    return torch.einsum("sut,ptyx->psuyx", _stretches(), film)


def _agreed(one: _Look, other: _Look) -> Float[Tensor, "p w"]:
    """The mean cosine of what stands and what changes; the latter counts as far as both of them stir."""
    stands = (one.standing * other.standing).sum(-1)
    changes = (one.changing * other.changing).sum(-1)
    stir = torch.minimum(one.stir, other.stir)
    weight = stir / (stir + STIRRING)
    return (stands + weight * changes) / (1 + weight)


def _look(film: Float[Tensor, "p w t y x"]) -> _Look:
    flat = rearrange(film, "p w t y x -> (p w) t y x")
    around = F.avg_pool2d(F.pad(flat, (1, 1, 1, 1), mode="replicate"), 3, 1)
    change = film - film.mean(2, keepdim=True)
    return _Look(
        standing=_squashed(film - around.view(film.shape)),
        changing=_squashed(change),
        stir=change.abs().mean((2, 3, 4)),
    )


def _squashed(contrast: Float[Tensor, "p w t y x"]) -> Float[Tensor, "p w m"]:
    """Contrasts between -1 and 1, half of it at their mean size, as a vector of length 1."""
    size = contrast.abs()
    mean = size.mean((2, 3, 4), keepdim=True) + NOISE
    return F.normalize((contrast / (size + mean)).flatten(2), dim=-1)


@lru_cache(maxsize=4)
def _windows(smallest: float, step: float) -> Float[Tensor, "w y j"]:
    """Maps from the signature's cells along an axis to the cells of every part of it, as means."""
    parts = [
        (start * step, start * step + 1 - cut * step)
        for cut in range(round((1 - smallest) / step) + 1)
        for start in range(cut + 1)
    ]
    return torch.stack([_means(CELLS, SIDE, low, high) for low, high in parts])


def _means(count: int, of: int, low: float, high: float) -> Float[Tensor, "y j"]:
    """`count` equal cells between `low` and `high` of an axis of `of` cells: the share that each of these has."""
    edges = of * (low + (high - low) * np.arange(count + 1) / count)
    starts = np.arange(of)
    shared = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    shares = shared.clip(0)
    return torch.from_numpy((shares / shares.sum(1, keepdims=True)).astype(np.float32))


@lru_cache(maxsize=1)
def _stretches() -> Float[Tensor, "s u t"]:
    """Maps from the signature's frames to frames of each stretch of the clip, between neighbours."""
    return torch.stack([_between(low, high) for low, high in STRETCHES])


def _between(low: float, high: float) -> Float[Tensor, "u t"]:
    middles = (np.arange(NUM_FRAMES) + 0.5) / NUM_FRAMES
    place = ((low + (high - low) * middles) * NUM_FRAMES - 0.5).clip(0, NUM_FRAMES - 1)
    weights = 1 - np.abs(place[:, None] - np.arange(NUM_FRAMES))
    return torch.from_numpy(weights.clip(0).astype(np.float32))
