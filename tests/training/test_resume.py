"""SIGKILL at random points, then the same command: weights, averages, optimizers and critic as if nothing happened."""

from pathlib import Path

import pytest

from tests.training.runs import MAX_STEPS_A_LIFE, Build, digests, flow_run, killed_and_continued, vae_run

RUNS = {"vae with a critic": vae_run, "flow": flow_run}


def assert_kills_leave_no_trace(build: Build, folder: Path, *, num_kills: int, seed: int) -> None:
    num_steps = num_kills * MAX_STEPS_A_LIFE + 3
    undisturbed = build(folder / "whole", num_steps)
    undisturbed.run()
    found = killed_and_continued(build, folder / "killed", num_steps=num_steps, num_kills=num_kills, seed=seed)
    wanted = digests(undisturbed)
    assert wanted.keys() == found.keys()
    assert [name for name in wanted if wanted[name] != found[name]] == []


@pytest.mark.parametrize("build", RUNS.values(), ids=RUNS)
def test_two_kills_leave_no_trace(tmp_path: Path, build: Build) -> None:
    assert_kills_leave_no_trace(build, tmp_path, num_kills=2, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("build", RUNS.values(), ids=RUNS)
def test_twenty_kills_leave_no_trace(tmp_path: Path, build: Build) -> None:
    assert_kills_leave_no_trace(build, tmp_path, num_kills=20, seed=1)
