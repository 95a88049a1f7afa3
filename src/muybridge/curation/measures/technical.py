"""A small network that tells how damaged a picture is, whatever it shows, from the traces that damage leaves."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid
from muybridge.curation.measures.traces import NUM_TRACES

NUM_NATURAL = 36  # of `niqe`
NUM_FACTOR = NUM_NATURAL * (NUM_NATURAL + 1) // 2
MAX_DEVIATIONS = 5.0  # from the mean that a trace may have; beyond, nothing was learned


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityConfig:
    """The width of the two hidden layers, and the share of values left out in training."""

    hidden_size: int = 96
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.hidden_size < 1 or not 0 <= self.dropout < 1:
            raise invalid(
                f"hidden_size={self.hidden_size}, dropout={self.dropout}", "positive, and a share", "use 96 and 0.1"
            )


class QualityNet(nn.Module):
    """Three linear layers, and a gain and a shift that calibrate what they say on held-out pictures. 19,000 parameters.

    It also carries the spread of the traces in training, and the statistics of clean photographs for `niqe`.
    """

    traces_mean: Tensor
    traces_deviation: Tensor
    calibration: Tensor
    pristine_mean: Tensor
    pristine_factor: Tensor

    def __init__(self, config: QualityConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.layers = nn.Sequential(
            nn.Linear(NUM_TRACES, width), nn.SiLU(), nn.Dropout(config.dropout),
            nn.Linear(width, width), nn.SiLU(), nn.Dropout(config.dropout), nn.Linear(width, 1),
        )  # fmt: skip
        self.register_buffer("traces_mean", torch.zeros(NUM_TRACES))
        self.register_buffer("traces_deviation", torch.ones(NUM_TRACES))
        self.register_buffer("calibration", torch.tensor([1.0, 0.0]))
        self.register_buffer("pristine_mean", torch.zeros(NUM_NATURAL))
        self.register_buffer("pristine_factor", torch.zeros(NUM_FACTOR))

    def forward(self, traces: Float[Tensor, "b k"]) -> Float[Tensor, " b"]:
        """How good each picture is, 0 to 1."""
        seen = ((traces - self.traces_mean) / self.traces_deviation).clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS)
        gain, shift = self.calibration
        return torch.sigmoid(gain * self.layers(seen).squeeze(1) + shift)


def pristine_of(network: QualityNet) -> tuple[Float[np.ndarray, "36"], Float[np.ndarray, "36 36"]]:
    """Mean and covariance of clean photographs' texture, as the network carries them."""
    factor = np.zeros((NUM_NATURAL, NUM_NATURAL))
    factor[np.tril_indices(NUM_NATURAL)] = network.pristine_factor.double().numpy()
    return network.pristine_mean.double().numpy(), factor @ factor.T
