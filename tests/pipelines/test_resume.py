"""A run that is stopped anywhere and started again ends in the same bits, whatever samplers and caches remember."""

import json
import random
from pathlib import Path

import pytest
import torch
from torch import Tensor

from muybridge.acceleration.caches.budget import Budget
from muybridge.acceleration.caches.budgeted import within_budget
from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.core.seeding import noise
from muybridge.flow.samplers import SAMPLERS, Velocity
from muybridge.flow.timesteps import inference_sigmas
from muybridge.pipelines.resume.folder import ResumeFolder
from muybridge.pipelines.resume.record import Replay, RunRecord

SHAPE = (16, 2, 4, 6)  # channels as calibrated
NUM_STEPS = 20


class Cut(Exception):
    """The power has gone."""


class Field:
    """A velocity that bends, counts how often it was computed, and fails at a given evaluation."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.num_computed, self._fails_at = 0, fails_at

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        if self.num_computed == self._fails_at:
            raise Cut
        self.num_computed += 1
        return torch.sin(3 * x) * (1 + sigma[:, None, None, None, None].to(x))


def film(field: Velocity, name: str, *, budget: str | None, seeds: tuple[int, ...] = (7,)) -> Tensor:
    sampler, sigmas = SAMPLERS[name], inference_sigmas(NUM_STEPS, shift=3.0)
    if budget is not None:
        field = within_budget(field, sampler, sigmas=sigmas, budget=Budget.parse(budget), model="gallop")
    return sampler(field, noise(seeds, SHAPE), sigmas)


def resumed(folder: Path, name: str, *, budget: str | None, fails_at: int | None) -> tuple[Tensor | None, int]:
    """The film, or None where it was cut off, and how many velocities were computed."""
    field = Field(fails_at=fails_at)
    try:
        with RunRecord(folder) as record:
            return film(Replay([record]).around(field), name, budget=budget), field.num_computed
    except Cut:
        return None, field.num_computed


@pytest.mark.parametrize("budget", [None, "speed=2x", "psnr>=25"])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_film_cut_off_at_ten_random_steps_is_the_same_to_the_bit(tmp_path: Path, name: str, budget: str | None):
    whole = Field()
    expected = film(whole, name, budget=budget)
    draw = random.Random(f"{name}{budget}")
    for number, at in enumerate(draw.choices(range(1, whole.num_computed), k=10)):
        cut_off, before = resumed(tmp_path / f"{number}", name, budget=budget, fails_at=at)
        finished, after = resumed(tmp_path / f"{number}", name, budget=budget, fails_at=None)
        assert cut_off is None and finished is not None and torch.equal(finished, expected)
        assert before == at and before + after == whole.num_computed  # nothing is computed twice


def test_a_film_may_be_cut_off_again_and_again(tmp_path: Path):
    expected, finished, num_cuts = film(Field(), "abm2", budget=None), None, 0
    while finished is None:
        finished, _ = resumed(tmp_path, "abm2", budget=None, fails_at=3)
        num_cuts += finished is None
    assert torch.equal(finished, expected) and num_cuts == (NUM_STEPS - 1) // 3


@pytest.mark.parametrize("damage", ["half", "empty", "other words", "one bit"])
def test_a_damaged_file_costs_its_own_evaluation_alone(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture):
    expected, _ = resumed(tmp_path, "abm2", budget=None, fails_at=None)
    path = tmp_path / "0005.safetensors"
    content = path.read_bytes()
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    path.write_bytes({"half": content[:-100], "empty": b"", "other words": b"{}" * 99, "one bit": flipped}[damage])
    finished, num_computed = resumed(tmp_path, "abm2", budget=None, fails_at=None)
    assert finished is not None and expected is not None and torch.equal(finished, expected) and num_computed == 1
    [line] = caplog.messages
    assert "0005.safetensors: damaged" in line and len(line.splitlines()) == 1
    assert resumed(tmp_path, "abm2", budget=None, fails_at=None)[1] == 0


def test_velocities_of_other_latents_are_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    for seeds in ((7,), (8,)):
        field = Field()
        with RunRecord(tmp_path) as record:
            latents = film(Replay([record]).around(field), "euler", budget=None, seeds=seeds)
        assert torch.equal(latents, film(Field(), "euler", budget=None, seeds=seeds))
        assert field.num_computed == NUM_STEPS
    assert "belongs to other latents" in caplog.messages[0]


def test_films_of_a_batch_are_found_one_by_one(tmp_path: Path):
    for names in (["a", "b"], ["a"], ["b"], ["b", "a"]):
        field, seeds = Field(), tuple(map(ord, names))
        records = [RunRecord(tmp_path / name, every_s=0) for name in names]
        latents = film(Replay(records).around(field), "ab2", budget=None, seeds=seeds)
        assert torch.equal(latents, film(Field(), "ab2", budget=None, seeds=seeds))
        assert field.num_computed == (NUM_STEPS if names == ["a", "b"] else 0)


def test_velocities_are_written_now_and_then_and_at_the_end(tmp_path: Path):
    x = torch.randn(SHAPE)
    with RunRecord(tmp_path, every_s=3600) as record:
        record.add(0, x, x)
        assert not list(tmp_path.iterdir())
    assert record.find(0, x) is not None
    with RunRecord(tmp_path, every_s=0) as record:
        record.add(1, x, x)
        assert len(list(tmp_path.iterdir())) == 2


def test_what_bfloat16_holds_takes_half_the_room_and_comes_back_to_the_bit(tmp_path: Path):
    exact, rounded = torch.randn(4, 8, 32, 32), torch.randn(4, 8, 32, 32).bfloat16().float()
    with RunRecord(tmp_path) as record:
        for index, velocity in enumerate((exact, rounded)):
            record.add(index, exact, velocity)
    for index, velocity in enumerate((exact, rounded)):
        found = record.find(index, exact)
        assert found is not None and found.dtype == velocity.dtype and torch.equal(found, velocity)
    sizes = [(tmp_path / f"000{index}.safetensors").stat().st_size for index in (0, 1)]
    assert sizes[1] < 0.52 * sizes[0]


def test_a_full_disk_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    record = RunRecord(tmp_path / "file" / "run", every_s=0)
    with pytest.raises(RunFailed, match="make room there, then run the same again to continue"):
        record.add(0, torch.zeros(SHAPE), torch.zeros(SHAPE))


def test_finished_latents_stand_for_the_runs_that_led_to_them(tmp_path: Path):
    state = ResumeFolder(tmp_path, every_s=0).film({"prompt": "a horse"})
    assert state.result() is None
    with state.run() as record:
        record.add(0, torch.zeros(SHAPE), torch.zeros(SHAPE))
    latents = torch.randn(SHAPE)
    state.keep(latents, {"computed": 9})
    found = ResumeFolder(tmp_path).film({"prompt": "a horse"}).result()
    assert found is not None and torch.equal(found[0], latents) and found[1] == {"computed": 9}
    assert sorted(path.name for path in state.folder.iterdir()) == ["latents.safetensors", "settings.json"]
    assert json.loads((state.folder / "settings.json").read_text()) == {"prompt": "a horse"}
    state.discard()
    assert not list(tmp_path.iterdir())


def test_damaged_latents_are_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    state = ResumeFolder(tmp_path).film({"seed": 1})
    state.keep(torch.randn(SHAPE), None)
    path = state.folder / "latents.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    assert state.result() is None and "latents.safetensors: damaged" in caplog.messages[0]


def test_other_settings_have_another_state(tmp_path: Path):
    folder = ResumeFolder(tmp_path)
    states = [folder.film(settings).folder for settings in ({"seed": 1}, {"seed": 2}, {"seed": 1, "cfg": 2.0})]
    assert len(set(states)) == 3
    assert folder.film({"a": 1, "b": 2}).folder == folder.film({"b": 2, "a": 1}).folder


def test_a_folder_draws_one_seed_for_good(tmp_path: Path):
    seed = ResumeFolder(tmp_path).seed()
    assert ResumeFolder(tmp_path).seed() == seed
    (tmp_path / "seed.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"seed\.json: damaged"):
        ResumeFolder(tmp_path).seed()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="resume_dir .*: cannot be written"):
        ResumeFolder(tmp_path / "file")
