"""A table of thresholds is checked row by row, reads back as it was written, and only gets stricter."""

from pathlib import Path

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.curation.default_thresholds import DEFAULT_THRESHOLDS, SAFE_FACES, with_safe_faces
from muybridge.curation.threshold_files import parse_thresholds, read_thresholds, written
from muybridge.curation.thresholds import FILM_TIERS, TIERS, Rule, Thresholds, check_tiers


def test_the_default_reads_back_as_it_was_written():
    assert parse_thresholds(written(DEFAULT_THRESHOLDS)) == DEFAULT_THRESHOLDS


def test_one_limit_stands_for_all_tiers():
    (rule,) = parse_thresholds("[blur.sharpness]\nat_least = 0.5\nrequired = true\n").rules
    assert rule.limits == dict.fromkeys(TIERS, 0.5) and rule.is_required


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[a.b]\nat_least = { 256p = 0.5, 360p = 0.4 }", "a.b: at least 0.5 in 256p, at least 0.4 in 360p"),
        ("[a.b]\nat_most = { 256p = 0.5 }", "at most 0.5 in 256p, not asked in 360p"),
        ("[a.b]\nat_most = { 720p = 0.5, finetune = 0.6 }", "mend the limit of finetune"),
        ('[a.b]\none_of = { 720p = ["x"], finetune = ["x", "y"] }', "one of x, y in finetune"),
        ('[a.b]\nnone_of = { 720p = ["x", "y"], finetune = ["x"] }', "none of x in finetune"),
        ("[a.b]\nat_least = { 480p = 1 }", "tier '480p': there is no such tier"),
        ("[a.b]\nat_least = 'much'", "takes a number"),
        ("[a.b]\nat_least = nan", "takes a number"),
        ("[a.b]\none_of = []", "takes a list of words"),
        ("[a.b]\nempty = false", "is asked for by `true`"),
        ("[a.b]\nabove = 1", "above: is no kind of rule"),
        ("[a.b]\nat_least = 1\nrequired = 'yes'", "is true or false"),
        ("a = 1", "needs a table"),
        ("[a]\nb = 1", "a column needs a table of rules"),
        ("[a.b]\nat_least = {}", "no tier has a limit"),
        ("[a.b]\nat_least = 1\n[c.b]\nat_least = 1", "c.b: at_least: stands twice"),
    ],
)
def test_a_wrong_row_is_refused_by_name(text: str, match: str):
    with pytest.raises(InvalidInput, match=match):
        parse_thresholds(text)


def test_a_file_that_is_no_table_is_refused_with_its_name(tmp_path: Path):
    path = tmp_path / "mine.toml"
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_thresholds(path)
    path.write_bytes(b"\xff\xfe nothing")
    with pytest.raises(InvalidInput, match="not TOML"):
        read_thresholds(path)
    path.write_text("[a.b]\nabove = 1")
    with pytest.raises(InvalidInput, match="mine.toml: a.b: above"):
        read_thresholds(path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[blurr.sharpness]\nat_least = 1", "there is no such stage; stages are blur"),
        ("[blur.sharp]\nat_least = 1", "blur writes no such column; it writes sharpness, kind"),
        ("[blur.kind]\nat_least = 1", "the column holds text; use one of one_of, none_of, empty"),
    ],
)
def test_a_rule_about_nothing_that_is_measured_is_refused(text: str, match: str):
    with pytest.raises(InvalidInput, match=match):
        parse_thresholds(text).check_against({"blur": {"sharpness": "float", "kind": "text"}})


def test_any_change_of_a_limit_changes_the_digest():
    def digest(limit: float, **more: bool) -> str:
        rule = Rule(stage="a", column="b", kind="at_most", limits=dict.fromkeys(FILM_TIERS, limit), **more)
        return Thresholds(rules=(rule,)).digest

    assert len({digest(0.5), digest(0.6), digest(0.5, is_required=True)}) == 3 and digest(0.5) == digest(0.5)


def test_tiers_are_put_in_order_and_checked():
    assert check_tiers(["finetune", "256p", "256p"]) == ("256p", "finetune")
    with pytest.raises(InvalidInput, match="tier '4k'"):
        check_tiers(["4k"])


def test_safe_faces_are_asked_for_once_and_of_all_tiers():
    table = with_safe_faces(with_safe_faces(DEFAULT_THRESHOLDS))
    assert table.rules == (*DEFAULT_THRESHOLDS.rules, SAFE_FACES)
    assert set(SAFE_FACES.limits) == set(TIERS) and parse_thresholds(written(table)) == table
