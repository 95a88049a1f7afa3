"""Latents to pixels."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.ops.causal_conv import CausalConv3d
from muybridge.vae.blocks import FeatureNorm, MidBlock, Resnet, UpBlock, Upsample
from muybridge.vae.config import VAEConfig
from muybridge.vae.stem import depth_to_space


class Decoder(nn.Module):
    """Mid block, up blocks with one more resnet than the encoder's, and a convolution to pixels."""

    def __init__(self, config: VAEConfig):
        super().__init__()
        config = config.decoder_side()
        style = {"num_groups": config.norm_groups, "norm": config.norm}
        channels = config.block_channels[::-1]
        stem_t, stem_h, stem_w = self.stem_patch = config.stem_patch
        self.conv_in = CausalConv3d(config.latent_channels, channels[0])
        self.mid_block = MidBlock(channels[0], **style, has_attention=config.has_mid_attention)
        self.up_blocks = nn.ModuleList()
        width = channels[0]
        for out_channels, factor in zip(channels, config.strides(), strict=True):
            widths = [width] + [out_channels] * (config.layers_per_block + 1)
            resnets = [Resnet(a, b, **style) for a, b in zip(widths, widths[1:], strict=False)]
            self.up_blocks.append(UpBlock(resnets, Upsample(out_channels, factor) if factor else None))
            width = out_channels
        self.conv_norm_out = FeatureNorm(width, **style)
        self.conv_out = CausalConv3d(width, 3 * stem_t * stem_h * stem_w)

    def forward(self, latents: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b 3 f y x"]:
        """Pixels, nominally in [-1, 1]."""
        x = self.mid_block(self.conv_in(latents))
        for block in self.up_blocks:
            x = block(x)
        return depth_to_space(self.conv_out(F.silu(self.conv_norm_out(x))), self.stem_patch)
