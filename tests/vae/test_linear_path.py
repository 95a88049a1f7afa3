"""A VAE started from patches is their principal component codec."""

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from muybridge.core.errors import InvalidInput
from muybridge.vae import VideoVAE
from muybridge.vae.linear_path import START_LOGVAR, initialise_from_patches
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
    """Mean over patches of the squared error of the linear path."""
    padded = F.pad(pixels, (0, 0, 0, 0, 3, 0), mode="replicate")
    wrong = vae.linear_out(vae.linear_in(padded)) - padded
    return float(rows_of(wrong).square().sum(dim=1).mean())


def test_the_error_is_the_sum_of_the_variances_left_out(started: VideoVAE, pixels: Tensor) -> None:
    rows = centred(patches_of(pixels))
    variances = torch.linalg.svdvals(rows).square() / len(rows)
    assert float(variances[CHANNELS:].sum()) > 0.01 * float(variances.sum())
    assert patch_error(started, pixels) == pytest.approx(float(variances[CHANNELS:].sum()), rel=TOLERANCE)


def test_no_other_map_of_that_rank_does_better(started: VideoVAE, pixels: Tensor) -> None:
    rows, best = centred(patches_of(pixels)), patch_error(started, pixels)
    basis = rearrange(started.linear_out.weight.detach().double(), "k c p q r -> (c p q r) k")
    generator = torch.Generator().manual_seed(1)
    for scale in (1e-2, 1e-1, 1.0, 100.0):  # from near the best subspace to anywhere
        change = torch.randn(basis.shape, generator=generator, dtype=torch.float64) * basis.std() * scale
        other = torch.linalg.qr(basis + change).Q
        assert float((rows - rows @ other @ other.T).square().sum(dim=1).mean()) > best


@torch.no_grad()
def test_the_whole_vae_starts_as_its_linear_path(started: VideoVAE, pixels: Tensor) -> None:
    posterior = started.encode(pixels)
    padded = F.pad(pixels, (0, 0, 0, 0, 3, 0), mode="replicate")
    assert torch.equal(posterior.mean, started.linear_in(padded))
    assert bool((posterior.logvar == START_LOGVAR).all())
    assert torch.equal(started.decode(posterior.mean), started.linear_out(posterior.mean)[:, :, 3:])


@torch.no_grad()
def test_latents_start_centred_with_mean_square_one(started: VideoVAE, pixels: Tensor) -> None:
    latents = started.encode(pixels).mean
    assert float(latents.square().mean()) == pytest.approx(1.0, rel=1e-3)
    powers = latents.square().mean(dim=(0, 2, 3, 4))
    assert bool((powers[:-1] >= powers[1:] - 1e-4).all())  # in the order of their components' variance


@torch.no_grad()
def test_a_flat_film_in_the_mean_colour_comes_back(started: VideoVAE, pixels: Tensor) -> None:
    mean = patches_of(pixels).view(-1, 3, 256).mean(dim=(0, 2)).float()
    flat = mean.view(1, 3, 1, 1, 1).expand(1, 3, 5, 16, 16)
    torch.testing.assert_close(started.decode(started.encode(flat).mean), flat, rtol=0, atol=1e-5)


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
