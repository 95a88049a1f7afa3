"""The laws of the causal VAE: shapes, causality, one picture one latent, and a posterior that can be trained."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from muybridge.core.errors import InvalidInput
from muybridge.vae import Gaussian, VAEConfig, VideoVAE, to_model, to_vae
from tests.vae.small import SMALL, STEMMED, clip, noise_latents, small_vae

CELLS = replace(STEMMED, decoder_channels=(12,), decoder_stem_patch=(4, 8, 8), decoder_norm="cell")
ROUNDING = 1e-4  # absolute, on outputs of order one: the same sums in another order (measured 2e-5)


@pytest.fixture(autouse=True)
def no_gradients(request: pytest.FixtureRequest):
    with torch.set_grad_enabled("gradient" in request.node.name):
        yield


def test_the_default_is_the_released_size() -> None:
    with torch.device("meta"):
        vae = VideoVAE()
    assert sum(parameter.numel() for parameter in vae.parameters()) == 246_478_803
    assert len(vae.state_dict()) == 248


@pytest.mark.parametrize("config", [SMALL, STEMMED, CELLS], ids=["released", "stemmed", "cells"])
@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_every_4n_plus_1_shape_comes_back(config: VAEConfig, n: int) -> None:
    vae, pixels = small_vae(config), clip(1 + 4 * n, 16, 24, batch=2)
    posterior = vae.encode(pixels)
    assert posterior.mean.shape == posterior.logvar.shape == (2, 16, 1 + n, 2, 3)
    assert vae.decode(posterior.mode()).shape == pixels.shape


@pytest.mark.parametrize("norm", ["clip", "frame", "cell"])
def test_one_picture_is_one_latent_and_the_first_of_its_film(norm: str) -> None:
    """A picture is one latent frame, and with per-frame norm the same one that a film beginning with it has first."""
    vae, film = small_vae(norm=norm), clip(9)
    picture = vae.encode(film[:, :, :1]).mean
    assert picture.shape[2] == 1
    is_same = (vae.encode(film).mean[:, :, :1] - picture).abs().max() < ROUNDING
    assert bool(is_same) == (norm != "clip")


@pytest.mark.parametrize("config", [SMALL, STEMMED], ids=["released", "stemmed"])
@pytest.mark.parametrize("norm", ["clip", "frame", "cell"])
def test_later_frames_change_earlier_latents_only_through_clip_norm(config: VAEConfig, norm: str) -> None:
    vae, film = small_vae(config, norm=norm), clip(13)
    other = torch.cat([film[:, :, :5], clip(8, seed=1)], dim=2)
    difference = (vae.encode(film).mean - vae.encode(other).mean).abs().amax(dim=(0, 1, 3, 4))
    assert bool((difference[2:] > ROUNDING).all())
    assert bool((difference[:2] <= ROUNDING).all()) == (norm != "clip")


@pytest.mark.parametrize("config", [SMALL, STEMMED], ids=["released", "stemmed"])
@pytest.mark.parametrize("norm", ["clip", "frame", "cell"])
def test_later_latents_change_earlier_frames_only_through_clip_norm(config: VAEConfig, norm: str) -> None:
    vae, latents = small_vae(config, norm=norm), noise_latents(4)
    other = torch.cat([latents[:, :, :2], noise_latents(2, seed=1)], dim=2)
    difference = (vae.decode(latents) - vae.decode(other)).abs().amax(dim=(0, 1, 3, 4))
    assert bool((difference[5:] > ROUNDING).all())
    assert bool((difference[:5] <= ROUNDING).all()) == (norm != "clip")


@pytest.mark.parametrize("config", [SMALL, STEMMED], ids=["released", "stemmed"])
def test_the_start_alone_is_the_start_of_the_whole(config: VAEConfig) -> None:
    vae, film, latents = small_vae(config, norm="frame"), clip(9), noise_latents(3)
    torch.testing.assert_close(vae.encode(film[:, :, :5]).mean, vae.encode(film).mean[:, :, :2], rtol=0, atol=ROUNDING)
    torch.testing.assert_close(vae.decode(latents[:, :, :2]), vae.decode(latents)[:, :, :5], rtol=0, atol=ROUNDING)


def test_samples_of_a_batch_do_not_meet() -> None:
    vae, films = small_vae(), clip(5, batch=3)
    whole = vae.encode(films)
    for i in range(3):
        torch.testing.assert_close(vae.encode(films[i : i + 1]).mean, whole.mean[i : i + 1], rtol=0, atol=ROUNDING)
    decoded = vae.decode(whole.mean)
    torch.testing.assert_close(vae.decode(whole.mean[1:2]), decoded[1:2], rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("config", [SMALL, STEMMED], ids=["released", "stemmed"])
@pytest.mark.parametrize("norm", ["clip", "frame", "cell"])
def test_the_gradient_reaches_every_parameter(config: VAEConfig, norm: str) -> None:
    vae, pixels = small_vae(config, norm=norm), clip(9, batch=2)
    posterior = vae.encode(pixels)
    decoded = vae.decode(posterior.sample(torch.Generator().manual_seed(0)))
    (F.mse_loss(decoded, pixels) + 1e-4 * posterior.kl()).backward()
    for name, parameter in vae.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all()), name
        if not name.endswith("to_k.bias"):  # adds one number to all scores of a query: softmax does not see it
            assert float(parameter.grad.abs().max()) > 0, name


@pytest.mark.parametrize("frames", [0, 2, 3, 4, 6, 128])
def test_other_numbers_of_frames_are_refused(frames: int) -> None:
    with pytest.raises(InvalidInput, match=rf"num_frames={frames}: this VAE needs 4n\+1 frames; use "):
        small_vae().encode(torch.zeros(1, 3, frames, 16, 16))


@pytest.mark.parametrize(("height", "width", "name"), [(20, 16, "height=20"), (16, 4, "width=4"), (16, 0, "width=0")])
def test_sides_that_are_no_multiple_of_8_are_refused(height: int, width: int, name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name}: sizes are multiples of 8 px"):
        small_vae().encode(torch.zeros(1, 3, 1, height, width))


@pytest.mark.wrong_shapes
@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (torch.zeros(1, 1, 1, 16, 16), r"pixels \(1, 1, 1, 16, 16\): must be"),
        (torch.zeros(1, 3, 16, 16), r"pixels \(1, 3, 16, 16\): must be"),
        (torch.zeros(1, 3, 1, 16, 16).byte(), "pixels of torch.uint8: must be floating"),
    ],
)
def test_what_is_no_film_is_refused(pixels: torch.Tensor, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        small_vae().encode(pixels)


@pytest.mark.wrong_shapes
@pytest.mark.parametrize("shape", [(1, 8, 1, 2, 2), (1, 16, 2, 2)])
def test_what_are_no_latents_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"must be \(b, 16, t, h, w\)"):
        small_vae().decode(torch.zeros(shape))


def test_the_network_computes_in_the_dtype_of_its_parameters() -> None:
    vae, pixels = small_vae(), clip()
    posterior = vae.encode(pixels.double())
    assert torch.equal(posterior.mean, vae.encode(pixels).mean)
    assert torch.equal(vae.decode(posterior.mean.double()), vae.decode(posterior.mean))


def test_kl_is_zero_for_the_standard_normal_and_positive_elsewhere() -> None:
    zeros = torch.zeros(1, 16, 2, 3, 3)
    assert float(Gaussian(mean=zeros, logvar=zeros).kl()) == 0.0
    generator = torch.Generator().manual_seed(0)
    for scale in (0.01, 0.1, 1.0, 3.0):
        mean, logvar = (scale * torch.randn(zeros.shape, generator=generator) for _ in range(2))
        assert float(Gaussian(mean=mean, logvar=logvar).kl()) > 0.0


def test_kl_is_torchs_own_summed_over_channels_and_averaged_over_cells() -> None:
    mean, logvar = noise_latents(seed=1).double(), noise_latents(seed=2).double()
    posterior = torch.distributions.Normal(mean, (0.5 * logvar).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(posterior, prior).sum(dim=1).mean()
    assert float(Gaussian(mean=mean, logvar=logvar).kl()) == pytest.approx(float(expected), rel=1e-6)


def test_samples_have_the_posteriors_moments_and_follow_the_generator() -> None:
    posterior = Gaussian(mean=torch.full((1, 16, 4, 20, 20), 2.0), logvar=torch.full((1, 16, 4, 20, 20), -2.0))
    drawn = posterior.sample(torch.Generator().manual_seed(0))
    assert torch.equal(drawn, posterior.sample(torch.Generator().manual_seed(0)))
    assert not torch.equal(drawn, posterior.sample(torch.Generator().manual_seed(1)))
    assert float(drawn.mean()) == pytest.approx(2.0, abs=0.02)
    assert float(drawn.std()) == pytest.approx(float(torch.tensor(-1.0).exp()), rel=0.02)


def test_the_log_variance_is_clamped_as_released() -> None:
    moments = torch.cat([torch.zeros(1, 2, 1, 1, 1), torch.tensor([-99.0, 99.0]).view(1, 2, 1, 1, 1)], dim=1)
    assert Gaussian.from_moments(moments).logvar.flatten().tolist() == [-30.0, 20.0]


def test_the_models_scale_is_the_released_factor_and_comes_back() -> None:
    latents = noise_latents()
    assert torch.equal(to_model(latents, VAEConfig()), latents * 0.476986)
    torch.testing.assert_close(to_vae(to_model(latents, SMALL), SMALL), latents)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block_channels": (10, 16)}, "each is a multiple of norm_groups=4"),
        ({"block_channels": (8, 8, 8)}, "this stem needs over 3 blocks"),
        ({"block_channels": ()}, "this stem needs over 3 blocks"),
        ({"block_channels": (8, 8, 8, 0)}, "block_channels"),
        ({"norm_groups": 0}, "norm_groups=0"),
        ({"layers_per_block": 0}, "layers_per_block=0"),
        ({"latent_channels": 0}, "latent_channels=0"),
        ({"norm": "batch"}, "norm='batch'"),
        ({"stem_patch": (1, 1)}, "stem_patch=(1, 1)"),
        ({"stem_patch": (3, 4, 4)}, "stem_patch t=3"),
        ({"stem_patch": (4, 0, 4)}, "stem_patch h=0"),
        ({"stem_patch": (4, 4, 16)}, "stem_patch w=16"),
        ({"stem_patch": (1, 2, 4)}, "stem_patch=(1, 2, 4)"),
        ({"stem_patch": (1, 4, 4)}, "stem_patch=(1, 4, 4)"),
        ({"stem_patch": (2, 8, 8)}, "stem_patch=(2, 8, 8)"),
        ({"scaling_factor": 0.0}, "scaling_factor=0.0"),
        ({"scaling_factor": float("nan")}, "scaling_factor=nan"),
        ({"scaling_factor": float("inf")}, "scaling_factor=inf"),
    ],
)
def test_a_config_that_cannot_be_is_refused_in_one_line(changes, message: str) -> None:
    fields = {"block_channels": (8, 8, 16, 16), "norm_groups": 4, **changes}
    with pytest.raises(InvalidInput) as caught:
        VAEConfig(**fields)
    given, _, rest = str(caught.value).partition(": ")
    assert message in str(caught.value) and given and "; " in rest
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize("patch", [(1, 1, 1), (2, 2, 2), (4, 4, 4), (1, 2, 2), (2, 4, 4), (4, 8, 8)])
def test_every_stem_keeps_the_ratios(patch: tuple[int, int, int]) -> None:
    vae = small_vae(stem_patch=patch)
    posterior = vae.encode(clip(5, 16, 16))
    assert posterior.mean.shape == (1, 16, 2, 2, 2)
    assert vae.decode(posterior.mean).shape == (1, 3, 5, 16, 16)


def test_a_decoder_of_its_own_leaves_the_encoder_and_its_identity() -> None:
    mirrored, own = VideoVAE(STEMMED), VideoVAE(CELLS)
    shapes = [{name: w.shape for name, w in vae.encoder.state_dict().items()} for vae in (mirrored, own)]
    assert shapes[0] == shapes[1]
    assert STEMMED.encoder_words() == CELLS.encoder_words() != replace(STEMMED, norm="clip").encoder_words()
    assert own.decoder.conv_out.conv.out_channels == 768 and len(own.decoder.up_blocks) == 1


def test_an_impossible_decoder_is_refused() -> None:
    with pytest.raises(InvalidInput, match="norm_groups=4"):
        replace(STEMMED, decoder_channels=(6, 6))
    with pytest.raises(InvalidInput, match="over 1 blocks"):
        replace(STEMMED, decoder_channels=(8,))
