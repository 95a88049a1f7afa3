"""docs/reference/layouts.md is what the layouts do today, measured beside diffusers and transformers."""

import pytest

from benchmarks.layouts import PAGE, page

pytestmark = [pytest.mark.peer, pytest.mark.slow]


def test_the_page_of_layouts_is_what_is_measured_and_ours_all_load():
    text = page()
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| ") and "| layout |" not in line]
    assert len(rows) > 20 and {row[4].strip() for row in rows} == {"loads"}
    assert PAGE.read_text(encoding="utf-8") == text, "run `python -m benchmarks.layouts`"
