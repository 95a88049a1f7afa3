"""The report's numbers add up, its page says them, and no name in it is taken for markup."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muybridge.curation.output.decided import decided
from muybridge.curation.output.manifest import table_of
from muybridge.curation.output.table import Table
from muybridge.curation.report.concepts import concept_lines, duplicate_pairs
from muybridge.curation.report.examples import dropped_rows, kept_rows, said_of, shown
from muybridge.curation.report.funnel import funnel, tier_lines
from muybridge.curation.report.histograms import HEIGHT, WIDTH, histograms
from muybridge.curation.report.page import SourceLine, length_words, write_report
from muybridge.curation.stage import Column
from muybridge.curation.threshold_files import parse_thresholds
from muybridge.media.writer import write_video

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"
TYPES: dict[str, Column] = {
    "id": "text", "uri": "text", "clip": "text", "start_s": "float", "end_s": "float", "width": "int", "height": "int",
    "is_picture": "bool", "num_frames": "int", "fps": "float", "stage_version": "text", "motion": "float",
    "kind": "text",
    "duplicate_of": "text",
    "duplicate_similarity": "float", "concept": "int", "sampling_weight": "float",
}  # fmt: skip
TABLE = """
[clip.short_px]
at_least = { 256p = 40, 360p = 50, 540p = 60, 720p = 60, finetune = 60, images = 20 }
[motion.motion]
at_least = { 256p = 0.1, 360p = 0.2, 540p = 0.2, 720p = 0.2, finetune = 0.4 }
[motion.kind]
none_of = { 256p = ["still"], 360p = ["still"], 540p = ["still"], 720p = ["still"], finetune = ["still"] }
[sound.speech]
at_most = 0.5
[duplicates.duplicate_of]
empty = true
"""


def rows(count: int = 12) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{number:02d}",
            "uri": HOSTILE if number == 3 else f"{number}.mp4",
            "clip": f"clips/{number:02d}.mp4",
            "start_s": 0.0,
            "end_s": 2.0,
            "width": 64,
            "height": 30 if number < 3 else 48,
            "is_picture": False,
            "num_frames": 5,
            "fps": 8.0,
            "stage_version": "v1",
            "motion": None if number == 11 else 0.05 * number,
            "kind": "still" if number == 10 else "both",
            "duplicate_of": "08" if number == 9 else None,
            "duplicate_similarity": 0.98 if number == 9 else None,
            "concept": number % 4 // 3,
            "sampling_weight": 1.0 + 2 * (number % 4 // 3),
        }
        for number in range(count)
    ]


@pytest.fixture
def table() -> Table:
    return table_of(rows(), TYPES)


def test_the_funnel_adds_up_from_all_clips_to_those_that_are_kept(table: Table):
    decided_table, decisions = decided(table, parse_thresholds(TABLE))
    lines = funnel(decided_table, decisions)
    assert [(line.name, line.num_in, line.num_dropped) for line in lines] == [
        ("clip", 12, 3), ("motion", 9, 1), ("sound", 8, 0), ("duplicates", 8, 1),
    ]  # fmt: skip
    assert lines[-1].num_out == int(decisions.is_kept.sum()) == 7
    assert [line.is_measured for line in lines] == [True, True, False, True]
    assert lines[1].reasons[0].num_missing == 1 and lines[0].reasons[0].asked == "at least 40, pictures at least 20"


def test_tiers_say_how_much_they_hold_and_what_stops_the_rest(table: Table):
    lines = {line.name: line for line in tier_lines(*decided(table, parse_thresholds(TABLE)))}
    assert lines["256p"].num_clips == 7 and lines["256p"].length_s == 14.0
    assert [(rule.column, count) for rule, count in lines["256p"].stops] == [
        ("short_px", 3), ("kind", 1), ("duplicate_of", 1),
    ]  # fmt: skip
    assert lines["360p"].num_clips == 0 and lines["360p"].stops[0][1] == 7


def test_examples_are_those_nearest_to_the_limit_on_both_sides(table: Table):
    text = "[motion.motion]\nat_least = { 256p = 0.22, 360p = 0.3, 540p = 0.3, 720p = 0.3, finetune = 0.3 }"
    decided_table, decisions = decided(table, parse_thresholds(text))
    ids = decided_table.values("id")
    assert [ids[row] for row in dropped_rows(decided_table, decisions, 0)] == ["04", "03", "02", "00"]
    assert [ids[row] for row in kept_rows(decided_table, decisions, 0)] == ["05", "06", "07"]
    said = said_of(decided_table, 4, decisions.thresholds.rules[0])
    assert said == "motion 0.2, where at least 0.22 is asked"


def test_a_copy_is_told_with_what_it_copies(table: Table):
    decided_table, decisions = decided(table, parse_thresholds(TABLE))
    rule = decisions.thresholds.rules[-1]
    row = decided_table.values("id").index("09")
    assert said_of(decided_table, row, rule) == "copy of 8.mp4, 0 to 2 s"


def test_histograms_hold_every_value_and_limit(table: Table):
    charts = {chart.column: chart for chart in histograms(table, parse_thresholds(TABLE))}
    assert list(charts) == ["short_px", "motion"]
    for chart in charts.values():
        assert sum(bar.num_clips for bar in chart.bars) == chart.num_values
        assert all(0 <= mark.x <= WIDTH for mark in chart.marks)
        assert all(0 <= bar.y and abs(bar.y + bar.height - HEIGHT) < 0.02 for bar in chart.bars)
    assert charts["motion"].num_missing == 1
    assert charts["motion"].marks[1].tiers == ("360p", "540p", "720p")


def test_balanced_shares_are_those_of_a_round_of_training(table: Table, tmp_path: Path):
    decided_table, decisions = decided(table, parse_thresholds("[clip.short_px]\nat_least = 1"))
    common, rare = concept_lines(tmp_path, decided_table, decisions)
    assert (common.num_clips, rare.num_clips) == (9, 3) and common.share == 0.75
    assert common.balanced == 0.5 == rare.balanced
    ((first, second),) = duplicate_pairs(tmp_path, decided_table).shown
    assert (first.id, second.id, second.said) == ("08", "09", "alike 0.98")


def test_the_page_is_whole_without_scripts_addresses_or_foreign_markup(table: Table, tmp_path: Path):
    (tmp_path / "clips").mkdir()
    for number in range(3, 12):
        frames = np.full((5, 48, 64, 3), 20 * number, np.uint8)
        write_video(tmp_path / f"clips/{number:02d}.mp4", frames, fps=8)
    decided_table, decisions = decided(table, parse_thresholds(TABLE))
    sources = [SourceLine(uri=HOSTILE, state="quarantined", num_clips=1, num_kept=0, remarks=HOSTILE)]
    path = write_report(tmp_path, decided_table, decisions, sources=sources)
    page = path.read_text()
    assert "Faces were not looked for" not in page
    assert (
        "7 of 12 clips are kept" in page and "&lt;script&gt;alert(1)" in page and "49" not in page.split("7*7")[0][-9:]
    )
    assert not re.search(r"<script|<img src=x|https?://|@import|url\(", page)
    pictures = re.findall(r'<img src="([^"]+)"', page)
    assert pictures and all((path.parent / name).is_file() for name in pictures)
    assert "file gone" in page  # 00, 01 and 02 were never written


def test_the_page_says_in_how_many_kept_clips_faces_were_left(tmp_path: Path):
    found = [{**row, "faces_safe": number % 2 == 0} for number, row in enumerate(rows())]
    decided_table, decisions = decided(table_of(found, {**TYPES, "faces_safe": "bool"}), parse_thresholds(TABLE))
    page = write_report(tmp_path, decided_table, decisions, sources=[]).read_text()
    left = int((np.arange(12)[decisions.is_kept] % 2 == 1).sum())
    assert f"({left} of the kept clips)" in page


def test_an_empty_curation_has_a_report_too(tmp_path: Path):
    decided_table, decisions = decided(table_of([], TYPES), parse_thresholds(TABLE))
    assert "0 of 0 clips" in write_report(tmp_path, decided_table, decisions, sources=[]).read_text()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "missing"),
        (0.123456, "0.123"),
        (float("nan"), "missing"),
        (True, "yes"),
        ((1.0, 2.5), "1, 2.5"),
        ("a", "a"),
    ],
)
def test_values_are_said_in_few_characters(value: object, said: str):
    assert shown(value) == said


@pytest.mark.parametrize(("seconds", "said"), [(0, ""), (45, "45 s"), (720, "12 min"), (12240, "3.4 h")])
def test_lengths_are_said_as_people_do(seconds: float, said: str):
    assert length_words(seconds) == said
