"""The numbers of a causal 3D VAE."""

import math
from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

from muybridge.core.errors import invalid
from muybridge.core.shapes import SPATIAL_RATIO, TEMPORAL_RATIO

Norm = Literal["clip", "frame", "cell"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VAEConfig:
    """Defaults are the released 884-16c VAE: 246,478,803 parameters in 248 tensors.   Paper 4.1, table 1.

    norm: "clip" takes GroupNorm statistics over the whole clip, as released (so later frames reach earlier latents);
    "frame" takes them frame by frame, which makes the network truly causal; "cell" takes them over all channels of each
    cell by itself, which makes windows and tiles equal the whole away from their edges.
    stem_patch: (t, h, w) of a space-to-depth stem in front of the convolutions; what it reduces, the blocks do not.
    has_linear_path: beside the convolutions, a linear map from 4x8x8 patches to latents, and one back from a latent
    cell and its neighbours.
    decoder_channels, decoder_stem_patch, decoder_norm: the decoder's own, where it is no mirror of the encoder.
    """

    block_channels: tuple[int, ...] = (128, 256, 512, 512)
    layers_per_block: int = 2
    latent_channels: int = 16
    norm_groups: int = 32
    norm: Norm = "clip"
    scaling_factor: float = 0.476986
    stem_patch: tuple[int, int, int] = (1, 1, 1)
    has_linear_path: bool = False
    has_mid_attention: bool = True
    decoder_channels: tuple[int, ...] = ()  # () mirrors block_channels
    decoder_stem_patch: tuple[int, int, int] | None = None
    decoder_norm: Norm | None = None

    def __post_init__(self) -> None:
        if self.has_own_decoder:
            self.decoder_side()  # checked as if it were a whole one
        for name in ("layers_per_block", "latent_channels", "norm_groups"):
            if getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "at least 1", f"use {_DEFAULTS[name]}")
        if self.norm not in get_args(Norm):
            raise invalid(f"norm={self.norm!r}", "'clip', 'frame' or 'cell'", "use 'clip' for released weights")
        if not 0 < self.scaling_factor < math.inf:
            raise invalid(f"scaling_factor={self.scaling_factor}", "must be positive", "use 1 / std of the latents")
        self._check_stem()
        self._check_blocks()

    def _check_stem(self) -> None:
        if len(self.stem_patch) != 3:
            raise invalid(f"stem_patch={self.stem_patch}", "needs three sizes (t, h, w)", "use (1, 1, 1)")
        for name, patch, total in zip(("t", "h", "w"), self.stem_patch, _RATIOS, strict=True):
            if patch < 1 or total % patch or (total // patch) & (total // patch - 1):
                raise invalid(f"stem_patch {name}={patch}", f"it divides {total} into a power of two", "use 1, 2 or 4")
        if self.stem_patch[1] != self.stem_patch[2] or self.num_temporal_strides > self.num_spatial_strides:
            raise invalid(
                f"stem_patch={self.stem_patch}", "square, and it leaves no more halvings of time than of height",
                "use (1, 1, 1), (2, 2, 2) or (4, 4, 4)",
            )  # fmt: skip

    def _check_blocks(self) -> None:
        for channels in self.block_channels:
            if channels < 1 or channels % self.norm_groups:
                raise invalid(
                    f"block_channels={self.block_channels}", f"each is a multiple of norm_groups={self.norm_groups}",
                    "change either",
                )  # fmt: skip
        if len(self.block_channels) <= self.num_spatial_strides:
            raise invalid(
                f"block_channels={self.block_channels}", f"this stem needs over {self.num_spatial_strides} blocks",
                "add blocks or enlarge stem_patch",
            )  # fmt: skip

    @property
    def has_own_decoder(self) -> bool:
        """Whether the decoder is no mirror of the encoder."""
        return bool(self.decoder_channels or self.decoder_stem_patch or self.decoder_norm)

    def decoder_side(self) -> Self:
        """The config of a symmetric VAE with this decoder."""
        return replace(
            self, block_channels=self.decoder_channels or self.block_channels,
            stem_patch=self.decoder_stem_patch or self.stem_patch, norm=self.decoder_norm or self.norm,
            decoder_channels=(), decoder_stem_patch=None, decoder_norm=None,
        )  # fmt: skip

    def encoder_words(self) -> str:
        """What latents depend on, as words that fields of later versions leave as they are: for identities."""
        return f"VAEConfig({', '.join(f'{name}={getattr(self, name)!r}' for name in _ENCODER_FIELDS)})"

    @property
    def num_spatial_strides(self) -> int:
        """Blocks that halve height and width."""
        return (SPATIAL_RATIO // self.stem_patch[1]).bit_length() - 1

    @property
    def num_temporal_strides(self) -> int:
        """Blocks, the last of the spatial ones, that halve time too."""
        return (TEMPORAL_RATIO // self.stem_patch[0]).bit_length() - 1

    def strides(self) -> list[tuple[int, int, int] | None]:
        """(t, h, w) stride after each encoder block; the decoder's blocks enlarge by the same list."""
        spatial, temporal = self.num_spatial_strides, self.num_temporal_strides
        active: list[tuple[int, int, int] | None] = [
            (2 if index >= spatial - temporal else 1, 2, 2) for index in range(spatial)
        ]
        return active + [None] * (len(self.block_channels) - spatial)


_ENCODER_FIELDS = (
    "block_channels", "layers_per_block", "latent_channels", "norm_groups", "norm", "scaling_factor", "stem_patch",
    "has_linear_path", "has_mid_attention",
)  # fmt: skip
_DEFAULTS = {"layers_per_block": 2, "latent_channels": 16, "norm_groups": 32}
_RATIOS = (TEMPORAL_RATIO, SPATIAL_RATIO, SPATIAL_RATIO)
