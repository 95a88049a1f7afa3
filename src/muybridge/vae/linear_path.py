"""Start a VAE from the principal components of 4x8x8 patches: a linear codec that training then improves."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid
from muybridge.core.shapes import TEMPORAL_RATIO
from muybridge.vae.config import VAEConfig
from muybridge.vae.model import PATCH, VideoVAE
from muybridge.vae.stem import space_to_depth

START_LOGVAR = -6.0  # posterior std 0.05 of latents whose std is about 1
LATENT_NOISE = 0.07  # std that the decoder is fitted to forgive: the posterior's, and some of a transformer's errors


@torch.no_grad()
def initialise_from_patches(vae: VideoVAE, pixels: Float[Tensor, "b 3 f y x"]) -> None:
    """Fit the linear path to `pixels` (in [-1, 1]) and silence the convolutions: training starts from there.

    The way in gives principal components of patches, component k scaled by variance^(-1/4): full whitening would make
    the flow loss pay as much for barely visible components as for brightness, none would leave them to the last
    denoising steps. Latents get mean square 1 over all channels. The way out is the least-squares map from a latent
    cell and its neighbours, past and beside, to the patch; against the transpose of the way in it gains 1.1 dB and has
    no block edges (docs/log.md). Raises InvalidInput for a VAE without a linear path.
    """
    if not vae.config.has_linear_path:
        raise invalid("has_linear_path=False", "patches initialise only a linear path", "set it in the VAEConfig")
    _fit_way_in(vae, pixels)
    _fit_way_out(vae, pixels)
    _silence(vae)


@torch.no_grad()
def with_new_decoder(vae: VideoVAE, config: VAEConfig) -> VideoVAE:
    """A VAE of `config` with `vae`'s encoder, linear path and scale, and fresh, silent convolutions in the decoder.

    It decodes as the linear path alone does, and gives `vae`'s latents to the bit. Raises InvalidInput where the two
    differ in more than the decoder.
    """
    config = replace(config, scaling_factor=vae.config.scaling_factor)
    if config.encoder_words() != vae.config.encoder_words() or not config.has_linear_path:
        rule = "only the decoder may differ, and a linear path goes beside it"
        raise invalid(f"{config.encoder_words()} after {vae.config.encoder_words()}", rule, "change decoder_* alone")
    changed = VideoVAE(config)
    kept = {name: weight for name, weight in vae.state_dict().items() if not name.startswith("decoder.")}
    changed.load_state_dict(changed.state_dict() | kept)
    _silenced(changed.decoder.conv_out.conv)
    return changed.to(vae.dtype)


def _fit_way_in(vae: VideoVAE, pixels: Tensor) -> None:
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
    vae.linear_in.weight.copy_(encode)
    assert vae.linear_in.bias is not None
    vae.linear_in.bias.copy_(-(encode.sum(dim=(2, 3, 4)) @ mean))


def _fit_way_out(vae: VideoVAE, pixels: Tensor) -> None:
    """Ridge regression, one clip at a time; the ridge stands for the latents' noise."""
    conv = vae.linear_out.conv
    size = conv.weight[0].numel() + 1
    gram = torch.zeros(size, size, dtype=torch.float64)
    moment = torch.zeros(size, conv.out_channels, dtype=torch.float64)
    for clip in pixels.split(1):
        features = _neighbourhoods(vae.linear_latents(clip), vae.linear_out.padding)
        patches = rearrange(space_to_depth(clip, PATCH), "b d t h w -> (b t h w) d")
        gram += (features.T @ features).double()
        moment += (features.T @ patches).double()
    ridge = torch.full((size,), gram[-1, -1].item() * LATENT_NOISE**2, dtype=torch.float64)
    ridge[-1] = 0.0
    weights = torch.linalg.solve(gram + ridge.diag(), moment).float()
    assert conv.bias is not None
    conv.weight.copy_(weights[:-1].T.reshape(conv.weight.shape))
    conv.bias.copy_(weights[-1])


def _neighbourhoods(latents: Tensor, padding: tuple[int, ...]) -> Float[Tensor, "n k"]:
    """What a 3x3x3 causal convolution sees at each cell, as rows ending in a one."""
    windows = F.pad(latents, padding, mode="replicate").unfold(2, 3, 1).unfold(3, 3, 1).unfold(4, 3, 1)
    rows = rearrange(windows, "b c t h w i j k -> (b t h w) (c i j k)")
    return F.pad(rows, (0, 1), value=1.0)


def _silence(vae: VideoVAE) -> None:
    """Zero the last layers, so that the convolutions start by adding nothing."""
    _silenced(vae.quant_conv)
    _silenced(vae.decoder.conv_out.conv)
    assert vae.quant_conv.bias is not None
    vae.quant_conv.bias[vae.config.latent_channels :] = START_LOGVAR


def _silenced(layer: nn.Conv3d) -> None:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
