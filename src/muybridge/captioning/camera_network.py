"""The small network that names a camera movement, and how sure it is."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.captioning.camera_features import MIN_TEXTURE, NUM_FEATURES, features
from muybridge.captioning.camera_flow import FlowFilms, joined, views
from muybridge.core.errors import invalid
from muybridge.weights.small import load_small
from muybridge.worlds.movements import MOVEMENTS

CAMERA_FILE = Path(__file__).resolve().parent / "embedded" / "camera.safetensors"
MAX_DEVIATIONS = 5.0  # from the mean that a feature may have; beyond, nothing was learned


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraConfig:
    """The width of the two hidden layers, and the share of values left out in training."""

    hidden_size: int = 128
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if self.hidden_size < 1 or not 0 <= self.dropout < 1:
            given = f"hidden_size={self.hidden_size}, dropout={self.dropout}"
            raise invalid(given, "positive, and a share", "use 128 and 0.2")


class CameraNet(nn.Module):
    """Three linear layers; it also carries the features' spread in training and the temperature of its confidence."""

    mean: Tensor
    deviation: Tensor
    temperature: Tensor

    def __init__(self, config: CameraConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.layers = nn.Sequential(
            nn.Linear(NUM_FEATURES, width), nn.SiLU(), nn.Dropout(config.dropout),
            nn.Linear(width, width), nn.SiLU(), nn.Dropout(config.dropout), nn.Linear(width, len(MOVEMENTS)),
        )  # fmt: skip
        self.register_buffer("mean", torch.zeros(NUM_FEATURES))
        self.register_buffer("deviation", torch.ones(NUM_FEATURES))
        self.register_buffer("temperature", torch.ones(1))

    def forward(self, seen: Float[Tensor, "b k"]) -> Float[Tensor, "b m"]:
        """A logit of each movement, from `features`."""
        return self.layers(((seen - self.mean) / self.deviation).clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS))


def load_camera(path: Path = CAMERA_FILE) -> CameraNet:
    """The network of a file, the shipped one's by default. Raises WeightsError."""
    return load_small(path, CameraConfig, CameraNet)


@torch.no_grad()
def logits(network: CameraNet, films: FlowFilms) -> Float[Tensor, "b m"]:
    """The mean over the four views of each clip, before the temperature."""
    seen, orders = zip(*views(films), strict=True)
    found = network(features(joined(list(seen)))).chunk(len(orders))
    return torch.stack([each[:, list(order)] for each, order in zip(found, orders, strict=True)]).mean(0)


@torch.no_grad()
def probabilities(network: CameraNet, films: FlowFilms) -> Float[Tensor, "b m"]:
    """Of each movement, calibrated on held-out clips of the worlds (Guo et al. 2017); all alike where nothing in a clip
    can be followed, as in the dark.
    """
    chances = torch.softmax(logits(network, films) / network.temperature, dim=1)
    is_seen = (films.short.texture > MIN_TEXTURE).flatten(1).any(1)
    return torch.where(is_seen[:, None], chances, 1 / len(MOVEMENTS))
