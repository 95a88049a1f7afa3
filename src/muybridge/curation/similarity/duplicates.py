"""Copies of a clip among others, however they were made: encoded anew, cropped, mirrored, retimed, recoloured, marked.

Vectors of what clips show are too coarse to call two clips the same: they only say where to look. Whether one is a copy
of the other is decided by laying their signatures on each other (`agreement`). Paper 3.1 removes what is near by the
vectors alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.curation.similarity.agreement import agreement
from muybridge.curation.similarity.candidates import candidate_pairs
from muybridge.curation.similarity.groups import joined
from muybridge.curation.similarity.rows import in_order, one_thread, unit_rows
from muybridge.curation.similarity.signature import check_signatures

SAME = 0.88  # agreement of copies; of 645 on trial films five are below, of others three pairs of near twins above


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """How far the search goes: to `count` neighbours of each clip, as far as their vectors are this near.

    Of 245 planted copies the farthest has a cosine of 0.62 to its original; among twelve neighbours, which other copies
    of it fill first, one is not found (part 0 of benchmarks/duplicates.py).
    """

    count: int = 24
    least_cosine: float = 0.55
    same: float = SAME

    def __post_init__(self) -> None:
        if self.count < 1 or not -1 <= self.least_cosine <= 1 or not 0 < self.same <= 1:
            given = f"count={self.count}, least_cosine={self.least_cosine}, same={self.same}"
            raise invalid(given, "a count, a cosine, and an agreement up to 1", "use the defaults")


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicates:
    """Of each clip, as given, the id of the one that is kept for it, None where it is kept itself; and how much it
    agrees with the clip of its group that is most like it, 0 where it has no copies.
    """

    duplicate_of: list[str | None]
    similarity: Float[np.ndarray, " n"]


def find_duplicates(
    ids: Sequence[str],
    embeddings: Float[np.ndarray, "n d"],
    signatures: Sequence[str],
    *,
    merit: Float[np.ndarray, " n"] | None = None,
    search: Search | None = None,
) -> Duplicates:
    """Copies among clips. Of a group of copies, and copies of copies, the one of most `merit` is kept: the best to
    train on, say its technical quality; of equally good ones the one whose id comes first.

    The order of rows changes nothing. Raises InvalidInput on ids that repeat and tables that do not fit them.
    """
    search = search or Search()
    worth = np.zeros(len(ids)) if merit is None else np.nan_to_num(np.asarray(merit, float), nan=-np.inf)
    order = in_order(ids, embeddings, signatures, worth)
    check_signatures(signatures)
    with one_thread():
        pairs = pairs_to_compare(embeddings[order], search)
        agreed = agreement([signatures[int(place)] for place in order], pairs)
    is_same = agreed >= search.same
    pairs, agreed = pairs[is_same].numpy(), agreed[is_same].double().numpy()
    group = joined(len(ids), map(tuple, pairs.tolist()))
    similarity = np.zeros(len(ids))
    for side in (0, 1):
        np.maximum.at(similarity, pairs[:, side], agreed)
    kept = _kept(group, worth[order])
    names = [ids[place] for place in order]
    duplicate_of = [None if best == place else names[best] for place, best in enumerate(kept)]
    return _as_given(order, duplicate_of, similarity)


def pairs_to_compare(embeddings: Float[np.ndarray, "n d"], search: Search | None = None) -> Int[Tensor, "p 2"]:
    """Places of pairs that are near by what they show."""
    search = search or Search()
    return candidate_pairs(unit_rows(embeddings), count=search.count, least=search.least_cosine)


def _kept(group: Int[np.ndarray, " n"], worth: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Of each clip the best of its group; places are in the order of ids, so the first of equals is taken."""
    best: dict[int, int] = {}
    for place, root in enumerate(group.tolist()):
        if root not in best or worth[place] > worth[best[root]]:
            best[root] = place
    return np.array([best[root] for root in group.tolist()], int)


def _as_given(order: np.ndarray, duplicate_of: list[str | None], similarity: np.ndarray) -> Duplicates:
    """From the order of ids back to the given one."""
    back = np.argsort(order)
    return Duplicates(duplicate_of=[duplicate_of[place] for place in back], similarity=similarity[back])
