"""Spherical k-means in one level: groups of unit vectors around centres of length 1."""

import torch
from jaxtyping import Float32
from torch import Tensor

from muybridge.core.seeding import generator
from muybridge.curation.similarity.rows import nearest

ROUNDS = 12  # of Lloyd's algorithm (convention)
SAMPLED_PER_CENTRE = 256  # rows that centres are learned from (convention, as in FAISS)


def centres_of(rows: Float32[Tensor, "n d"], count: int, *, seed: int) -> Float32[Tensor, "k d"]:
    """Centres of `count` groups, fewer where there are fewer rows, learned from a sample of many rows."""
    draw = generator(seed, "k-means")
    sample = rows
    if len(rows) > count * SAMPLED_PER_CENTRE:
        chosen = torch.randperm(len(rows), generator=draw)[: count * SAMPLED_PER_CENTRE]
        sample = rows[chosen.sort().values]
    centres = _spread(sample, min(count, len(sample)), draw)
    for _ in range(ROUNDS):
        numbers = nearest(sample, centres)[1]
        sums = torch.zeros_like(centres).index_add_(0, numbers, sample)
        lengths = sums.norm(dim=1, keepdim=True)
        centres = torch.where(lengths > 0, sums / lengths.clamp_min(1e-12), centres)
    return centres


def _spread(rows: Float32[Tensor, "n d"], count: int, draw: torch.Generator) -> Float32[Tensor, "k d"]:
    """First centres: each drawn from the rows, those far from all earlier ones more often (k-means++)."""
    first = int(torch.randint(len(rows), (1,), generator=draw))
    chosen, distance = [first], (1 - rows @ rows[first]).clamp_min(0)
    for mark in torch.rand(count - 1, generator=draw, dtype=torch.float64):
        sums = distance.double().cumsum(0)
        place = int(torch.searchsorted(sums, mark * sums[-1]).clamp_max(len(rows) - 1))
        chosen.append(place)
        distance = torch.minimum(distance, (1 - rows @ rows[place]).clamp_min(0))
    return rows[chosen].clone()
