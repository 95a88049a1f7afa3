"""What is written of kept clips: their weight in sampling."""

from muybridge.curation.output.decided import decided
from muybridge.curation.output.table import Table
from muybridge.curation.stage import Column
from muybridge.curation.threshold_files import parse_thresholds
from muybridge.recipes.curation.results import balanced


def test_kept_clips_of_rare_concepts_weigh_more():
    rows = [{"id": str(number), "short_px": 64 if number else 8, "concept": int(number > 6)} for number in range(9)]
    types: dict[str, Column] = {"id": "text", "short_px": "int", "concept": "int"}
    table, decisions = decided(Table.of_rows(rows, types), parse_thresholds("[clip.short_px]\nat_least = 32"))
    weights = balanced(table, decisions).values("sampling_weight")
    assert weights[0] is None and weights[1] == weights[6] < weights[7] == weights[8]
