"""Names for concepts, so that a report can say what there is much of."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from muybridge.core.errors import invalid
from muybridge.curation.similarity.rows import nearest_few, one_thread, unit_rows


def name_concepts(
    centres: Float[np.ndarray, "k d"], names: Sequence[str], vectors: Float[np.ndarray, "n d"], *, few: int = 1
) -> list[tuple[str, ...]]:
    """The `few` of `names` that are nearest to each centre, nearest first; `vectors` are theirs (CaptionEmbedder).

    The names' common direction is taken out of both sides first: captions lie apart from clips as a whole, and one
    that says little is near to everything.
    """
    if not len(names) or len(names) != len(vectors):
        raise invalid(f"{len(names)} names of {len(vectors)} vectors", "each has its own", "embed the names")
    with one_thread():
        words, groups = (_apart(np.asarray(each, np.float32)) for each in (vectors, centres))
        return [tuple(names[int(place)] for place in row) for row in nearest_few(groups, words, few).tolist()]


def _apart(rows: Float[np.ndarray, "n d"]) -> torch.Tensor:
    """Rows without their mean; a single one as it is."""
    if len(rows) < 2:
        return unit_rows(rows)
    moved = rows - rows.mean(0)
    is_still = ~(np.linalg.norm(moved, axis=1) > 0)
    moved[is_still] = rows[is_still]
    return unit_rows(moved)
