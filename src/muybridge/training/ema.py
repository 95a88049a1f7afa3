"""The moving average of the weights: what is validated and shipped."""

import copy
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import nn

from muybridge.training.config import RunConfig

Model = TypeVar("Model", bound=nn.Module)
Decay = Callable[[int], float]  # of the step, counted from 0


class Ema(Generic[Model]):
    """A float32 copy of `model` that follows it: average <- d * average + (1-d) * weights, d = decay(step)."""

    def __init__(self, model: Model, decay: Decay):
        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards `model` after its step; buffers are copied."""
        averages, weights = tuple(self.model.parameters()), tuple(model.parameters())
        torch._foreach_lerp_(averages, weights, 1 - self.decay(step))
        for copied, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            copied.copy_(buffer)


def decay_of(config: RunConfig) -> Decay:
    """The decay that a run asks for."""
    return constant_decay(config.ema_decay) if config.ema_width is None else power_decay(config.ema_width)


def constant_decay(decay: float) -> Decay:
    """`decay`, ramped up by (1+step)/(10+step) so that the first weights are forgotten."""
    return lambda step: min(decay, (1 + step) / (10 + step))


def power_decay(width: float) -> Decay:
    """The decay of a power function average: the weights of step t count as t^gamma.   arXiv 2312.02696, eq. 121-124.

    `width` is the average's standard deviation over the length of the run so far, so that one number suits every
    length; no weights from before training take part.
    """
    gamma = power_of(width)
    return lambda step: (1 - 1 / (step + 1)) ** (gamma + 1)


def power_of(width: float) -> float:
    """The exponent gamma whose average is `width` wide: width^2 = (gamma+1) / ((gamma+2)^2 (gamma+3))."""
    inverse = width**-2
    return float(np.roots([1, 7, 16 - inverse, 12 - inverse]).real.max())
