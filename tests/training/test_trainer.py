"""The loop: exact resume, accumulation, critics, refusal of changed settings, nothing kept half-written."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.training.config import OptimizerConfig, RunConfig
from tests.training.tiny import OPTIMIZER, Adversarial, Regression, Showing, assert_same, tensors, trainer

ROUNDING = 1e-5  # float32 sums in another order, over twelve steps
VARIANTS: dict[str, dict[str, Any]] = {
    "adamw": {},
    "muon": {"optimizer": replace(OPTIMIZER, kind="muon")},
    "adaptive clipping": {"optimizer": replace(OPTIMIZER, clip="adaptive"), "num_steps": 40},
    "power average": {"ema_width": 0.1},
    "accumulation": {"num_micro_batches": 2},
}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_a_resumed_run_is_the_uninterrupted_run_bit_for_bit(tmp_path: Path, changes: dict[str, Any]) -> None:
    whole = trainer(tmp_path / "whole", **changes)
    whole.run()
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "cut", Regression(breaks_at=8), **changes).run()
    resumed = trainer(tmp_path / "cut", **changes)
    resumed.run()
    assert_same(whole, resumed)


@pytest.mark.parametrize("breaks_at", [2, 4, 9], ids=["before it learns", "as it starts", "while it learns"])
def test_a_critic_resumes_bit_for_bit(tmp_path: Path, breaks_at: int) -> None:
    whole = trainer(tmp_path / "whole", Adversarial(), checkpoint_every_steps=2)
    whole.run()
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "cut", Adversarial(breaks_at), checkpoint_every_steps=2).run()
    resumed = trainer(tmp_path / "cut", Adversarial(), checkpoint_every_steps=2)
    resumed.run()
    assert_same(whole, resumed)


def test_a_critic_learns_from_its_first_step_on(tmp_path: Path) -> None:
    fresh = tensors(trainer(tmp_path / "fresh", Adversarial()))
    before, after = (trainer(tmp_path / str(steps), Adversarial(), num_steps=steps) for steps in (4, 5))
    before.run()
    after.run()
    weights = [name for name in fresh if name.startswith("critic.")]
    assert weights and all(torch.equal(fresh[name], tensors(before)[name]) for name in weights)
    assert not all(torch.equal(fresh[name], tensors(after)[name]) for name in weights)


def test_micro_batches_train_as_their_whole_batch_does(tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole", batch_size=8, log_every_steps=12)
    parts = trainer(tmp_path / "parts", batch_size=8, num_micro_batches=4, log_every_steps=12)
    for run in (whole, parts):
        run.run()
    for a, b in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=ROUNDING, atol=ROUNDING)
    first, second = (_lines(tmp_path / name)[0] for name in ("whole", "parts"))
    assert first["loss"] == pytest.approx(second["loss"], rel=1e-4) and first["l1"] == pytest.approx(second["l1"])


def test_a_finished_run_resumes_to_itself(tmp_path: Path) -> None:
    first, second = trainer(tmp_path), trainer(tmp_path, Regression(breaks_at=0))
    first.run()
    second.run()
    assert_same(first, second)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    run = trainer(tmp_path, num_steps=200, checkpoint_every_steps=200)
    before = float(Regression().loss(run.model, 999, batch_size=64)[0].detach())
    run.run()
    assert float(Regression().loss(run.model, 999, batch_size=64)[0].detach()) < 0.5 * before


def test_other_settings_are_refused(tmp_path: Path) -> None:
    trainer(tmp_path).run()
    with pytest.raises(RunFailed, match=r"other settings \(run.optimizer.lr\)"):
        trainer(tmp_path, optimizer=replace(OPTIMIZER, lr=5e-3)).run()


def test_weights_that_learn_are_float32(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    with pytest.raises(InvalidInput, match="what learns is float32"):
        type(run)(run.model.bfloat16(), run.task, run.config, folder=tmp_path, settings=run.settings)


def test_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    trainer(tmp_path, num_steps=20).run()
    assert [path.name for path in sorted((tmp_path / "state").iterdir())] == ["step-0000015", "step-0000020"]
    trainer(tmp_path, num_steps=40, num_checkpoints=3).run()
    assert [path.name[-2:] for path in sorted((tmp_path / "state").iterdir())] == ["30", "35", "40"]


def test_figures_of_steps_that_are_trained_again_stand_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, Regression(breaks_at=8), log_every_steps=1).run()
    assert [line["step"] for line in _lines(tmp_path)] == [1, 2, 3, 4, 5, 6, 7, 8]
    trainer(tmp_path, log_every_steps=1).run()
    steps = [line["step"] for line in _lines(tmp_path) if "loss" in line]
    assert steps == list(range(1, 13))


def test_sample_sheets_are_written_when_they_are_due(tmp_path: Path) -> None:
    trainer(tmp_path, Showing(), sample_every_steps=6).run()
    names = [path.name for path in sorted((tmp_path / "samples").iterdir())]
    assert names == [f"step-00000{step}-{size}.png" for step in ("06", "12") for size in ("24x16", "32x32")]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("num_micro_batches", 3, "divides batch_size=4"),
        ("num_checkpoints", 0, "at least 1"),
        ("ema_width", 0.3, "share of the run"),
        ("sample_every_steps", -1, "not negative"),
    ],
)
def test_settings_that_do_not_fit_are_refused(field: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        RunConfig(**{"batch_size": 4, field: value})
    with pytest.raises(InvalidInput, match="positive"):
        OptimizerConfig(clip_sigmas=0.0)


def _lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
