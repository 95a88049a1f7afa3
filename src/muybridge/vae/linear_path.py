"""Start a VAE from the principal components of 4x8x8 patches: a linear codec that training then improves."""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid
from muybridge.core.shapes import TEMPORAL_RATIO
from muybridge.vae.model import PATCH, VideoVAE

START_LOGVAR = -6.0  # posterior std 0.05 of latents whose std is about 1


@torch.no_grad()
def initialise_from_patches(vae: VideoVAE, pixels: Float[Tensor, "b 3 f y x"]) -> None:
    """Set the linear path from `pixels` (in [-1, 1]) and silence the convolutions: training starts from PCA.

    Component k is scaled by variance^(-1/4): full whitening would make the flow loss pay as much for barely visible
    components as for brightness, none would leave them to the last denoising steps. Latents get mean square 1 over all
    channels. Raises InvalidInput for a VAE without a linear path.
    """
    if not vae.config.has_linear_path:
        raise invalid("has_linear_path=False", "patches initialise only a linear path", "set it in the VAEConfig")
    pt, ph, pw = PATCH
    padded = F.pad(pixels, (0, 0, 0, 0, TEMPORAL_RATIO - 1, 0), mode="replicate")
    patches = rearrange(padded, "b c (t pt) (h ph) (w pw) -> (b t h w) (c pt ph pw)", pt=pt, ph=ph, pw=pw).double()
    mean = rearrange(patches, "n (c p) -> c (n p)", c=3).mean(dim=1)
    patches = patches - mean.repeat_interleave(pt * ph * pw)
    variance, basis = torch.linalg.eigh(patches.T @ patches / len(patches))
    channels = vae.config.latent_channels
    variance, basis = variance.flip(0)[:channels].clamp(min=1e-12), basis.flip(1)[:, :channels].T
    scale = variance**-0.25 / variance.sqrt().mean().sqrt()
    encode = (basis * scale[:, None]).reshape(channels, 3, pt, ph, pw)
    decode = (basis / scale[:, None]).reshape(channels, 3, pt, ph, pw)
    vae.linear_in.weight.copy_(encode)
    assert vae.linear_in.bias is not None and vae.linear_out.bias is not None
    vae.linear_in.bias.copy_(-(encode.sum(dim=(2, 3, 4)) @ mean))
    vae.linear_out.weight.copy_(decode)
    vae.linear_out.bias.copy_(mean)
    _silence(vae)


def _silence(vae: VideoVAE) -> None:
    """Zero the last layers, so that the convolutions start by adding nothing."""
    for layer in (vae.quant_conv, vae.decoder.conv_out.conv):
        nn.init.zeros_(layer.weight)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    assert vae.quant_conv.bias is not None
    vae.quant_conv.bias[vae.config.latent_channels :] = START_LOGVAR
