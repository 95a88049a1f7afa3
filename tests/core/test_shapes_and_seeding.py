"""The arithmetic of sizes, and randomness that names alone decide."""

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.core.seeding import generator, mix, noise
from muybridge.core.shapes import check_num_frames, check_size, latent_frames, latent_shape, token_grid


@pytest.mark.parametrize(("frames", "latents"), [(1, 1), (5, 2), (17, 5), (129, 33)])
def test_one_and_four_n_frames_are_one_and_n_latents(frames: int, latents: int) -> None:
    assert latent_frames(frames) == latents


@pytest.mark.parametrize(
    ("frames", "remedy"), [(128, "use 125 or 129"), (0, "use 1 for a picture"), (18, "use 17 or 21")]
)
def test_other_lengths_are_refused_with_the_nearest(frames: int, remedy: str) -> None:
    with pytest.raises(InvalidInput, match=remedy):
        check_num_frames(frames)


def test_sizes_off_the_grid_are_refused_with_the_nearest() -> None:
    check_size(64, 48, multiple=16)
    with pytest.raises(InvalidInput, match="width=100.*use 96 or 112"):
        check_size(100, 48, multiple=16)


def test_the_released_720p_film_has_118800_tokens() -> None:
    channels, *latent = latent_shape(129, 720, 1280)
    t, h, w = token_grid((latent[0], latent[1], latent[2]), (1, 2, 2))
    assert channels == 16 and t * h * w == 118_800


def test_a_patch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(InvalidInput, match="latent w=5"):
        token_grid((1, 4, 5), (1, 2, 2))


def test_noise_belongs_to_its_seed_alone() -> None:
    together, alone = noise([3, 8], (2, 4)), noise([8], (2, 4))
    assert torch.equal(together[1], alone[0]) and not torch.equal(together[0], together[1])


def test_purposes_give_unrelated_streams_that_repeat() -> None:
    draws = {
        words: torch.rand(3, generator=generator(0, *words)) for words in ((1, "sigma"), (1, "noise"), (2, "sigma"))
    }
    assert len({tuple(draw.tolist()) for draw in draws.values()}) == 3
    assert torch.equal(draws[1, "sigma"], torch.rand(3, generator=generator(0, 1, "sigma")))
    assert 0 <= mix(0, "a") < 2**63 and mix(0, 1, 23) != mix(0, 12, 3)
