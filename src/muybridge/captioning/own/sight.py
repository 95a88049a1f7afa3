"""The network that sees: a slot's answer is read off a clip by a query of its own.

It looks at what EfficientNet-Lite0, trained on photographs by others and fetched, makes of the frames: three of them
large, for who is there and where, and eight small, for what happens. How far the large ones lie from everything that
the worlds draw says whether a clip is one of theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.captioning.own.slots import SLOTS, Phrases
from muybridge.core.errors import invalid
from muybridge.media.frames import Frames, from_uint8
from muybridge.vae.efficientnet import EfficientNetFeatures

TRUNK, TRUNK_FILE = "efficientnet-lite0", "efficientnet-lite0.pth"
FINE, COARSE = 4, 10  # blocks of the trunk that are read: 40 channels at 1/8 of the size, 112 at 1/16
CHANNELS = {FINE: 40, COARSE: 112}
DEPTHS = ((FINE, COARSE), (FINE,))  # of the large frames, and of the small ones
STILLS = (1, 3, 5)  # of the eight frames, those that are looked at large: who crosses the picture is whole in one


@dataclass(frozen=True, kw_only=True, slots=True)
class SightConfig:
    """The answers that are known, slot by slot, and the sizes of the network and of what it looks at."""

    phrases: Phrases
    width: int = 64
    num_heads: int = 4
    num_layers: int = 2
    hidden_size: int = 96
    still_px: int = 160
    film_px: int = 64
    num_frames: int = 8
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if len(self.phrases) != len(SLOTS) or not all(self.phrases):
            raise invalid(f"phrases of {len(self.phrases)} slots", f"each of {len(SLOTS)} has some", "give them all")
        if self.width % self.num_heads:
            raise invalid(f"num_heads={self.num_heads}", f"divides width={self.width}", "use 4")
        if self.still_px % 16 or self.film_px % 32:
            given = f"still_px={self.still_px}, film_px={self.film_px}"
            raise invalid(given, "multiples of 16 and of 32", "use 160 and 64")
        if self.num_frames <= max(STILLS) or self.num_frames % 2:
            raise invalid(f"num_frames={self.num_frames}", f"even, more than {max(STILLS)}", "use 8")

    @property
    def still_cells(self) -> int:
        """Places of a large frame that are looked at."""
        return (self.still_px // 16) ** 2

    @property
    def film_cells(self) -> int:
        """Places and times of the small frames after the convolutions."""
        return self.num_frames // 2 * (self.film_px // 32) ** 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Looks:
    """What the trunk makes of clips: of the large frames, also twice as finely for shapes, and of the small ones."""

    stills: Float[Tensor, "b k c y x"]
    edges: Float[Tensor, "b k d r q"]
    film: Float[Tensor, "b t d v u"]

    def changed(self, change: Callable[[Tensor], Tensor]) -> "Looks":
        """The same change of each."""
        return Looks(stills=change(self.stills), edges=change(self.edges), film=change(self.film))


class Sight(nn.Module):
    """A decoder of the Perceiver's kind (arXiv 2103.03206) with a query for each slot.

    Equal phrases of different slots share what they are recognised by.
    """

    whitening: Float[Tensor, "c c"]
    centres: Float[Tensor, "p c"]
    reach: Float[Tensor, "1"]

    def __init__(self, config: SightConfig) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.coarse = nn.Conv2d(CHANNELS[COARSE], width, 1)
        self.fine = nn.Conv2d(CHANNELS[FINE], width, 2, stride=2)
        self.still = nn.Sequential(
            nn.GroupNorm(4, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1, groups=width)
        )
        self.film = nn.Sequential(
            nn.Conv3d(2 * CHANNELS[FINE], 32, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)), nn.GroupNorm(4, 32),
            nn.SiLU(), nn.Conv3d(32, 48, (3, 1, 1), padding=(1, 0, 0)), nn.GroupNorm(4, 48), nn.SiLU(),
            nn.Conv3d(48, width, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)), nn.GroupNorm(4, width), nn.SiLU(),
            nn.Conv3d(width, width, (3, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0)),
        )  # fmt: skip
        self.places = nn.Parameter(0.1 * torch.randn(config.still_cells, width))
        self.times = nn.Parameter(0.1 * torch.randn(len(STILLS), width))
        self.moments = nn.Parameter(0.1 * torch.randn(config.film_cells, width))
        self.queries = nn.Parameter(0.1 * torch.randn(len(SLOTS), width))
        layer = nn.TransformerDecoderLayer(
            width, config.num_heads, config.hidden_size, config.dropout, batch_first=True, norm_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, config.num_layers, norm=nn.LayerNorm(width))
        known = sorted({phrase for phrases in config.phrases for phrase in phrases})
        self.answers = nn.Parameter(torch.randn(len(known), width) / width**0.5)
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(len(phrases))) for phrases in config.phrases])
        num_places = len(config.phrases[SLOTS.index("place")])
        self.register_buffer("whitening", torch.zeros(CHANNELS[COARSE], CHANNELS[COARSE]))
        self.register_buffer("centres", torch.zeros(num_places, CHANNELS[COARSE]))
        self.register_buffer("reach", torch.ones(1))
        self._rows = [[known.index(phrase) for phrase in phrases] for phrases in config.phrases]

    def forward(self, looks: Looks) -> list[Float[Tensor, "b p"]]:
        """For each slot the logits of its phrases."""
        shapes = self.coarse(looks.stills.flatten(0, 1)) + self.fine(looks.edges.flatten(0, 1))
        stills = rearrange(self.still(shapes), "(b k) d y x -> b k (y x) d", k=len(STILLS))
        stills = (stills + self.places + self.times[:, None]).flatten(1, 2)
        changes = torch.diff(looks.film, dim=1, prepend=looks.film[:, :1])
        film = self.film(rearrange(torch.cat([looks.film, changes], 2), "b t d v u -> b d t v u"))
        seen = torch.cat([stills, rearrange(film, "b d t v u -> b (t v u) d") + self.moments], 1)
        found = self.decoder(self.queries.expand(len(seen), -1, -1), seen)
        return [
            (found[:, slot] @ self.answers[rows].T + bias).float()
            for slot, (rows, bias) in enumerate(zip(self._rows, self.biases, strict=True))
        ]

    def strangeness(self, looks: Looks) -> Float[Tensor, " b"]:
        """How far clips lie from those of the worlds: at most 1 as near as nearly all of theirs.

        The Mahalanobis distance of the large frames' mean features to the nearest place's (Lee et al.,
        arXiv 1807.03888), over that of the farthest two hundredth of the worlds' own clips.
        """
        found = torch.cdist(looks.stills.mean((1, 3, 4)) @ self.whitening, self.centres)
        return found.min(1).values / self.reach


def prepared(frames: Frames, config: SightConfig) -> tuple[Float[Tensor, "k 3 y x"], Float[Tensor, "t 3 v u"]]:
    """The large and the small frames of a clip of any size and length, pixels in [-1, 1]."""
    chosen = np.linspace(0, len(frames) - 1, config.num_frames).round().astype(int)
    pixels = rearrange(from_uint8(frames[chosen]), "c t h w -> t c h w")
    return _sized(pixels[list(STILLS)], config.still_px), _sized(pixels, config.film_px)


class Trunk(nn.Module):
    """The first blocks of EfficientNet-Lite0: more of them for the large frames than for the small ones."""

    def __init__(self, large: EfficientNetFeatures, small: EfficientNetFeatures) -> None:
        super().__init__()
        self.large, self.small = large, small

    @torch.no_grad()
    def forward(self, stills: Float[Tensor, "b k 3 y x"], film: Float[Tensor, "b t 3 v u"]) -> Looks:
        """What it makes of prepared frames."""
        edges, shapes = _each(self.large, stills)
        return Looks(stills=shapes, edges=edges, film=_each(self.small, film)[0])


def open_trunk(folder: Path) -> Trunk:
    """The trunk from its folder of `weights.assets`. Raises WeightsError."""
    path = folder / TRUNK_FILE
    loaded = (EfficientNetFeatures.load(path, depths=depths).eval() for depths in DEPTHS)
    trunk = Trunk(*loaded)
    nn.Module.to(trunk, memory_format=torch.channels_last)  # pyright: ignore  # half the time on a CPU (measured)
    return trunk


def _each(network: EfficientNetFeatures, frames: Float[Tensor, "b t 3 y x"]) -> list[Float[Tensor, "b t c h w"]]:
    return [rearrange(maps, "(b t) c h w -> b t c h w", b=len(frames)) for maps in network(frames.flatten(0, 1))]


def _sized(pixels: Float[Tensor, "t 3 h w"], side_px: int) -> Float[Tensor, "t 3 s s"]:
    return F.interpolate(pixels, size=(side_px, side_px), mode="bilinear", antialias=True, align_corners=False)
