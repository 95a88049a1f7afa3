"""Decisions: tiers are nested, the first failed rule is told, missing values pass unless they are required."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muybridge.curation.decide import decide
from muybridge.curation.default_thresholds import DEFAULT_THRESHOLDS, with_safe_faces
from muybridge.curation.output.decided import decided
from muybridge.curation.output.table import Table
from muybridge.curation.stage import Column
from muybridge.curation.threshold_files import parse_thresholds
from muybridge.curation.thresholds import FILM_TIERS, PICTURES

TYPES: Mapping[str, Column] = {
    "id": "text", "is_picture": "bool", "short_px": "int", "motion": "float", "kind": "text", "duplicate_of": "text",
}  # fmt: skip
TABLE = """
[clip.short_px]
at_least = { 256p = 192, 360p = 270, 540p = 405, 720p = 540, finetune = 540, images = 128 }
[motion.motion]
at_least = { 256p = 0.1, 360p = 0.2, 540p = 0.2, 720p = 0.2, finetune = 0.3 }
at_most = { 256p = 2, 360p = 1.5, 540p = 1.5, 720p = 1.5, finetune = 1 }
[motion.kind]
none_of = { 256p = ["still"], 360p = ["still"], 540p = ["still"], 720p = ["still"], finetune = ["still", "fast"] }
[duplicates.duplicate_of]
empty = true
"""


def table(*rows: dict[str, Any]) -> Table:
    return Table.of_rows([{"id": f"{number}", "is_picture": False, **row} for number, row in enumerate(rows)], TYPES)


GOOD = {"short_px": 720, "motion": 0.5, "kind": "both"}
numbers = st.one_of(st.none(), st.floats(-1, 1000))
clips = st.fixed_dictionaries(
    {
        "is_picture": st.booleans(),
        "motion": numbers,
        "short_px": st.one_of(st.none(), st.integers(0, 2000)),
        "kind": st.sampled_from([None, "still", "fast", "both"]),
        "duplicate_of": st.sampled_from([None, "other"]),
    }
)


@settings(max_examples=40, deadline=None)
@given(st.lists(clips, min_size=1, max_size=30))
def test_every_tier_of_films_holds_the_next_and_pictures_are_apart(rows: list[dict[str, Any]]):
    decisions = decide(table(*rows), parse_thresholds(TABLE))
    reached = [decisions.reaches(tier) for tier in FILM_TIERS]
    for before, after in zip(reached, reached[1:], strict=False):
        assert not (after & ~before).any()
    assert not (decisions.reaches(PICTURES) & reached[0]).any()


@settings(max_examples=40, deadline=None)
@given(st.lists(clips, min_size=1, max_size=20), st.floats(0, 2), st.floats(0, 2))
def test_a_stricter_limit_keeps_no_more(rows: list[dict[str, Any]], first: float, second: float):
    loose, strict = sorted((first, second))
    kept = [
        decide(table(*rows), parse_thresholds(f"[motion.motion]\nat_least = {limit}")).is_kept
        for limit in (loose, strict)
    ]
    assert not (kept[1] & ~kept[0]).any()


@pytest.mark.parametrize(
    ("row", "tiers", "rejection"),
    [
        (GOOD, FILM_TIERS, (None, None, None, None)),
        (GOOD | {"motion": 0.2, "kind": "fast"}, FILM_TIERS[:4], (None, None, None, None)),
        (GOOD | {"short_px": 300, "motion": 1.8}, FILM_TIERS[:1], (None, None, None, None)),
        (GOOD | {"short_px": 100, "motion": 9.0}, (), ("clip", "short_px", "100", "at least 192")),
        (GOOD | {"motion": 0.05}, (), ("motion", "motion", "0.05", "at least 0.1")),
        (GOOD | {"motion": 2.5}, (), ("motion", "motion", "2.5", "at most 2")),
        (GOOD | {"kind": "still"}, (), ("motion", "kind", "still", "none of still")),
        (GOOD | {"duplicate_of": "7"}, (), ("duplicates", "duplicate_of", "7", "empty")),
        ({"is_picture": True, "short_px": 150}, (PICTURES,), (None, None, None, None)),
        ({"is_picture": True, "short_px": 100}, (), ("clip", "short_px", "100", "at least 128")),
        ({"short_px": 200}, ("256p",), (None, None, None, None)),
        (GOOD | {"motion": float("nan")}, FILM_TIERS, (None, None, None, None)),
    ],
)
def test_each_row_has_its_tiers_and_the_first_rule_that_it_fails(
    row: dict[str, Any], tiers: tuple[str, ...], rejection: tuple[str | None, ...]
):
    found, _ = decided(table(row), parse_thresholds(TABLE))
    (line,) = found.rows()
    assert tuple(line["tiers"]) == tiers
    assert tuple(line[f"rejected_{word}"] for word in ("stage", "column", "value", "threshold")) == rejection


def test_a_missing_value_passes_is_counted_and_fails_where_it_is_required():
    text = "[motion.motion]\nat_least = 0.1\n"
    rows = table(GOOD, {"short_px": 500}, {"is_picture": True})
    passed, failed = (decide(rows, parse_thresholds(text + more)) for more in ("", "required = true"))
    assert passed.num_missing == failed.num_missing == (2,)
    assert passed.is_kept.tolist() == [True, True, True] and failed.is_kept.tolist() == [True, False, False]
    absent = decide(rows, parse_thresholds("[sound.speech]\nat_most = 0.5\nrequired = true"))
    assert not absent.is_kept.any()


def test_deciding_again_replaces_what_was_decided():
    once, _ = decided(table(GOOD, GOOD | {"motion": 0.05}), parse_thresholds(TABLE))
    again, _ = decided(once, parse_thresholds("[motion.motion]\nat_least = 0.01"))
    assert again.names == once.names
    assert [row["rejected_stage"] for row in again.rows()] == [None, None]


def test_no_rows_are_decided_too():
    found, decisions = decided(table(), DEFAULT_THRESHOLDS)
    assert found.num_rows == 0 and set(decisions.counts().values()) == {0}


def test_faces_that_stay_without_consent_leave_a_clip_out_only_where_that_is_asked():
    rows = [{"id": f"{number}", "faces_safe": safe} for number, safe in enumerate((True, False, None))]
    columns = Table.of_rows(rows, {"id": "text", "faces_safe": "bool"})
    assert decide(columns, DEFAULT_THRESHOLDS).is_kept.all()
    decisions = decide(columns, with_safe_faces(DEFAULT_THRESHOLDS))
    assert decisions.is_kept.tolist() == [True, False, False]
    assert [decisions.thresholds.rules[number].name for number in decisions.rejected_by[1:]] == [
        "privacy.faces_safe"
    ] * 2
