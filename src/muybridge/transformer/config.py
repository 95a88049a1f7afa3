"""The numbers that define a transformer; the defaults are the released HunyuanVideo."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from muybridge.core.errors import invalid

Sibling = Literal["", "avatar", "custom-audio", "custom-editing", "gamecraft"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TransformerConfig:
    """Sizes of a `Transformer`. The defaults give 12,821,012,544 parameters in 856 tensors (HYVideo-T/2-cfgdistill).

    sibling: whose further parts it has (`transformer.adapters`).
    HunyuanVideo-1.5 (`HUNYUANVIDEO_15`) differs in the last four and in `pooled_dim=0`; a dimension of 0 stands for no
    such input. has_split_qkv: queries, keys and values of the double blocks come from a layer each. glyph_dim,
    vision_dim: width of the states of quoted words and of a picture; both or neither. has_end_sigma: predicts the mean
    velocity down to a noise level that it is told (arXiv 2505.13447).

    Raises InvalidInput where the numbers do not fit together.
    """

    in_channels: int = 16
    out_channels: int = 16
    patch_size: tuple[int, int, int] = (1, 2, 2)  # t, h, w in latent cells
    hidden_size: int = 3072
    num_heads: int = 24
    mlp_ratio: float = 4.0
    num_double_blocks: int = 20
    num_single_blocks: int = 40
    num_refiner_blocks: int = 2
    rope_axes_dim: tuple[int, int, int] = (16, 56, 56)  # channels of a head that carry t, h, w
    rope_theta: float = 256.0
    text_dim: int = 4096
    pooled_dim: int = 768  # 0: no pooled text
    has_guidance: bool = True
    sibling: Sibling = ""
    has_split_qkv: bool = False
    glyph_dim: int = 0
    vision_dim: int = 0
    has_end_sigma: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        for name, released in (("mlp_ratio", 4.0), ("rope_theta", 256.0)):
            if not 0 < getattr(self, name) < math.inf:
                raise invalid(f"{name}={getattr(self, name)}", "must be positive and finite", f"use {released}")
        for name in ("in_channels", "out_channels", "hidden_size", "num_heads", "text_dim", "mlp_dim"):
            if getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "sizes are positive", "use 1 or more")
        for name in _MAY_BE_ZERO:
            if getattr(self, name) < 0:
                raise invalid(f"{name}={getattr(self, name)}", "is not negative", "use 0 or more")
        if len(self.patch_size) != 3 or min(self.patch_size) < 1:
            raise invalid(f"patch_size={self.patch_size}", "needs three positive sizes (t, h, w)", "use (1, 2, 2)")
        if self.hidden_size % self.num_heads:
            raise invalid(
                f"hidden_size={self.hidden_size}",
                f"must be a multiple of num_heads={self.num_heads}",
                f"use {self.hidden_size // self.num_heads * self.num_heads or self.num_heads}",
            )
        self._check_rope()
        self._check_sources()

    def _check_rope(self) -> None:
        axes = self.rope_axes_dim
        if len(axes) != 3 or any(dim < 0 or dim % 2 for dim in axes):
            raise invalid(f"rope_axes_dim={axes}", "needs three even sizes (t, h, w)", "use (16, 56, 56)")
        if sum(axes) != self.head_dim:
            rule = f"must sum to the head's {self.head_dim} channels, not {sum(axes)}"
            raise invalid(f"rope_axes_dim={axes}", rule, "change them, hidden_size or num_heads")

    def _check_sources(self) -> None:
        if self.sibling not in get_args(Sibling):
            known = ", ".join(filter(None, get_args(Sibling)))
            raise invalid(f"sibling={self.sibling!r}", f"known are {known}", "use '' for HunyuanVideo itself")
        if bool(self.glyph_dim) is not bool(self.vision_dim):
            given = f"glyph_dim={self.glyph_dim}, vision_dim={self.vision_dim}"
            raise invalid(given, "come together", "give both, such as 1472 and 1152, or neither")
        if self.has_split_qkv and self.num_single_blocks:
            given = f"num_single_blocks={self.num_single_blocks}"
            raise invalid(given, "single blocks have fused projections only", "use 0, or has_split_qkv=False")

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.hidden_size // self.num_heads

    @property
    def mlp_dim(self) -> int:
        """Width of the feed-forward layers."""
        return int(self.hidden_size * self.mlp_ratio)

    @property
    def patch_dim(self) -> int:
        """Outputs of one token: out_channels times the patch volume."""
        t, h, w = self.patch_size
        return self.out_channels * t * h * w


_MAY_BE_ZERO = (
    "num_double_blocks", "num_single_blocks", "num_refiner_blocks", "pooled_dim", "glyph_dim", "vision_dim",
)  # fmt: skip
HUNYUANVIDEO_15 = TransformerConfig(  # 8,326,608,160 parameters in 1,793 tensors
    in_channels=65,  # noisy latents, latents of the condition, and its mask
    out_channels=32,
    patch_size=(1, 1, 1),
    hidden_size=2048,
    num_heads=16,
    num_double_blocks=54,
    num_single_blocks=0,
    text_dim=3584,
    pooled_dim=0,
    has_guidance=False,
    has_split_qkv=True,
    glyph_dim=1472,
    vision_dim=1152,
)
