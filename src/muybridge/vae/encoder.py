"""Pixels to moments."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.ops.causal_conv import CausalConv3d
from muybridge.vae.blocks import DownBlock, Downsample, FeatureNorm, MidBlock, Resnet
from muybridge.vae.config import VAEConfig
from muybridge.vae.stem import space_to_depth


class Encoder(nn.Module):
    """Stem, down blocks, mid block, and a convolution to 2 x latent_channels moments."""

    def __init__(self, config: VAEConfig):
        super().__init__()
        style = {"num_groups": config.norm_groups, "norm": config.norm}
        channels, top = config.block_channels, config.block_channels[-1]
        stem_t, stem_h, stem_w = self.stem_patch = config.stem_patch
        self.conv_in = CausalConv3d(3 * stem_t * stem_h * stem_w, channels[0])
        self.down_blocks = nn.ModuleList()
        width = channels[0]
        for out_channels, stride in zip(channels, config.strides(), strict=True):
            widths = [width] + [out_channels] * config.layers_per_block
            resnets = [Resnet(a, b, **style) for a, b in zip(widths, widths[1:], strict=False)]
            self.down_blocks.append(DownBlock(resnets, Downsample(out_channels, stride) if stride else None))
            width = out_channels
        self.mid_block = MidBlock(top, **style, has_attention=config.has_mid_attention)
        self.conv_norm_out = FeatureNorm(top, **style)
        self.conv_out = CausalConv3d(top, 2 * config.latent_channels)

    def forward(self, pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, "b m t h w"]:
        """Moments before `quant_conv`, m = 2 x latent_channels."""
        x = self.conv_in(space_to_depth(pixels, self.stem_patch))
        for block in self.down_blocks:
            x = block(x)
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))
