"""A small network that tells how damaged a picture is, whatever it shows."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid

NUM_NATURAL = 36  # values that describe the statistics of a picture's texture (`natural`)
NUM_FACTOR = NUM_NATURAL * (NUM_NATURAL + 1) // 2


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityConfig:
    """The widths of the four convolutions."""

    channels: tuple[int, int, int, int] = (16, 32, 48, 56)

    def __post_init__(self) -> None:
        if min(self.channels) < 1:
            raise invalid(f"channels={self.channels}", "must be positive", "use (16, 32, 48, 56)")


class QualityNet(nn.Module):
    """Four convolutions without norms, which would hide how strong noise is, read as means and spreads over the tiles.

    It also carries the statistics of clean photographs that `niqe` compares with. 46,000 parameters; 9 million
    multiplications for a tile of 128 px.
    """

    pristine_mean: Tensor
    pristine_factor: Tensor

    def __init__(self, config: QualityConfig) -> None:
        super().__init__()
        first, second, third, last = config.channels
        self.trunk = nn.Sequential(
            nn.Conv2d(3, first, 4, stride=2, padding=1), nn.SiLU(),
            nn.Conv2d(first, second, 3, stride=2, padding=1), nn.SiLU(),
            nn.Conv2d(second, third, 3, stride=2, padding=1), nn.SiLU(),
            nn.Conv2d(third, last, 3, padding=1), nn.SiLU(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Linear(2 * last, 32), nn.SiLU(), nn.Linear(32, 1))
        self.register_buffer("pristine_mean", torch.zeros(NUM_NATURAL))
        self.register_buffer("pristine_factor", torch.zeros(NUM_FACTOR))

    def forward(self, tiles: Float[Tensor, "b k 3 y x"]) -> Float[Tensor, "b"]:
        """How good each picture is, 0 to 1, from k tiles of it in [-1, 1] at the scale at which it is to be judged."""
        features = self.trunk(tiles.flatten(0, 1)).float()
        features = features.unflatten(0, tiles.shape[:2]).transpose(1, 2).flatten(2)  # (b, c, all places of all tiles)
        spread = (features.var(dim=2, unbiased=False) + 1e-6).sqrt()
        return torch.sigmoid(self.head(torch.cat([features.mean(2), spread], 1)).squeeze(1))
