"""Stopping when told to, and saying where numbers stopped being finite."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType, TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from muybridge.core.errors import Stopped

logger = logging.getLogger(__name__)


class StopRequests:
    """While it is entered, SIGTERM and the first Ctrl-C only ask: the run saves, then stops. A second stops at once.

    Signals belong to the main thread; elsewhere nothing is caught.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def leave(self, step: int) -> None:
        """Leave a run that was asked to stop and is saved: KeyboardInterrupt for Ctrl-C, Stopped for SIGTERM."""
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        raise Stopped(f"told to stop: saved step {step}; the same command continues.")

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        how = "; Ctrl-C again stops at once" if number == signal.SIGINT else ""
        logger.warning("finishing this step, then saving%s", how)


def first_not_finite(model: nn.Module, compute_loss: Callable[[], Tensor]) -> str | None:
    """Where numbers first stop being finite when a loss is computed and differentiated anew; None if they all are.

    Costs a forward and a backward pass, so it is asked only after a loss or a norm was not finite. Changes the
    gradients of `model`.
    """
    found: list[str] = []
    with _watched(model, found):
        model.zero_grad(set_to_none=True)
        loss = compute_loss()
        if not found and loss.isfinite():
            loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            found.append(f"the gradient of {name}")
    if not found and not loss.isfinite():
        found.append("the loss itself")
    return found[0] if found else None


@contextmanager
def _watched(model: nn.Module, found: list[str]) -> Iterator[None]:
    """Notes modules in the order in which their outputs, then their outputs' gradients, are not finite."""
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            found.append(f"the weights {name}")
    hooks = [
        module.register_forward_hook(partial(_note_output, name=name or "the model", found=found))
        for name, module in model.named_modules()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _note_output(module: nn.Module, inputs: Any, output: Any, *, name: str, found: list[str]) -> None:
    for tensor in output if isinstance(output, tuple) else (output,):
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            continue
        if not tensor.isfinite().all():
            found.append(f"the output of {name}")
        if tensor.requires_grad and torch.is_grad_enabled():
            tensor.register_hook(partial(_note_gradient, name=name, found=found))


def _note_gradient(gradient: Tensor, *, name: str, found: list[str]) -> None:
    if not gradient.isfinite().all():
        found.append(f"the gradient of the output of {name}")
