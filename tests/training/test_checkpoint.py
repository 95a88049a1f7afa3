"""Checkpoints: whole or not there, kept by number, told apart when damaged, refused where there is no room."""

import os
import random
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.training import checkpoint
from muybridge.training.config import RunConfig
from muybridge.training.settings import settings_of
from tests.training.tiny import Recipe, trainer

SETTINGS = settings_of(Recipe(run=RunConfig()))
NUM_KILLS = 6


def state(value: float, *, size: int = 1000) -> dict[str, dict[str, Tensor]]:
    return {"model": {f"weight{i}": torch.full((size,), value + i) for i in range(8)}}


def save(folder: Path, step: int, *, size: int = 1000) -> Path:
    return checkpoint.save(folder, step, state(float(step), size=size), settings=SETTINGS)


def loaded(target: Path, *, size: int = 1000) -> dict[str, dict[str, Tensor]]:
    found = state(0.0, size=size)
    checkpoint.check(target, settings=SETTINGS)
    checkpoint.load(target, found)
    return found


def in_child(work: Callable[[], None]) -> int:
    """The process number of a fork that does the work."""
    child = os.fork()
    if child == 0:
        try:
            torch.set_num_threads(1)
            work()
        finally:
            os._exit(0)
    return child


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    found = loaded(save(tmp_path, 3))
    assert all(torch.equal(value, state(3.0)["model"][name]) for name, value in found["model"].items())
    assert checkpoint.tensor_names(tmp_path / "step-0000003") == {f"model.weight{i}" for i in range(8)}


def test_a_kill_at_any_point_of_saving_leaves_a_checkpoint_that_loads(tmp_path: Path) -> None:
    size, draw = 200_000, random.Random(0)
    started_s = time.perf_counter()
    save(tmp_path, 1, size=size)
    one_save_s = time.perf_counter() - started_s
    for kill in range(NUM_KILLS):
        before = checkpoint.latest(tmp_path)
        assert before is not None
        step = int(before.name[5:]) + 1
        child = in_child(lambda step=step: [save(tmp_path, step + i, size=size) for i in range(3)])
        time.sleep(one_save_s * draw.uniform(0.0, 2.0))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        newest = checkpoint.latest(tmp_path)
        assert newest is not None and newest >= before, kill
        found, wanted = loaded(newest, size=size), state(float(newest.name[5:]), size=size)
        assert all(torch.equal(value, wanted["model"][name]) for name, value in found["model"].items())


def test_what_a_kill_left_half_written_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".step-0000001.99").mkdir()
    save(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000002"]


def test_a_failing_save_leaves_the_former_one_and_nothing_else(tmp_path: Path) -> None:
    save(tmp_path, 1)
    with pytest.raises(AttributeError, match="pickle"):
        checkpoint.save(tmp_path, 2, {"model": {"bad": lambda: None}}, settings=SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000001"]


def test_a_disk_that_fills_up_while_saving_is_said_in_a_line_and_leaves_the_former_one(tmp_path: Path) -> None:
    save(tmp_path, 1)
    said = tmp_path.with_name(f"{tmp_path.name}-said")

    def save_too_much() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            save(tmp_path, 2, size=1_000_000)
        except RunFailed as error:
            said.write_text(str(error))

    os.waitpid(in_child(save_too_much), 0)
    assert "step-0000002: not saved" in said.read_text() and "make room" in said.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000001"]
    checkpoint.check(tmp_path / "step-0000001", settings=SETTINGS)


@pytest.mark.parametrize("name", ["__0_0.distcp", "run.json", ".metadata"])
def test_a_damaged_checkpoint_is_named_with_the_remedy(tmp_path: Path, name: str) -> None:
    save(tmp_path, 1)
    target = save(tmp_path, 2)
    data = bytearray((target / name).read_bytes())
    data[len(data) // 2] ^= 1
    (target / name).write_bytes(data)
    with pytest.raises(RunFailed, match=f"damaged .*{name}.*; delete this folder to continue from step-0000001"):
        checkpoint.check(target, settings=SETTINGS)


def test_a_missing_file_is_damage(tmp_path: Path) -> None:
    target = save(tmp_path, 1)
    (target / "__0_0.distcp").unlink()
    with pytest.raises(RunFailed, match="distcp is missing.*to start afresh"):
        checkpoint.check(target, settings=SETTINGS)


def test_checkpoints_from_before_there_were_sums_are_loaded(tmp_path: Path) -> None:
    target = save(tmp_path, 1)
    (target / checkpoint.SUMS).unlink()
    checkpoint.check(target, settings=SETTINGS)


def test_a_disk_too_full_is_refused_in_one_line(tmp_path: Path) -> None:
    checkpoint.check_room(tmp_path / "not" / "yet", 1000, num_kept=2)
    with pytest.raises(InvalidInput, match=r"free: 3 checkpoints of 1000000.0 GB need .*choose an --out") as raised:
        checkpoint.check_room(tmp_path, 10**15, num_kept=2)
    assert "\n" not in str(raised.value)


def test_checkpoints_that_are_there_make_room_for_new_ones(tmp_path: Path) -> None:
    for step in (1, 2):
        save(tmp_path, step)
    with pytest.raises(InvalidInput, match="free: 1 checkpoints"):
        checkpoint.check_room(tmp_path, 10**15, num_kept=2)


def test_the_size_of_a_checkpoint_is_known_before_the_first_step(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    expected = run._state_bytes()
    run.run()
    assert checkpoint.num_bytes(run._state()) == pytest.approx(expected, abs=200)  # step counters
