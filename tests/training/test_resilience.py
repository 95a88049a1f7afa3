"""Told to stop, a run saves and stops; where numbers stop being finite, it names the step and the layer."""

import os
import signal
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from muybridge.core.errors import RunFailed, Stopped
from muybridge.training.checkpoint import latest
from tests.training.tiny import Adversarial, Net, Regression, assert_same, trainer


class Signalled(Regression):
    """A run that is sent signals at step 7."""

    def __init__(self, *numbers: signal.Signals):
        super().__init__()
        self.numbers = numbers

    def loss(self, model: nn.Module, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        if step == 7:
            for number in self.numbers:
                os.kill(os.getpid(), number)
        return super().loss(model, step, batch_size=batch_size, micro=micro)


class SignalledWhileValidating(Regression):
    """A run that is told to stop after its step is done."""

    def validate(self, model: nn.Module) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGTERM)
        return super().validate(model)


class Breaking(nn.Module):
    """The identity, but for what it does to values or to gradients at one step."""

    def __init__(self, *, is_backward: bool, step: int):
        super().__init__()
        self.is_backward, self.step, self.num_calls = is_backward, step, 0

    def forward(self, x: Tensor) -> Tensor:
        self.num_calls += 1
        if self.num_calls <= self.step:
            return x
        return (x * 0).sqrt() + x if self.is_backward else x * torch.nan


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGTERM, Stopped), (signal.SIGINT, KeyboardInterrupt)], ids=["SIGTERM", "Ctrl-C"]
)
def test_told_to_stop_a_run_saves_and_continues_bit_for_bit(
    tmp_path: Path, number: signal.Signals, raised: type[BaseException]
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(raised):
        trainer(tmp_path / "cut", Signalled(number)).run()
    assert signal.getsignal(number) is before
    saved = latest(tmp_path / "cut" / "state")
    assert saved is not None and saved.name == "step-0000008"
    whole, resumed = trainer(tmp_path / "whole"), trainer(tmp_path / "cut")
    whole.run()
    resumed.run()
    assert_same(whole, resumed)


def test_told_to_stop_between_steps_a_run_saves_too(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="saved step 3"):
        trainer(tmp_path, SignalledWhileValidating(), validate_every_steps=3).run()
    saved = latest(tmp_path / "state")
    assert saved is not None and saved.name == "step-0000003"


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, Signalled(signal.SIGINT, signal.SIGINT)).run()
    saved = latest(tmp_path / "state")
    assert saved is not None and saved.name == "step-0000005"


def test_being_told_to_stop_is_no_failure() -> None:
    assert Stopped("").exit_code == 0


@pytest.mark.parametrize(
    ("is_backward", "said"),
    [
        (False, r"step 6: the loss is nan; first not finite: the output of last_blocks.0.1;"),
        (True, r"step 6: the gradients' norm is nan; first not finite: the gradient of the output of last_blocks.0.0;"),
    ],
    ids=["values", "gradients"],
)
def test_the_step_and_the_layer_are_named(tmp_path: Path, is_backward: bool, said: str) -> None:
    run = trainer(tmp_path)
    breaking = Breaking(is_backward=is_backward, step=6)
    run.model.last_blocks[0] = nn.Sequential(run.model.last_blocks[0], breaking)
    with pytest.raises(RunFailed, match=said):
        run.run()


def test_weights_that_are_not_finite_are_named(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    with torch.no_grad():
        run.model.middle[0].weight[0, 0] = float("inf")
    with pytest.raises(RunFailed, match="step 0: .*the weights middle.0.weight"):
        run.run()


def test_a_critic_that_is_not_finite_is_named(tmp_path: Path) -> None:
    task = Adversarial()
    with torch.no_grad():
        task.critic[2].bias.fill_(float("nan"))
    with pytest.raises(RunFailed, match="step 0"):
        trainer(tmp_path, task).run()


def test_a_healthy_run_is_not_watched(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.run()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in run.model.modules())
    assert isinstance(run.model, Net)
