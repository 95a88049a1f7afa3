"""The exponential moving average of the weights: what is validated and shipped."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


class Ema(Generic[Model]):
    """A float32 copy of `model` that follows it; the decay ramps up so that early weights are forgotten."""

    def __init__(self, model: Model, decay: float):
        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards `model`: average <- d * average + (1-d) * weights with d = min(decay, (1+step)/(10+step))."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for average, weight in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp_(weight, 1 - decay)
