"""Names of results."""

from pathlib import Path

import pytest

from muybridge.cli.outputs import check_writable, output_paths
from muybridge.core.errors import InvalidInput


def one(output, prompt="a horse", *, suffix=".mp4"):
    return output_paths(output, [prompt], [7], suffix=suffix)[0]


def test_a_file_is_taken_as_named_and_a_folder_is_filled(tmp_path):
    assert one("ball.mp4") == Path("ball.mp4")
    for folder in ("new/", "new", str(tmp_path)):
        assert one(folder) == Path(folder) / "a-horse-7.mp4"
    assert one(None, suffix=".png") == Path("films/a-horse-7.png")


def test_equal_prompts_and_seeds_get_different_names(tmp_path):
    paths = output_paths(str(tmp_path), ["a", "a", "b"], [1, 1, 1], suffix=".mp4")
    assert [path.name for path in paths] == ["a-1.mp4", "a-1-2.mp4", "b-1.mp4"]


@pytest.mark.parametrize(
    "prompt", ["../../etc/passwd", "a/b", "..", "CON?*<>|", "x" * 500, "ein pferd " * 40, "马在草原上奔跑" * 20]
)
def test_no_prompt_leaves_the_folder_or_overflows_a_name(tmp_path, prompt):
    path = one(str(tmp_path), prompt)
    assert path.parent == tmp_path and len(path.name.encode()) < 200 and not set(path.name) & set('/\\?*<>|:"')


def test_checking_writes_nothing(tmp_path):
    check_writable(tmp_path / "new" / "deep" / "film.mp4")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "film.mp4").write_text("old")
    check_writable(tmp_path / "film.mp4")
    assert (tmp_path / "film.mp4").read_text() == "old"


def test_what_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "film.mp4", Path("/proc/film.mp4"), tmp_path):
        with pytest.raises(InvalidInput, match="cannot be written|is a folder"):
            check_writable(path)
