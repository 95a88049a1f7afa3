"""docs/reference/loras.md is what the formats of LoRA do today, measured beside diffusers."""

import pytest

pytest.importorskip("peft")

from benchmarks.loras import AS_MEANT, PAGE, page

pytestmark = [pytest.mark.peer, pytest.mark.slow]


def test_the_page_of_loras_is_what_is_measured_and_ours_all_mean_what_they_should():
    text = page()
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| ") and "| keys |" not in line]
    assert len(rows) > 20 and {row[3].strip() for row in rows} == {AS_MEANT}
    ours_there = [row[4].strip() for row in rows if row[1].strip().startswith("diffusers:")]
    assert ours_there == [AS_MEANT] * 2, "diffusers reads what we write for it"
    assert PAGE.read_text(encoding="utf-8") == text, "run `python -m benchmarks.loras`"
