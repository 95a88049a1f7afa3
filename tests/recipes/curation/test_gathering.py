"""Clips beside all others: of copies one stays."""

import numpy as np

from muybridge.curation.output.table import Table
from muybridge.curation.similarity.signature import signature_of
from muybridge.curation.stage import Column
from muybridge.curation.threshold_files import parse_thresholds
from muybridge.recipes.curation.gathering import compared


def test_of_copies_the_one_stays_that_is_of_most_use():
    rng = np.random.default_rng(0)
    films = [rng.integers(0, 255, (6, 8, 8, 3), dtype=np.uint8).repeat(4, 1).repeat(4, 2) for _ in range(3)]
    rows = [
        {
            "id": name,
            "short_px": side,
            "embedding": tuple(np.eye(4)[film].tolist()),
            "signature": signature_of(films[film]),
        }
        for name, film, side in (("a", 0, 16), ("b", 0, 64), ("c", 1, 64), ("d", 2, 64))
    ]
    rows.append({"id": "e", "short_px": 64})  # without a vector
    types: dict[str, Column] = {"id": "text", "short_px": "int", "embedding": "floats", "signature": "text"}
    table = compared(Table.of_rows(rows, types), parse_thresholds("[clip.short_px]\nat_least = 32"))
    assert table.values("duplicate_of") == ["b", None, None, None, None]
    assert table.values("concept")[0] is None is table.values("concept")[4]
    assert None not in table.values("concept")[1:4]
