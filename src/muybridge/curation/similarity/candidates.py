"""Which pairs of clips are worth a closer look: those whose vectors are near, by exact search or group by group."""

import torch
from jaxtyping import Float32, Int
from torch import Tensor

from muybridge.curation.similarity.kmeans import centres_of
from muybridge.curation.similarity.rows import nearest_few, neighbours

EXACT_ROWS = 2**15  # up to which every row is compared with every other: 9 s on one core for 256 numbers (estimated)
ROWS_PER_GROUP = 1000
PROBES = 3  # groups that a row is looked for in


def candidate_pairs(rows: Float32[Tensor, "n d"], *, count: int, least: float) -> Int[Tensor, "p 2"]:
    """Pairs of places (i, j), i < j, of unit rows that are among the `count` nearest of each other's neighbourhood.

    Beyond `EXACT_ROWS` rows are compared only within groups of about a thousand, each row in its three nearest ones.
    """
    if len(rows) <= EXACT_ROWS:
        return neighbours(rows, count=count, least=least)
    groups = nearest_few(rows, centres_of(rows, len(rows) // ROWS_PER_GROUP, seed=0), PROBES)
    pairs = []
    for group in range(int(groups.max()) + 1):
        members = (groups == group).any(1).nonzero()[:, 0]
        pairs.append(members[neighbours(rows[members], count=count, least=least)])
    return torch.cat(pairs).unique(dim=0)
