"""The loop: exact resume, refusal of changed settings, nothing kept half-written."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from muybridge.core.errors import RunFailed
from muybridge.core.seeding import generator
from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.settings import settings_of
from muybridge.training.trainer import Trainer


class Regression:
    """A tiny task: the model learns a fixed linear map from noise drawn per step."""

    critic = None

    def __init__(self, breaks_at: int | None = None):
        self.breaks_at = breaks_at

    def loss(self, model: nn.Module, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        if step == self.breaks_at:
            raise KeyboardInterrupt
        x = torch.randn(batch_size, 8, generator=generator(0, step))
        return (model(x) - x.flip(1)).square().mean(), {}

    def validate(self, model: nn.Module) -> dict[str, float]:
        return {"weight": float(next(model.parameters()).sum())}


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """The least that a run is known by."""

    run: RunConfig


class Net(nn.Module):
    """Three layers; the last two count as blocks, so that Muon takes their weights, one of them a convolution's."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(8, 16)
        self.blocks = nn.ModuleList([nn.Linear(16, 16), nn.Conv1d(16, 8, 1)])

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(self.blocks[0](torch.tanh(self.first(x))))
        return self.blocks[1](hidden[..., None])[..., 0]


def trainer(
    folder: Path, *, steps: int = 12, kind: str = "muon", breaks_at: int | None = None, lr: float = 1e-2
) -> Trainer:
    optimizer = OptimizerConfig(kind=kind, lr=lr, warmup_steps=3, decay_steps=4)  # type: ignore[arg-type]
    config = RunConfig(num_steps=steps, batch_size=4, is_bf16=False, checkpoint_every_steps=5, optimizer=optimizer)
    return Trainer(Net(), Regression(breaks_at), config, folder=folder, settings=settings_of(Recipe(run=config)))


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_resumed_run_is_the_uninterrupted_run_bit_for_bit(tmp_path: Path, kind: str) -> None:
    whole = trainer(tmp_path / "whole", kind=kind)
    averaged = whole.run()
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "cut", kind=kind, breaks_at=8).run()
    resumed = trainer(tmp_path / "cut", kind=kind)
    again = resumed.run()
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(averaged.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_finished_run_resumes_to_itself(tmp_path: Path) -> None:
    first = trainer(tmp_path).run()
    second = trainer(tmp_path, breaks_at=0).run()
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    run = trainer(tmp_path, steps=200)
    before = float(Regression().loss(run.model, 999, batch_size=64)[0].detach())
    run.run()
    assert float(Regression().loss(run.model, 999, batch_size=64)[0].detach()) < 0.5 * before


def test_other_settings_are_refused(tmp_path: Path) -> None:
    trainer(tmp_path).run()
    with pytest.raises(RunFailed, match=r"other settings \(run.optimizer.lr\)"):
        trainer(tmp_path, lr=5e-3).run()


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    with torch.no_grad():
        next(run.model.parameters()).fill_(float("nan"))
    with pytest.raises(RunFailed, match="step 0"):
        run.run()


def test_two_checkpoints_are_kept(tmp_path: Path) -> None:
    trainer(tmp_path, steps=20).run()
    assert [path.name for path in sorted((tmp_path / "state").iterdir())] == ["step-0000015", "step-0000020"]
