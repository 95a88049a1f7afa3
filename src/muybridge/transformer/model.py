"""The HunyuanVideo transformer: noisy latents and a prompt in, velocity out. Paper 4.2."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from muybridge.core.errors import invalid
from muybridge.core.shapes import token_grid
from muybridge.ops.patch import unpatchify
from muybridge.ops.pieces import CHUNK_TOKENS
from muybridge.ops.rope import RopeTables
from muybridge.transformer.adapters import sibling_parts
from muybridge.transformer.blocks import DoubleBlock, FinalLayer, SingleBlock, SplitDoubleBlock
from muybridge.transformer.conditions import Conditions, Signals, check_conditions, valid_lengths
from muybridge.transformer.config import TransformerConfig
from muybridge.transformer.embed import PatchEmbed, PooledEmbed, ScalarEmbed
from muybridge.transformer.refiner import TextRefiner
from muybridge.transformer.sources import GLYPHS, TEXT, VISION, GlyphEmbed, SourceEmbed, VisionEmbed, joined, trimmed

TIME_SCALE = 1000.0  # released: noise levels and guidance are embedded on the 0..1000 scale


class Transformer(nn.Module):
    """Dual-stream then single-stream diffusion transformer with 3D rotary positions.

    Names are those of the released checkpoints, so `load_state_dict(released, strict=True)` needs no map. The config
    tells HunyuanVideo from HunyuanVideo-1.5, whose inputs and names differ and whose mathematics is the same.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.chunk_tokens: int | None = CHUNK_TOKENS  # at a time, where no gradient is recorded; None takes all
        self.rope_tables = RopeTables(config.rope_axes_dim, theta=config.rope_theta)
        width, heads, mlp_dim = config.hidden_size, config.num_heads, config.mlp_dim
        self.img_in = PatchEmbed(config.in_channels, width, config.patch_size)
        self.txt_in = TextRefiner(
            config.text_dim, width, num_heads=heads, mlp_dim=mlp_dim, num_blocks=config.num_refiner_blocks
        )
        self.time_in = ScalarEmbed(width)
        self.vector_in = PooledEmbed(config.pooled_dim, width) if config.pooled_dim else None
        self.guidance_in = ScalarEmbed(width) if config.has_guidance else None
        self.time_r_in = ScalarEmbed(width) if config.has_end_sigma else None
        self.byt5_in = GlyphEmbed(config.glyph_dim, width) if config.glyph_dim else None
        self.vision_in = VisionEmbed(config.vision_dim, width) if config.vision_dim else None
        self.cond_type_embedding = SourceEmbed(width) if config.glyph_dim else None
        block = SplitDoubleBlock if config.has_split_qkv else DoubleBlock
        self.double_blocks = nn.ModuleList(block(width, heads, mlp_dim) for _ in range(config.num_double_blocks))
        self.single_blocks = nn.ModuleList(SingleBlock(width, heads, mlp_dim) for _ in range(config.num_single_blocks))
        self.final_layer = FinalLayer(width, config.patch_dim)
        for name, part in sibling_parts(config).items():
            self.add_module(name, part)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype the network computes in: that of its patch embedding, which quantisation leaves alone."""
        return self.img_in.proj.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the patch embedding is."""
        return self.img_in.proj.weight.device

    def blocks(self) -> Iterator[nn.Module]:
        """The double then the single blocks, for what is applied from outside (recompute, sharding, offload)."""
        yield from self.double_blocks
        yield from self.single_blocks

    def forward(
        self,
        latents: Float[Tensor, "b c t h w"],
        sigma: Float[Tensor, " b"] | Float[Tensor, "b t"],
        conditions: Conditions,
    ) -> Float[Tensor, "b out t h w"]:
        """Velocity (noise - data) in the dtype of `latents`; the network computes in the dtype of its parameters.

        `sigma` in [0, 1], 1 at noise: of each clip, or of each latent frame. A frame at sigma 0 in a clip that is not
        is *held*: its tokens are modulated without the guidance term. Text, refiner and final layer take the clip's
        own sigma, the largest of its frames. Raises InvalidInput where shapes or the text mask do not fit.
        """
        self.check(latents, sigma, conditions)
        t, h, w = latents.shape[2:]
        grid = token_grid((t, h, w), self.config.patch_size)
        frames, clip, clip_sigma = self.signal_vectors(sigma, conditions)
        txt, lengths = self.text_tokens(conditions, clip_sigma)
        signals = self._signals(frames, clip, grid=grid, num_text=txt.shape[1], lengths=lengths)
        patches = self.patches([self.img_in(latents.to(self.dtype)), txt], signals)
        return unpatchify(patches, grid, patch_size=self.config.patch_size).to(latents.dtype)

    def patches(self, streams: list[Tensor], signals: Signals) -> Float[Tensor, "b n p"]:
        """Patches of velocity from the visual and the text stream, which are taken out of their list."""
        txt, img = streams.pop(), streams.pop()
        if img.dtype != self.dtype:  # under autocast the streams stay float32: they are sums over all blocks
            img, txt = img.to(self.dtype), txt.to(self.dtype)
        for block in self.double_blocks:
            img, txt = block(img, txt, signals=signals)
        stream = torch.cat([img, txt], 1)
        del img, txt  # a fifth of what the blocks hold
        for block in self.single_blocks:
            stream = block(stream, signals=signals)
        return self.final_layer(stream[:, : signals.num_visual], signals)

    def signal_vectors(
        self, sigma: Float[Tensor, " b"] | Float[Tensor, "b t"], conditions: Conditions
    ) -> tuple[Float[Tensor, "b g d"], Float[Tensor, "b 1 d"], Float[Tensor, " b"]]:
        """Conditioning vectors (b, g, d) of the frames and (b, 1, d) of the clip, and the clip's sigma (b,) float32."""
        sigma = sigma.to(self.device, torch.float32, non_blocking=True)  # samplers keep it on the host
        clip_sigma = sigma if sigma.ndim == 1 else sigma.amax(1)
        shared, guidance = self._shared(conditions), self._guidance(conditions)
        clip = self.time_in(clip_sigma[:, None] * TIME_SCALE, dtype=self.dtype) + shared + guidance
        if sigma.ndim == 1:
            return clip, clip, clip_sigma
        is_held = (sigma == 0) & (clip_sigma[:, None] > 0)
        frames = self.time_in(sigma * TIME_SCALE, dtype=self.dtype) + shared + guidance * ~is_held[..., None]
        return frames, clip, clip_sigma

    def _shared(self, conditions: Conditions) -> Tensor:
        """What the vectors of all frames contain beside their sigma, (b, 1, d): pooled text, where the step ends."""
        total = self._nothing()
        if self.vector_in is not None and conditions.pooled is not None:
            total = self.vector_in(conditions.pooled.to(self.dtype))[:, None]
        if self.time_r_in is not None and conditions.end_sigma is not None:
            total = total + self.time_r_in(conditions.end_sigma.float()[:, None] * TIME_SCALE, dtype=self.dtype)
        return total

    def _guidance(self, conditions: Conditions) -> Tensor:
        """Embedding (b, 1, d) of the guidance scale, or a zero for networks without it.

        The scale is rounded to the network's dtype and multiplied by 1000 in it, as released: 6.0 is 6016 in bfloat16.
        """
        if self.guidance_in is None or conditions.guidance is None:
            return self._nothing()
        return self.guidance_in((conditions.guidance.to(self.dtype) * TIME_SCALE)[:, None], dtype=self.dtype)

    def _nothing(self) -> Tensor:
        return torch.zeros((), dtype=self.dtype, device=self.device)

    def text_tokens(
        self, conditions: Conditions, clip_sigma: Float[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b l d"], list[int] | None]:
        """Tokens of the text stream, and how many of each sample are valid: None where all are."""
        num_valid = valid_lengths(conditions.text, conditions.text_mask, name="text_mask")
        text, lengths = trimmed(conditions.text.to(self.dtype), num_valid)
        txt = self.txt_in(text, clip_sigma * TIME_SCALE, lengths=lengths)
        mark = self.cond_type_embedding
        if mark is None:
            return txt, lengths
        sources = [(mark(txt, TEXT), num_valid)]
        for embed, states, mask, source, name in (
            (self.byt5_in, conditions.glyphs, conditions.glyph_mask, GLYPHS, "glyph_mask"),
            (self.vision_in, conditions.vision, conditions.vision_mask, VISION, "vision_mask"),
        ):
            if embed is not None and states is not None:
                num_valid = valid_lengths(states, mask, name=name, may_be_empty=True)
                tokens = embed(trimmed(states.to(self.dtype), num_valid)[0])
                sources.insert(0, (mark(tokens, source), num_valid))
        return joined(sources)

    def _signals(
        self, frames: Tensor, clip: Tensor, *, grid: tuple[int, int, int], num_text: int, lengths: list[int] | None
    ) -> Signals:
        num_visual = math.prod(grid)
        return Signals(
            frames=frames,
            clip=clip,
            rope=self.rope(grid, num_plain=num_text),
            grid=grid,
            lengths=None if lengths is None else [num_visual + length for length in lengths],
            chunk_tokens=self.chunk_tokens,
        )

    def rope(self, grid: tuple[int, int, int], *, num_plain: int) -> Complex[Tensor, "s half"]:
        """Rotations of the tokens of a grid and of text tokens after them."""
        return self.rope_tables(grid, num_plain=num_plain, device=self.device)

    def check(self, latents: Tensor, sigma: Tensor, conditions: Conditions) -> None:
        """Raises InvalidInput where an input does not fit this network or the others."""
        if self.config.sibling:
            rule = "its forward pass as a whole is not part of this package"
            raise invalid(f"{self.config.sibling} network", rule, "use its parts, in transformer.adapters")
        if latents.ndim != 5 or latents.shape[1] != self.config.in_channels:
            rule = f"must be (b, {self.config.in_channels}, t, h, w)"
            raise invalid(f"latents {tuple(latents.shape)}", rule, "check the VAE and the channels")
        b, _, t, _, _ = latents.shape
        if tuple(sigma.shape) not in ((b,), (b, t)):
            raise invalid(f"sigma {tuple(sigma.shape)}", f"must be ({b},) or ({b}, {t})", "one per clip or per frame")
        if sigma.ndim == 2 and self.config.patch_size[0] != 1:
            raise invalid(f"sigma {tuple(sigma.shape)}", "patches span frames here", f"give one per clip: ({b},)")
        check_conditions(conditions, self.config, b)
