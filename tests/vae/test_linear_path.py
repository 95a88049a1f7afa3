"""A VAE started from patches is a linear codec: principal components in, least squares over neighbours out."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from muybridge.core.errors import InvalidInput
from muybridge.vae import VideoVAE
from muybridge.vae.linear_path import START_LOGVAR, initialise_from_patches, with_new_decoder
from muybridge.vae.model import PATCH
from muybridge.vae.stem import depth_to_space
from tests.vae.small import SMALL, STEMMED

CHANNELS = STEMMED.latent_channels
TOLERANCE = 1e-4  # relative: float32 weights against a float64 decomposition


def coloured_clips() -> Tensor:
    """Smooth random films with an offset in each colour, (4, 3, 9, 24, 24) in [-1, 1]."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(4, 3, 5, 9, 9, generator=generator)
    smooth = F.interpolate(coarse, size=(9, 24, 24), mode="trilinear")
    fine = 0.1 * torch.randn(smooth.shape, generator=generator)
    return torch.tanh(0.5 * smooth + fine + torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1, 1))


def rows_of(padded: Tensor) -> Tensor:
    """(n, 768) rows of 4x8x8 patches; float64."""
    return rearrange(padded.double(), "b c (t p) (h q) (w r) -> (b t h w) (c p q r)", p=4, q=8, r=8)


def patches_of(pixels: Tensor) -> Tensor:
    """The same of a film, its first frame repeated to fill its patch."""
    return rows_of(torch.cat([pixels[:, :, :1].expand(-1, -1, 3, -1, -1), pixels], dim=2))


def centred(patches: Tensor) -> Tensor:
    """Less the mean of each colour."""
    return patches - patches.view(len(patches), 3, -1).mean(dim=(0, 2)).repeat_interleave(256)


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    return coloured_clips()


@pytest.fixture(scope="module")
def started(pixels: Tensor) -> VideoVAE:
    torch.manual_seed(0)
    vae = VideoVAE(STEMMED).eval()
    initialise_from_patches(vae, pixels)
    return vae


@torch.no_grad()
def patch_error(vae: VideoVAE, pixels: Tensor) -> float:
    """Mean over patches of the squared error of the linear path, the first frame's patch counted whole."""
    decoded = rearrange(vae.linear_out(vae.linear_latents(pixels)).double(), "b d t h w -> (b t h w) d")
    return float((decoded - patches_of(pixels)).square().sum(dim=1).mean())


def test_the_way_in_spans_the_principal_components(started: VideoVAE, pixels: Tensor) -> None:
    rows = centred(patches_of(pixels))
    leading = torch.linalg.svd(rows, full_matrices=False).Vh[:CHANNELS]
    basis = torch.linalg.qr(rearrange(started.linear_in.weight.detach().double(), "k c p q r -> (c p q r) k")).Q
    assert float((leading @ basis).square().sum()) == pytest.approx(CHANNELS, rel=TOLERANCE)


def test_neighbours_make_the_way_out_better_than_the_components_alone(started: VideoVAE, pixels: Tensor) -> None:
    rows = centred(patches_of(pixels))
    left_out = float((torch.linalg.svdvals(rows).square() / len(rows))[CHANNELS:].sum())
    assert patch_error(started, pixels) < 0.95 * left_out


def test_no_other_way_out_is_much_better(started: VideoVAE, pixels: Tensor) -> None:
    """Least squares up to its ridge: steps down the gradient gain next to nothing."""
    weight = started.linear_out.conv.weight
    kept, best = weight.detach().clone(), patch_error(started, pixels)
    for size in (1e-3, 1e-2, 1e-1):
        change = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)) * kept.std() * size
        for sign in (1, -1):
            weight.data.copy_(kept + sign * change)
            assert patch_error(started, pixels) > 0.999 * best
    weight.data.copy_(kept)


@torch.no_grad()
def test_the_whole_vae_starts_as_its_linear_path(started: VideoVAE, pixels: Tensor) -> None:
    posterior = started.encode(pixels)
    assert torch.equal(posterior.mean, started.linear_latents(pixels))
    assert bool((posterior.logvar == START_LOGVAR).all())
    assert torch.equal(started.decode(posterior.mean), depth_to_space(started.linear_out(posterior.mean), PATCH))


@torch.no_grad()
def test_latents_start_centred_with_mean_square_one(started: VideoVAE, pixels: Tensor) -> None:
    latents = started.encode(pixels).mean
    assert float(latents.square().mean()) == pytest.approx(1.0, rel=1e-3)
    powers = latents.square().mean(dim=(0, 2, 3, 4))
    assert bool((powers[:-1] >= powers[1:] - 1e-4).all())  # in the order of their components' variance


def test_silenced_convolutions_still_learn(pixels: Tensor) -> None:
    """The last layers are zero, so they alone get a gradient at first; after one step all do."""
    torch.manual_seed(0)
    vae = VideoVAE(STEMMED)
    initialise_from_patches(vae, pixels)
    optimizer = torch.optim.SGD(vae.parameters(), lr=0.01)
    film = pixels[:1, :, :5, :16, :16]
    for _ in range(2):
        optimizer.zero_grad()
        posterior = vae.encode(film)
        (F.mse_loss(vae.decode(posterior.mean), film) + 1e-4 * posterior.kl()).backward()
        optimizer.step()
    silent = [name for name, p in vae.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert [name for name in silent if not name.endswith("to_k.bias")] == []


def test_patches_start_only_a_vae_with_a_linear_path(pixels: Tensor) -> None:
    with pytest.raises(InvalidInput, match="has_linear_path=False"):
        initialise_from_patches(VideoVAE(SMALL), pixels)


def test_a_new_decoder_leaves_latents_alone_and_starts_from_the_linear_path(started: VideoVAE, pixels: Tensor) -> None:
    config = replace(STEMMED, decoder_channels=(12,), decoder_stem_patch=(4, 8, 8), decoder_norm="cell")
    changed = with_new_decoder(started, config)
    latents = started.encode(pixels).mean
    assert torch.equal(changed.encode(pixels).mean, latents)
    assert torch.equal(changed.decode(latents), started.decode(latents))
    assert changed.config == replace(config, scaling_factor=started.config.scaling_factor)
    with pytest.raises(InvalidInput, match="only the decoder may differ"):
        with_new_decoder(started, replace(config, norm="clip"))
