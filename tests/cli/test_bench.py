"""`muybridge bench`."""

import pytest

from tests.acceleration.quick import measure_quickly

TINY = ("--size", "48x32", "--frames", "5", "--steps", "4", "--device", "cpu", "--repeats", "1")


@pytest.fixture
def bench(run, model, monkeypatch, tmp_path_factory):
    measure_quickly(monkeypatch, tmp_path_factory.mktemp("cache"))
    return lambda *words: run("bench", "--model", model, *TINY, *words)


def test_tables_are_printed_and_written(bench, folder):
    outcome = bench("-o", "new/speed.md")
    assert outcome.code == 0, outcome.err
    assert (folder / "new" / "speed.md").read_text() == outcome.out
    for word in ("48x32, 5 frames, 4 steps", "products, bfloat16", "one evaluation", "all 4 steps", "peak memory"):
        assert word in outcome.out
    tables = [line for line in outcome.out.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in tables}) == 2  # of two tables, every line has its columns


def test_machines_get_the_same_numbers(bench):
    found = bench("--json", "--dtype", "bfloat16", "--cfg", "2@0-1").json()
    assert found["settings"]["dtype"] == "bfloat16" and found["request"]["passes"] == 2
    film, step = found["next_films"], 2 * found["evaluation"]["seconds"]
    assert film["total"] == pytest.approx(film["text"] + film["prepare"] + 4 * step + film["decode"])
    assert found["evaluation"]["of_ceiling"] > 0 and found["predicted"]["peak_bytes"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "speed.txt"), "tables are written as Markdown; name it speed.md"),
        (("--repeats", "0"), "--repeats"),
        (("--size", "17x17"), "multiples of 16"),
        (("--quantise", "int3"), "quantise=int3"),
        (("--memory", "1MiB"), "needs about"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(bench, folder, words, message):
    outcome = bench(*words)
    assert outcome.code == 2 and outcome.out == "" and message in outcome.err
    assert outcome.err.startswith("error: ") and outcome.err.count("\n") == 1
    assert list(folder.iterdir()) == []
