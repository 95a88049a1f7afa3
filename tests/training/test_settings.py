"""What a run is known by: settings that came later had their defaults, how long to train may change."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.settings import settings_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A recipe with a run."""

    size_px: int
    run: RunConfig = field(default_factory=RunConfig)


def saved(folder: Path, recipe: Recipe) -> Path:
    settings_of(recipe).save(folder / "run.json")
    return folder / "run.json"


def test_equal_settings_have_not_changed(tmp_path: Path) -> None:
    recipe = Recipe(size_px=64, run=RunConfig(optimizer=OptimizerConfig(betas=(0.8, 0.9))))
    assert settings_of(recipe).changed_since(saved(tmp_path, recipe)) == []


def test_a_changed_setting_is_named_as_set_takes_it(tmp_path: Path) -> None:
    path = saved(tmp_path, Recipe(size_px=64))
    other = Recipe(size_px=128, run=RunConfig(optimizer=OptimizerConfig(lr=5e-3)))
    assert settings_of(other).changed_since(path) == ["run.optimizer.lr", "size_px"]


def test_how_long_to_train_may_change(tmp_path: Path) -> None:
    path = saved(tmp_path, Recipe(size_px=64))
    longer = Recipe(size_px=64, run=replace(RunConfig(), num_steps=5000, validate_every_steps=7))
    assert settings_of(longer).changed_since(path) == []


def test_a_setting_that_did_not_exist_yet_had_its_default(tmp_path: Path) -> None:
    path = saved(tmp_path, Recipe(size_px=64))
    before = json.loads(path.read_text())
    del before["run"]["num_micro_batches"], before["run"]["critic_optimizer"], before["run"]["optimizer"]["betas"]
    path.write_text(json.dumps(before))
    assert settings_of(Recipe(size_px=64)).changed_since(path) == []
    other = Recipe(size_px=64, run=RunConfig(num_micro_batches=2))
    assert settings_of(other).changed_since(path) == ["run.num_micro_batches"]


def test_a_setting_that_no_longer_exists_is_a_change(tmp_path: Path) -> None:
    path = saved(tmp_path, Recipe(size_px=64))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"is_square": True}))
    assert settings_of(Recipe(size_px=64)).changed_since(path) == ["is_square"]
