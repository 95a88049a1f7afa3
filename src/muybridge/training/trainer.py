"""The training loop: one device, exact resume, averaged weights, figures to a file."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from muybridge.core.errors import RunFailed
from muybridge.training import checkpoint
from muybridge.training.config import RunConfig
from muybridge.training.ema import Ema
from muybridge.training.optimizer import build_optimizers, lr_scale, set_lr
from muybridge.training.settings import RunSettings
from muybridge.training.task import Task

logger = logging.getLogger(__name__)
Model = TypeVar("Model", bound=nn.Module)
OnStep = Callable[[int, int, dict[str, float]], None]


class Trainer(Generic[Model]):
    """Trains `model` on `task` in `folder`; the same call after an interruption goes on bit for bit where it stopped.

    settings: what makes this run itself; a folder with other settings is refused.
    num_steps may grow between calls of one run, the rest may not.
    """

    def __init__(self, model: Model, task: Task[Model], config: RunConfig, *, folder: Path, settings: RunSettings):
        self.model, self.task, self.config, self.folder = model, task, config, folder
        self.settings = settings
        self.optimizers = build_optimizers(model, config.optimizer)
        self.ema = Ema(model, config.ema_decay)
        self.step = 0

    def run(self, on_step: OnStep | None = None) -> Model:
        """Train to `num_steps`; the averaged model. Raises RunFailed on a loss that is not finite."""
        self._resume()
        self.model.train()
        started, first_step = time.perf_counter(), self.step
        while self.step < self.config.num_steps:
            figures = self._one_step()
            self.step += 1
            if self.step % self.config.log_every_steps == 0:
                rate = (self.step - first_step) / (time.perf_counter() - started)
                self._record({"step": self.step, "steps_per_s": rate, **figures})
            self._after_step()
            if on_step:
                on_step(self.step, self.config.num_steps, figures)
        return self.ema.model

    def _one_step(self) -> dict[str, float]:
        set_lr(self.optimizers, lr_scale(self.step, self.config.num_steps, self.config.optimizer))
        device = next(self.model.parameters()).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.config.is_bf16):
            loss, figures = self.task.loss(self.model, self.step, batch_size=self.config.batch_size)
        self._check(loss)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.max_grad_norm)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.ema.update(self.model, self.step)
        return {"loss": float(loss.detach()), "grad_norm": float(norm), **figures}

    def _after_step(self) -> None:
        is_last = self.step == self.config.num_steps
        if is_last or self.step % self.config.validate_every_steps == 0:
            self._record({"step": self.step, **self.task.validate(self.ema.model)})
        if is_last or self.step % self.config.checkpoint_every_steps == 0:
            checkpoint.save(self.folder / "state", self.step, self._state(), settings=self.settings)

    def _check(self, loss: Tensor) -> None:
        if not torch.isfinite(loss):
            raise RunFailed(f"step {self.step}: the loss is {loss.item()}; lower the rate and run the command again.")

    def _state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "ema": self.ema.model.state_dict(),
            "optimizers": {str(i): optimizer.state_dict() for i, optimizer in enumerate(self.optimizers)},
            "step": torch.tensor(self.step),
        }

    def _resume(self) -> None:
        found = checkpoint.latest(self.folder / "state")
        if found is None:
            return
        self._fill_optimizers()
        state = self._state()
        checkpoint.load(found, state, settings=self.settings)
        for i, optimizer in enumerate(self.optimizers):
            optimizer.load_state_dict(state["optimizers"][str(i)])
        self.model.load_state_dict(state["model"])
        self.ema.model.load_state_dict(state["ema"])
        self.step = int(state["step"])
        logger.info("resumed step=%d from=%s", self.step, found)

    def _fill_optimizers(self) -> None:
        """Make the optimizers' state exist so that it can be loaded into: a step of zero gradients at rate zero."""
        set_lr(self.optimizers, 0.0)
        for parameter in self.model.parameters():
            parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def _record(self, figures: dict[str, float]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"time": round(time.time(), 1), **figures}) + "\n")
        logger.info(" ".join(f"{name}={value:.5g}" for name, value in figures.items()))
