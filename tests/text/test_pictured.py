"""The encoder that reads a prompt beside a picture: what its states are of, and what it refuses."""

import dataclasses
import logging
from collections.abc import Callable

import pytest
import torch

from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.text.config import VisionConfig
from muybridge.text.encoder import TextEncoder
from muybridge.text.pictured import PicturedEncoder
from muybridge.text.vision import MAX_RATIO, PictureTower, black_picture, clip_pixels
from tests.text import tiny

NUM_PATCHES, NUM_KEPT = 36, 9  # of the tiny tower, and with a stride of 4
PROMPTS = ("two cats", "a red ball bounces on a wooden floor", "word " * 300)
TOWER = VisionConfig(image_px=84, hidden_size=16, num_layers=3, num_heads=2, mlp_dim=32, output_dim=32)


def tower() -> PictureTower:
    eyes = PictureTower(TOWER).eval()
    with torch.no_grad():
        for parameter in eyes.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return eyes


@pytest.fixture(scope="module")
def make() -> Callable[[int], PicturedEncoder]:
    def make(stride: int) -> PicturedEncoder:
        torch.manual_seed(0)
        return PicturedEncoder(
            tiny.language_model(),
            tiny.language_tokenizer(sees_pictures=True),
            tower=tower(),
            stride=stride,
            clip=tiny.clip_model(),
            clip_tokenizer=tiny.clip_tokenizer(),
        )

    return make


@pytest.fixture(scope="module")
def encoder(make: Callable[[int], PicturedEncoder]) -> PicturedEncoder:
    return make(4)


def test_states_are_those_of_every_fourth_patch_and_of_252_tokens(encoder: PicturedEncoder):
    seam: TextEncoder = encoder
    found = seam.encode(PROMPTS, num_frames=17, picture=tiny.picture())
    assert found.states.shape == (len(PROMPTS), NUM_KEPT + 252, seam.text_dim)
    assert found.mask[2].all() and not found.mask[0].all()


def test_every_prompt_of_a_batch_is_itself_alone(encoder: PicturedEncoder):
    together = encoder.encode(PROMPTS, num_frames=17, picture=tiny.picture())
    for row, prompt in enumerate(PROMPTS):
        alone = encoder.encode([prompt], num_frames=17, picture=tiny.picture())
        assert torch.equal(together.states[row], alone.states[0]) and torch.equal(together.mask[row], alone.mask[0])


def test_the_stride_only_leaves_vectors_out(make: Callable[[int], PicturedEncoder], encoder: PicturedEncoder):
    every = make(1).encode(PROMPTS, num_frames=17, picture=tiny.picture())
    fourth = encoder.encode(PROMPTS, num_frames=17, picture=tiny.picture())
    assert torch.equal(every.states[:, :NUM_PATCHES:4], fourth.states[:, :NUM_KEPT])
    assert torch.equal(every.states[:, NUM_PATCHES:], fourth.states[:, NUM_KEPT:])


def test_the_prompt_is_read_beside_the_picture_and_the_pooled_vector_alone(encoder: PicturedEncoder):
    one, black = (encoder.encode(PROMPTS[:1], num_frames=17, picture=p) for p in (tiny.picture(), black_picture()))
    assert not torch.allclose(one.states[:, NUM_KEPT:], black.states[:, NUM_KEPT:])
    assert torch.equal(one.pooled, black.pooled)


def test_films_and_pictures_have_templates_of_their_own(encoder: PicturedEncoder):
    film, still = (encoder.encode(PROMPTS[:1], num_frames=n, picture=tiny.picture()) for n in (17, 1))
    assert still.mask.sum() == film.mask.sum() and still.states.shape[1] > film.states.shape[1]


def test_places_are_those_of_the_states_behind_the_picture(encoder: PicturedEncoder):
    for prompt in PROMPTS:
        places = encoder.places(prompt, num_frames=17)
        found = encoder.encode([prompt], num_frames=17, picture=tiny.picture())
        assert len(places) == found.mask.sum() - NUM_KEPT
        assert places[0][0] == 0 and all(start <= stop for start, stop in places)


def test_what_is_cut_from_a_long_prompt_is_named(encoder: PicturedEncoder, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, logger="muybridge.text.pictured"):
        encoder.encode(["ball " * 255 + "cat"], num_frames=17, picture=tiny.picture())
    assert "cat'" in caplog.text and "<|" not in caplog.text


def test_no_picture_and_the_pictures_own_word_are_refused(encoder: PicturedEncoder):
    with pytest.raises(InvalidInput, match="no picture: this text encoder reads the prompt beside one"):
        encoder.encode(["a cat"], num_frames=17)
    with pytest.raises(InvalidInput, match="stands for the picture"):
        encoder.encode(["an <image> of a cat"], num_frames=17, picture=tiny.picture())


def test_a_tokenizer_without_a_picture_is_refused(encoder: PicturedEncoder):
    with pytest.raises(WeightsError, match="has no token <image>"):
        PicturedEncoder(
            tiny.language_model(),
            tiny.language_tokenizer(),
            tower=encoder.tower,
            stride=4,
            clip=encoder.clip.model,
            clip_tokenizer=encoder.clip.tokenizer,
        )


def test_a_very_long_picture_costs_what_its_middle_costs():
    long = tiny.picture(3, 60_000)
    middle = long[30_000 - 3 * MAX_RATIO // 2 : 30_000 + 3 * MAX_RATIO // 2]
    assert torch.equal(clip_pixels(long, 28), clip_pixels(middle, 28))


def test_the_released_tower_has_as_many_parameters_as_are_counted():
    shapes = VisionConfig().shapes()
    small = PictureTower(TOWER).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in small.items()} == TOWER.shapes()
    assert VisionConfig().num_patches == 576 and len(shapes) == 23 * 16 + 7 + 4


@pytest.mark.parametrize("change", [{"num_heads": 3}, {"image_px": 85}, {"patch_px": 0}, {"activation": "relu"}])
def test_sizes_that_do_not_fit_are_refused(change: dict[str, int]):
    with pytest.raises(InvalidInput, match=next(iter({"num_heads": "hidden_size"}.get(k, k) for k in change))):
        dataclasses.replace(TOWER, **change)
