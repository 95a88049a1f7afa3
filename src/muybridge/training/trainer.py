"""The training loop: one device, exact resume, averaged weights, figures."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor, nn

from muybridge.core.errors import RunFailed
from muybridge.training import checkpoint
from muybridge.training.config import RunConfig
from muybridge.training.ema import Ema, decay_of
from muybridge.training.learner import Learner
from muybridge.training.metrics import Figures, Sink, open_sinks
from muybridge.training.recompute import apply_recompute
from muybridge.training.resilience import StopRequests, first_not_finite
from muybridge.training.samples import write_samples
from muybridge.training.settings import RunSettings
from muybridge.training.task import CriticTask, Sampling, Task
from muybridge.training.throughput import Meter

logger = logging.getLogger(__name__)
Model = TypeVar("Model", bound=nn.Module)
OnStep = Callable[[int, int, Figures], None]
LossOf = Callable[[int], tuple[Tensor, Figures]]  # of the micro-batch


class Trainer(Generic[Model]):
    """Trains `model` on `task` in `folder`; the same call after an interruption goes on bit for bit where it stopped.

    settings: what makes this run itself; a folder with other settings is refused.
    num_steps may grow between calls of one run, the rest may not.
    """

    def __init__(self, model: Model, task: Task[Model], config: RunConfig, *, folder: Path, settings: RunSettings):
        self.model, self.task, self.config, self.folder = model, task, config, folder
        self.settings = settings
        self.learner = Learner(model, config.optimizer)
        self.critic = None if task.critic is None else Learner(task.critic, config.critic_optimizer)
        self.ema = Ema(model, decay_of(config))
        apply_recompute(model, config.recompute)
        self.meter = Meter(model, is_bf16=config.is_bf16)
        self.step = 0

    def run(self, on_step: OnStep | None = None) -> Model:
        """Train to `num_steps`; the averaged model.

        Raises InvalidInput before the first step on a disk too full for the checkpoints; RunFailed on a loss or a
        gradient that is not finite, or a checkpoint that cannot be continued; Stopped or KeyboardInterrupt after
        saving, when told to stop by SIGTERM or Ctrl-C.
        """
        self._resume()
        checkpoint.check_room(self.folder / "state", self._state_bytes(), num_kept=self.config.num_checkpoints)
        self.model.train()
        with self._sinks() as sinks, StopRequests() as stop:
            while self.step < self.config.num_steps:
                figures = self._one_step()
                self.step += 1
                if self.step % self.config.log_every_steps == 0:
                    figures |= self.meter.figures()
                    self._record(sinks, figures)
                self._after_step(sinks, is_stopping=stop.received is not None)
                if on_step:
                    on_step(self.step, self.config.num_steps, figures)
                if stop.received is not None:
                    self._save()  # told meanwhile; else it is there already
                    stop.leave(self.step)
        return self.ema.model

    def _one_step(self) -> Figures:
        with self.meter:
            figures = self._learn(self.learner, self._model_loss)
            self.learner.move(self.step, self.config.num_steps)
            self.ema.update(self.model, self.step)
            if self.critic is not None:
                figures |= self._critic_step(self.critic, cast(CriticTask[Model], self.task))
        return figures

    def _critic_step(self, critic: Learner, task: CriticTask[Model]) -> Figures:
        """The critic's turn; the model's loss has left gradients in it."""
        critic.forget()
        started = task.critic_start_step
        if self.step < started:
            return {}
        figures = self._learn(critic, lambda micro: task.critic_loss(self.step, micro=micro))
        critic.move(self.step - started, self.config.num_steps - started)
        return {f"critic_{name.removeprefix('critic_')}": value for name, value in figures.items()}

    def _model_loss(self, micro: int) -> tuple[Tensor, Figures]:
        batch_size = self.config.batch_size // self.config.num_micro_batches
        return self.task.loss(self.model, self.step, batch_size=batch_size, micro=micro)

    def _learn(self, learner: Learner, loss_of: LossOf) -> Figures:
        """Leave clipped gradients of the mean loss over the micro-batches in the network; mean figures."""
        num, sums = self.config.num_micro_batches, dict[str, float]()
        for micro in range(num):
            with self._autocast():
                loss, figures = loss_of(micro)
            figures = {"loss": float(loss.detach()), **figures}
            if not math.isfinite(figures["loss"]):
                raise self._not_finite(f"the loss is {figures['loss']}", learner, loss_of)
            (loss / num).backward()
            sums = {name: sums.get(name, 0.0) + value / num for name, value in figures.items()}
        norm = float(learner.clip())
        if not math.isfinite(norm):
            raise self._not_finite(f"the gradients' norm is {norm}", learner, loss_of)
        return {"loss": sums.pop("loss"), "grad_norm": norm, **sums}

    def _not_finite(self, what: str, learner: Learner, loss_of: LossOf) -> RunFailed:
        """The error that names the step and the layer, for which the step is computed again."""

        def found(micro: int) -> str | None:
            with self._autocast():
                return first_not_finite(learner.network, lambda: loss_of(micro)[0])

        places = (found(micro) for micro in range(self.config.num_micro_batches))
        place = next((place for place in places if place), "nothing when computed again: suspect the hardware")
        remedy = "start a new --out with a lower run.optimizer.lr, or leave out the data of this step"
        return RunFailed(f"step {self.step}: {what}; first not finite: {place}; {remedy}.")

    def _autocast(self) -> torch.autocast:
        device = next(self.model.parameters()).device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.config.is_bf16)

    def _after_step(self, sinks: list[Sink], *, is_stopping: bool) -> None:
        config, is_last = self.config, self.step == self.config.num_steps
        if is_stopping:  # before anything that takes time: whoever told us to stop may not wait
            self._save()
        if is_last or self.step % config.validate_every_steps == 0:
            self._record(sinks, self.task.validate(self.ema.model))
        if config.sample_every_steps and (is_last or self.step % config.sample_every_steps == 0):
            self._sample()
        if is_last or self.step % config.checkpoint_every_steps == 0:
            self._save()

    def _sample(self) -> None:
        if isinstance(self.task, Sampling):
            write_samples(self.task, self.ema.model, self.folder / "samples", step=self.step)

    def _save(self) -> None:
        checkpoint.save(
            self.folder / "state",
            self.step,
            self._state(),
            settings=self.settings,
            num_kept=self.config.num_checkpoints,
        )

    def _state(self) -> dict[str, Any]:
        state = {
            "model": self.model.state_dict(),
            "ema": self.ema.model.state_dict(),
            "optimizers": self.learner.state(),
            "step": torch.tensor(self.step),
        }
        if self.critic is not None:
            state |= {"critic": self.critic.network.state_dict(), "critic_optimizers": self.critic.state()}
        return state

    def _state_bytes(self) -> int:
        """Bytes of a checkpoint once everything has moved."""
        learners = [self.learner] if self.critic is None else [self.learner, self.critic]
        weights = [learner.network.state_dict() for learner in learners] + [self.ema.model.state_dict()]
        return sum(map(checkpoint.num_bytes, weights)) + sum(learner.num_state_bytes() for learner in learners)

    def _resume(self) -> None:
        found = checkpoint.latest(self.folder / "state")
        if found is None:
            return
        checkpoint.check(found, settings=self.settings)
        names = checkpoint.tensor_names(found)
        learners = {"optimizers": self.learner} | ({"critic_optimizers": self.critic} if self.critic else {})
        for prefix, learner in learners.items():
            learner.prepare(names, prefix=prefix)
        state = self._state()
        checkpoint.load(found, state)
        for prefix, learner in learners.items():
            learner.load(state[prefix])
        self.step = int(state["step"])
        logger.info("resumed step=%d from=%s", self.step, found)

    @contextmanager
    def _sinks(self) -> Iterator[list[Sink]]:
        sinks = open_sinks(self.folder, self.config.trackers, first_step=self.step)
        try:
            yield sinks
        finally:
            for sink in sinks:
                sink.close()

    def _record(self, sinks: list[Sink], figures: Figures) -> None:
        for sink in sinks:
            sink.record(self.step, figures)
        logger.info("step=%d %s", self.step, " ".join(f"{name}={value:.5g}" for name, value in figures.items()))
