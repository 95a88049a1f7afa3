"""No vote is lost: not by a crash in the middle of a line, not by two processes at once; erasing takes all."""

import multiprocessing
from pathlib import Path

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.curation.review.votes import Vote, add_vote, forget, read_votes


def vote(clip: str, verdict: str = "approved", **more: object) -> Vote:
    return Vote(clip=clip, sha256="0" * 64, verdict=verdict, time=1.0, **more)  # type: ignore[arg-type]


def test_the_last_vote_of_each_reviewer_on_each_clip_counts(tmp_path: Path):
    assert read_votes(tmp_path) == {}
    for who, clip, verdict in (("ann", "a", "approved"), ("ben", "a", "rejected"), ("ann", "a", "open")):
        add_vote(tmp_path, who, vote(clip, verdict))
    found = read_votes(tmp_path)
    assert found["ann"]["a"].verdict == "open" and found["ben"]["a"].verdict == "rejected"


def test_a_torn_last_line_costs_itself_alone(tmp_path: Path):
    add_vote(tmp_path, "ann", vote("a"))
    with (tmp_path / "review" / "ann.jsonl").open("ab") as file:
        file.write(b'{"clip": "b", "sha256": "0\xc3')
    add_vote(tmp_path, "ann", vote("c", "rejected", reason="blurred"))
    assert set(read_votes(tmp_path)["ann"]) == {"a", "c"}


def _add_many(folder: Path, first: int) -> None:
    for number in range(first, first + 20):
        add_vote(folder, "ann", vote(f"clip{number}"))


def test_two_processes_under_one_name_lose_no_vote(tmp_path: Path):
    forks = multiprocessing.get_context("fork")
    processes = [forks.Process(target=_add_many, args=(tmp_path, first)) for first in (0, 20)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(read_votes(tmp_path)["ann"]) == 40


def test_what_is_erased_is_in_no_line(tmp_path: Path):
    forget(tmp_path, [])  # nobody has reviewed anything
    add_vote(tmp_path, "ann", vote("gone"))
    add_vote(tmp_path, "ann", vote("kept"))
    forget(tmp_path, ["kept"])
    assert "gone" not in (tmp_path / "review" / "ann.jsonl").read_text() and set(read_votes(tmp_path)["ann"]) == {
        "kept"
    }


@pytest.mark.parametrize("name", ["", "../ann", "a/b", ".hidden", "a" * 41, "a\n", "é"])
def test_a_name_that_cannot_be_a_file_is_refused(tmp_path: Path, name: str):
    with pytest.raises(InvalidInput, match="reviewer"):
        add_vote(tmp_path, name, vote("a"))


@pytest.mark.parametrize(
    "wrong", [{"verdict": "perhaps"}, {"reason": "no"}, {"seconds": float("nan")}, {"seconds": "1"}]
)
def test_a_vote_that_is_none_is_refused(wrong: dict[str, object]):
    with pytest.raises(InvalidInput):
        vote("a", **wrong)  # type: ignore[arg-type]
