"""The released tiling: what it leaves alone, what it keeps, and what it refuses."""

from dataclasses import replace

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.vae import VideoVAE
from muybridge.vae.linear_path import initialise_from_patches
from muybridge.vae.tiling import Tiling, decode_tiled, encode_tiled
from tests.vae.small import STEMMED, clip, noise_latents, small_vae

TILING = Tiling(sample_px=32, sample_frames=16)
ROUNDING = 1e-5  # the ramp's two weights sum to 1 only nearly


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def patchwise() -> VideoVAE:
    """A VAE whose convolutions are silent and whose way out sees no neighbours: every patch is coded by itself."""
    torch.manual_seed(0)
    vae = VideoVAE(replace(STEMMED, block_channels=(2, 2), norm_groups=1, has_mid_attention=False)).eval()
    initialise_from_patches(vae, clip(9, 32, 32))
    alone = torch.zeros(3, 3, 3)
    alone[2, 1, 1] = 1.0
    vae.linear_out.conv.weight.data *= alone
    return vae


def test_the_defaults_are_the_released_tiles() -> None:
    tiling = Tiling()
    assert (tiling.sample_px, tiling.sample_frames, tiling.overlap) == (256, 64, 0.25)
    assert (tiling.latent_px, tiling.latent_frames) == (32, 16)


@pytest.mark.parametrize(("frames", "height", "width"), [(1, 32, 32), (13, 16, 32), (13, 32, 8)])
def test_what_fits_one_tile_is_coded_whole(frames: int, height: int, width: int) -> None:
    vae, pixels = small_vae(), clip(frames, height, width)
    whole, tiled = vae.encode(pixels), encode_tiled(vae, pixels, TILING)
    assert torch.equal(tiled.mean, whole.mean) and torch.equal(tiled.logvar, whole.logvar)
    assert torch.equal(decode_tiled(vae, whole.mean, TILING), vae.decode(whole.mean))


def test_small_films_are_not_tiled_by_default() -> None:
    vae, pixels = small_vae(), clip(5, 16, 16)
    assert torch.equal(encode_tiled(vae, pixels).mean, vae.encode(pixels).mean)
    assert torch.equal(decode_tiled(vae, noise_latents()), vae.decode(noise_latents()))


SIZES = [(1, 64, 40), (5, 40, 32), (17, 32, 32), (21, 8, 8), (33, 8, 16), (25, 8, 56), (29, 48, 8)]


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize(("frames", "height", "width"), SIZES)
def test_a_patchwise_codec_is_tiled_without_a_trace(patchwise, frames: int, height: int, width: int, overlap) -> None:
    """Where a tile's edges change nothing, all that is left of tiling is where the tiles are put."""
    tiling, pixels = replace(TILING, overlap=overlap), clip(frames, height, width)
    whole, tiled = patchwise.encode(pixels), encode_tiled(patchwise, pixels, tiling)
    torch.testing.assert_close(tiled.mean, whole.mean, rtol=0, atol=ROUNDING)
    torch.testing.assert_close(tiled.logvar, whole.logvar, rtol=0, atol=ROUNDING)
    decoded = decode_tiled(patchwise, whole.mean, tiling)
    torch.testing.assert_close(decoded, patchwise.decode(whole.mean), rtol=0, atol=ROUNDING)


def test_tiling_shows_where_tiles_meet_but_not_in_the_first_tiles_corner() -> None:
    vae, latents = small_vae(norm="frame"), noise_latents(1, 5, 5)
    whole, tiled = vae.decode(latents), decode_tiled(vae, latents, TILING)
    assert tiled.shape == whole.shape and not torch.allclose(tiled, whole, atol=1e-3)
    first = vae.decode(latents[..., :4, :4])
    assert torch.equal(tiled[..., :24, :24], first[..., :24, :24])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample_px": 0}, "sample_px=0: a multiple of 8"),
        ({"sample_px": 100}, "sample_px=100: a multiple of 8"),
        ({"sample_frames": 2}, "sample_frames=2: a multiple of 4"),
        ({"sample_frames": 65}, "sample_frames=65: a multiple of 4"),
        ({"overlap": 1.0}, "overlap=1.0: a share"),
        ({"overlap": -0.25}, "overlap=-0.25: a share"),
        ({"overlap": float("nan")}, "overlap=nan: a share"),
        ({"overlap": 0.3}, "overlap=0.3: a tile of 32 latent px overlaps by whole latents"),
        ({"sample_frames": 8}, "overlap=0.25: a tile of 2 latent frames overlaps by whole latents"),
    ],
)
def test_tiles_that_cannot_meet_are_refused_in_one_line(changes, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Tiling(**changes)
    assert str(caught.value).startswith(message) and "; use " in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("shape", "message"), [((25, 32, 44), "width=44"), ((24, 32, 40), "num_frames=24")])
def test_a_refusal_names_the_film_not_a_tile(shape: tuple[int, int, int], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        encode_tiled(small_vae(), torch.zeros(1, 3, *shape), TILING)


def test_log_variances_are_blended_before_they_are_clamped() -> None:
    """As released: two tiles beyond the range meet at another value than two clamped ones."""
    vae, pixels = small_vae(), clip(1, 16, 48)
    vae.quant_conv.weight.data[16:] *= 100
    left, right = (vae.moments(pixels[..., start : start + 32])[:, 16:] for start in (0, 16))
    seam = encode_tiled(vae, pixels, replace(TILING, overlap=0.5)).logvar[..., 3]
    torch.testing.assert_close(seam, ((left[..., 3] + right[..., 1]) / 2).clamp(-30, 20))
    clamped_first = (left[..., 3].clamp(-30, 20) + right[..., 1].clamp(-30, 20)) / 2
    assert not torch.allclose(seam, clamped_first, atol=1.0)
