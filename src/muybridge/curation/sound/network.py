"""A small network that tells which of speech, music and effects a second of sound holds, from its features."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid
from muybridge.curation.sound.features import NUM_FEATURES

CLASSES = ("speech", "music", "effects")
MAX_DEVIATIONS = 4.0  # from the mean that a feature may have; beyond, nothing was learned


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundConfig:
    """The width of the two hidden layers, and the share of values left out in training."""

    hidden_size: int = 96
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if self.hidden_size < 1 or not 0 <= self.dropout < 1:
            raise invalid(
                f"hidden_size={self.hidden_size}, dropout={self.dropout}", "positive, and a share", "use 96 and 0.2"
            )


class SoundNet(nn.Module):
    """Three linear layers; it carries mean and spread of the features in training. 36,000 parameters."""

    features_mean: Tensor
    features_deviation: Tensor

    def __init__(self, config: SoundConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.layers = nn.Sequential(
            nn.Dropout(config.dropout / 2), nn.Linear(NUM_FEATURES, width), nn.SiLU(), nn.Dropout(config.dropout),
            nn.Linear(width, width), nn.SiLU(), nn.Dropout(config.dropout), nn.Linear(width, len(CLASSES)),
        )  # fmt: skip
        self.register_buffer("features_mean", torch.zeros(NUM_FEATURES))
        self.register_buffer("features_deviation", torch.ones(NUM_FEATURES))

    def forward(self, features: Float[Tensor, "n k"]) -> Float[Tensor, "n 3"]:
        """Log odds of each of `CLASSES`; a second may hold several."""
        seen = (features - self.features_mean) / self.features_deviation
        return self.layers(seen.clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS))
