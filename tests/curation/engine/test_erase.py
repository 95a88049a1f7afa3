"""Laws of erasure: nothing of a source is left, the others are untouched, and it does not come back."""

import json
import shutil
from pathlib import Path

import pyarrow
import pyarrow.parquet as parquet
import pytest

from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.curation.engine.erase import erase, naming
from muybridge.curation.engine.journal import ERASED, Journal
from tests.curation.engine.poison import digest, footage, plan, run


def rebuild(folder: Path) -> None:
    """A manifest of what the rows say."""
    rows = [{"id": row["id"], "uri": row["uri"]} for row in Journal(folder).rows()]
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "manifest.parquet")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("erase")
    footage(folder / "films", "a.mp4", "aa.mp4", "c.png")
    run(folder / "films", plan(folder / "out", num_samples=3))
    rebuild(folder / "out")
    return folder


@pytest.fixture
def done(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy")) / "out"


def test_nothing_of_a_source_is_left_and_the_others_stay(done: Path):
    before = digest(done)
    (record,) = [each for each in Journal(done).records() if each.uri == "a.mp4"]
    ids = [record.id, *(str(row["id"]) for row in record.rows)]
    assert naming(done, ids, uri="a.mp4")
    found = erase(done, "a.mp4", rebuild=rebuild)
    after = digest(done)
    assert found.num_clips == 3 and not naming(done, ids, uri="a.mp4")
    assert {uri for uri in json.loads((done / ERASED).read_text())} == {record.id}
    gone = before.keys() - after.keys()
    assert gone and all(any(each in name for each in ids) for name in gone)
    assert {name for name in before.keys() & after.keys() if before[name] != after[name]} == {"manifest.parquet"}


def test_what_was_erased_is_not_taken_in_again(done: Path):
    erase(done, "a.mp4", rebuild=rebuild)
    run(done.parent / "films", plan(done, num_samples=3))
    assert {row["uri"] for row in Journal(done).rows()} == {"aa.mp4", "c.png"}


def test_what_still_names_the_source_is_told_and_the_command_can_be_repeated(done: Path):
    with pytest.raises(RunFailed, match="manifest.parquet: still names a.mp4"):
        erase(done, "a.mp4")
    assert erase(done, "a.mp4", rebuild=rebuild).num_clips == 3
    with pytest.raises(InvalidInput, match="is no source of"):
        erase(done, "never.mp4")


def test_a_name_may_be_a_part_of_anothers(tmp_path: Path):
    footage(tmp_path / "films", "film.mp4", "my film.mp4", "mein \u00fc & film.mp4", "sub dir/new\nfilm.mp4")
    run(tmp_path / "films", plan(tmp_path / "out"))
    rebuild(tmp_path / "out")
    assert erase(tmp_path / "out", "film.mp4", rebuild=rebuild).num_clips == 3
    assert erase(tmp_path / "out", "film.mp4", rebuild=rebuild).num_clips == 0
    assert erase(tmp_path / "out", "sub dir/new%0Afilm.mp4", rebuild=rebuild).num_clips == 3
    page = tmp_path / "out" / "page.html"
    page.write_text("<td>mein \u00fc &amp; film.mp4</td>")
    with pytest.raises(RunFailed, match="page.html"):
        erase(tmp_path / "out", "mein \u00fc & film.mp4", rebuild=rebuild)
