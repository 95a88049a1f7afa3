"""Concepts: groups of clips that show alike things, by k-means over their embeddings (paper 3.1: about 10,000).

Spherical k-means in two levels: about the square root of the number of concepts first, and each of these groups into
its share of them; then every clip goes to the nearest centre. A million clips need a thousandth of the products that
one level takes. Rows are taken in the order of their ids and one thread adds up, so equal clips give equal concepts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.curation.similarity.kmeans import centres_of
from muybridge.curation.similarity.rows import NONE, in_order, nearest, nearest_few, one_thread, unit_rows

MOST_CONCEPTS = 10_000  # paper 3.1
CLIPS_PER_CONCEPT = 100  # of a large set
ONE_LEVEL = 64  # concepts up to which one level is quick enough
NEAR_GROUPS = 4  # whose centres a row is compared with in the end


@dataclass(frozen=True, kw_only=True, slots=True)
class Concepts:
    """Of each clip, as given, its concept; concepts are numbered from the largest on. `centres` have length 1."""

    concept: Int[np.ndarray, " n"]
    centres: Float32[np.ndarray, "k d"]

    @property
    def counts(self) -> Int[np.ndarray, " k"]:
        """Clips of each concept."""
        return np.bincount(self.concept, minlength=len(self.centres))

    @property
    def share(self) -> Float[np.ndarray, " n"]:
        """Of each clip, the share of all clips that its concept has."""
        return self.counts[self.concept] / max(1, len(self.concept))


def num_concepts(num_clips: int) -> int:
    """How many a set of this size has: its square root, or one for a hundred clips where that is more, to 10,000."""
    return min(MOST_CONCEPTS, max(1, round(num_clips**0.5), num_clips // CLIPS_PER_CONCEPT))


def cluster(
    ids: Sequence[str], embeddings: Float[np.ndarray, "n d"], *, count: int | None = None, seed: int = 0
) -> Concepts:
    """The concepts of clips; `count` of them, or as many as `num_concepts` says. Empty ones are left out.

    A million clips of 256 numbers: 3 GiB. Raises InvalidInput on ids that repeat, rows without a direction, or a count
    that is not between 1 and the number of clips.
    """
    count = num_concepts(len(ids)) if count is None else count
    if len(ids) and not 1 <= count <= len(ids):
        raise invalid(f"{count} concepts", f"there are {len(ids)} clips", "ask for fewer")
    order = in_order(ids, embeddings)
    with one_thread():
        rows = unit_rows(embeddings)[torch.from_numpy(order)]
        centres, numbers = _fitted(rows, count, seed=seed) if len(rows) else (rows, torch.zeros(0, dtype=torch.long))
    return _numbered(order, numbers.numpy(), centres.numpy())


def _fitted(rows: Float32[Tensor, "n d"], count: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """(centres, number of each row)."""
    if count <= ONE_LEVEL:
        centres = centres_of(rows, count, seed=seed)
        return centres, nearest(rows, centres)[1]
    groups = centres_of(rows, round(count**0.5), seed=seed)
    near = nearest_few(rows, groups, NEAR_GROUPS)
    parts = []
    for group, share in enumerate(_shares(torch.bincount(near[:, 0], minlength=len(groups)), count)):
        if share:
            parts.append(centres_of(rows[near[:, 0] == group], share, seed=seed + 1 + group))
        else:
            parts.append(rows[:0])
    return torch.cat(parts), _settled(rows, near, parts)


def _shares(counts: Int[Tensor, " g"], total: int) -> list[int]:
    """The concepts that each group gets, by its number of rows, none more than it has rows; largest remainders."""
    exact = counts.double() * total / int(counts.sum())
    shares = torch.minimum(exact.floor().long().clamp_min(1), counts)
    order = torch.argsort(exact - shares, descending=True, stable=True)
    missing = total - int(shares.sum())
    for group in order.tolist()[: max(0, missing)]:
        shares[group] += int(shares[group] < counts[group])
    return shares.tolist()


def _settled(rows: Float32[Tensor, "n d"], near: Int[Tensor, "n m"], parts: list[Tensor]) -> Int[Tensor, " n"]:
    """The nearest centre of each row among those of its nearest groups."""
    starts = np.cumsum([0, *map(len, parts)])
    best, number = torch.full((len(rows),), NONE), torch.zeros(len(rows), dtype=torch.long)
    for group, centres in enumerate(parts):
        mine = (near == group).any(1).nonzero()[:, 0]
        if len(mine) and len(centres):
            cosine, place = nearest(rows[mine], centres)
            is_nearer = cosine > best[mine]
            best[mine[is_nearer]], number[mine[is_nearer]] = cosine[is_nearer], place[is_nearer] + int(starts[group])
    return number


def _numbered(order: np.ndarray, numbers: np.ndarray, centres: np.ndarray) -> Concepts:
    """Concepts from the largest on, in the given order of the clips."""
    counts = np.bincount(numbers, minlength=len(centres))
    by_size = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    rank = np.empty(len(centres), int)
    rank[by_size] = np.arange(len(by_size))
    concept = np.empty(len(order), int)
    concept[order] = rank[numbers]
    return Concepts(concept=concept, centres=centres[by_size])
