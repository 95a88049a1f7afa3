"""Work in several processes: all of it is done, errors come back, no process stays."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.core.processes import alone_in, in_processes


@pytest.mark.parametrize("num_workers", [1, 2, 5])
def test_every_item_is_done_once(tmp_path: Path, num_workers: int) -> None:
    def work(item: int) -> None:
        with (tmp_path / str(item)).open("a") as file:
            file.write("done")

    assert len(list(in_processes(work, range(4), num_workers=num_workers))) == 4
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys("0123", "done")


def test_an_error_comes_back_and_ends_the_others() -> None:
    def work(item: int) -> None:
        if item == 1:
            raise InvalidInput("item 1: is not wanted; leave it out.")
        signal.pause()

    with pytest.raises(InvalidInput, match="item 1"):
        list(in_processes(work, range(3), num_workers=3))
    assert multiprocessing.active_children() == []


def test_a_worker_that_is_killed_is_an_error() -> None:
    with pytest.raises(RunFailed, match="ended from outside"):
        list(in_processes(lambda _: os.kill(os.getpid(), signal.SIGKILL), range(2), num_workers=2))


def test_a_folder_is_free_again_when_its_run_ends(tmp_path: Path) -> None:
    for _ in range(2):
        with alone_in(tmp_path / "new"), pytest.raises(RunFailed, match="another run"), alone_in(tmp_path / "new"):
            pass
