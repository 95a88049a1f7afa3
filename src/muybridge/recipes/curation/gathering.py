"""What is known of a clip only beside all others: whether it is a copy, and how common what it shows is."""

import numpy as np

from muybridge.curation.decide import decide
from muybridge.curation.output.table import Table
from muybridge.curation.similarity.concepts import cluster
from muybridge.curation.similarity.duplicates import find_duplicates
from muybridge.curation.stage import Column
from muybridge.curation.thresholds import FILM_TIERS, PICTURES, Thresholds
from muybridge.recipes.curation.stages import GATHERED

DIGITS = 6


def compared(table: Table, thresholds: Thresholds) -> Table:
    """The table with `GATHERED` columns, missing where a clip has no vector; as it is where none has.

    Of copies the one stays that reaches most tiers of `thresholds`, and of these the one in the best technical state.
    """
    if "embedding" not in table.names or not table.present("embedding").any():
        return table
    rows = np.flatnonzero(table.present("embedding"))
    ids = np.asarray(table.values("id"), dtype=object)[rows].tolist()
    vectors = table.vectors("embedding")
    signatures = np.asarray(table.values("signature"), dtype=object)[rows].tolist()
    found = find_duplicates(ids, vectors, signatures, merit=_merit(table, thresholds)[rows])
    is_first = np.array([name is None for name in found.duplicate_of], bool)
    concepts = cluster([name for name, stays in zip(ids, is_first, strict=True) if stays], vectors[is_first])
    columns: dict[str, list[object]] = {
        name: [None] * table.num_rows for outputs in GATHERED.values() for name in outputs
    }
    for row, copy_of, likeness in zip(rows.tolist(), found.duplicate_of, found.similarity.tolist(), strict=True):
        columns["duplicate_of"][row] = copy_of
        columns["duplicate_similarity"][row] = _rounded(likeness)
    firsts = rows[is_first].tolist()
    for row, concept, share in zip(firsts, concepts.concept.tolist(), concepts.share.tolist(), strict=True):
        columns["concept"][row], columns["concept_share"][row] = concept, _rounded(share)
    types: dict[str, Column] = {name: kind for outputs in GATHERED.values() for name, kind in outputs.items()}
    return table.with_columns(columns, types)


def _merit(table: Table, thresholds: Thresholds) -> np.ndarray:
    """How much each clip is worth, were it no copy."""
    decisions = decide(table, thresholds)
    tiers = sum(decisions.reaches(tier).astype(float) for tier in (*FILM_TIERS, PICTURES))
    technical = table.numbers("technical") if "technical" in table.names else np.zeros(table.num_rows)
    return tiers + np.nan_to_num(technical)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
