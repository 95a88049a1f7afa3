"""The exponential moving average of the weights: what is validated and shipped."""

import copy

import torch
from torch import nn


class Ema:
    """A float32 copy of `model` that follows it; the decay ramps up so that early weights are forgotten."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards `model`: average <- d * average + (1-d) * weights with d = min(decay, (1+step)/(10+step))."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averages = list(self.model.parameters())
        torch._foreach_lerp_(averages, list(model.parameters()), 1 - decay)
