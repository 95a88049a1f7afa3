"""Small films from latents by a matrix that no other matrix beats."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from muybridge.vae import VideoVAE, to_model
from muybridge.vae.glance import CELL_PX, PATCH, features, fit, fit_to, glance, reduced
from muybridge.vae.leaves import leaves
from muybridge.vae.stem import space_to_depth
from tests.vae.small import small_vae

LEAST_SQUARES = 1e-5  # relative: the matrix is kept in float32


def squared_error(matrix: Tensor, latents: Tensor, pixels: Tensor) -> float:
    """Over whole patches, the first frame's counted whole."""
    wanted = rearrange(space_to_depth(reduced(pixels), PATCH), "b d t h w -> b t h w d").double()
    return float((features(latents).double() @ matrix.double() - wanted).square().sum())


def latents_of(vae: VideoVAE, films: Tensor) -> Tensor:
    with torch.no_grad():
        return to_model(vae.encode(films).mode(), vae.config)


def some_leaves(num: int = 3) -> Tensor:
    return torch.stack([leaves(seed, num_frames=9, height=32, width=48) for seed in range(num)])


def test_the_fit_is_the_least_squares_optimum_for_random_weights():
    vae, films = small_vae(), some_leaves()
    latents = latents_of(vae, films)
    matrix = fit(latents, films)
    least, generator = squared_error(matrix, latents, films), torch.Generator().manual_seed(0)
    for _ in range(20):
        other = matrix + 1e-3 * torch.randn(matrix.shape, generator=generator)
        assert squared_error(other, latents, films) > least * (1 - LEAST_SQUARES)
    residual = rearrange(space_to_depth(reduced(films), PATCH), "b d t h w -> (b t h w) d").double()
    rows = rearrange(features(latents), "b t h w k -> (b t h w) k").double()
    gradient = rows.T @ (rows @ matrix.double() - residual)
    assert gradient.abs().max() < LEAST_SQUARES * (rows.T @ residual).abs().max()


def test_a_linear_decoder_is_found_again():
    """Where pictures are a matrix of their latents, the fit is that matrix."""
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(4, 4, 1, 4, 5, generator=generator)
    still = torch.randn(5, 3, 1, 2, 2, generator=generator).expand(5, 3, 4, 2, 2).reshape(5, 48)
    small = glance(latents, still)
    pixels = F.interpolate(small[:, :, 0], scale_factor=8 // CELL_PX)[:, :, None]
    assert torch.allclose(fit(latents, pixels), still, atol=1e-4)


def test_a_glance_has_every_frame_and_two_pixels_a_cell():
    assert glance(torch.zeros(2, 4, 3, 4, 5), torch.zeros(5, 48)).shape == (2, 3, 9, 8, 10)
    assert glance(torch.zeros(1, 4, 1, 4, 5), torch.zeros(5, 48)).shape == (1, 3, 1, 8, 10)


def test_a_vae_has_one_matrix():
    vae = small_vae()
    assert torch.equal(fit_to(vae), fit_to(vae))


def test_leaves_are_films_of_their_seed():
    film = leaves(1, num_frames=5, height=24, width=40)
    assert film.shape == (3, 5, 24, 40) and film.dtype == torch.float32
    assert film.min() >= -1 and film.max() <= 1 and film.std() > 0.2
    assert torch.equal(film, leaves(1, num_frames=5, height=24, width=40))
    assert not torch.equal(film, leaves(2, num_frames=5, height=24, width=40))
    assert (film[:, 0] - film[:, -1]).abs().mean() > 0.02  # they move


def test_leaves_have_the_spectrum_of_photographs():
    """Power falls as about the square of the frequency (Lee, Mumford and Huang, 2001)."""
    powers = []
    for seed in range(12):
        grey = leaves(seed, num_frames=1, height=64, width=64)[:, 0].mean(0)
        powers.append(torch.fft.rfft2(grey * torch.hann_window(64)[:, None] * torch.hann_window(64)).abs().square())
    power = torch.stack(powers).mean(0)
    rings = torch.tensor([float(power[0, k] + power[k, 0]) for k in range(2, 16)]).log()
    frequency = torch.arange(2, 16).float().log()
    centred = frequency - frequency.mean()
    slope = (centred * rings).sum() / centred.square().sum()
    assert -4 < float(slope) < -1.5
