"""Counting a network's parameters and floating-point operations from its sizes alone."""

from collections.abc import Iterable
from dataclasses import dataclass

FLOPS_PER_PRODUCT = 2  # a multiplication and an addition, as torch.utils.flop_counter counts
TRAINING_PASSES = 3  # forward, and twice that backward: gradients of inputs and of weights


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A linear layer, or a convolution: its weights (and one bias an output) are applied `num_rows` times."""

    num_inputs: int  # of one output: channels, times the kernel's volume in a convolution
    num_outputs: int
    num_rows: int

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return (self.num_inputs + 1) * self.num_outputs

    @property
    def flops(self) -> int:
        """Operations of its matrix product; the bias is not counted."""
        return FLOPS_PER_PRODUCT * self.num_inputs * self.num_outputs * self.num_rows


def total_flops(layers: Iterable[Layer]) -> int:
    """Operations of all layers, forwards."""
    return sum(layer.flops for layer in layers)


def total_parameters(layers: Iterable[Layer]) -> int:
    """Weights and biases of all layers."""
    return sum(layer.num_parameters for layer in layers)


def attention_flops(num_queries: int, num_keys: int, *, width: int) -> int:
    """Operations of softmax attention over all heads together: logits, then the mix of values."""
    return 2 * FLOPS_PER_PRODUCT * num_queries * num_keys * width
