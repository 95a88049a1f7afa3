"""Glyphs and what a picture shows: tokens of the text stream in HunyuanVideo-1.5."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from muybridge.core.errors import InvalidInput
from muybridge.transformer import Conditions, TransformerConfig
from muybridge.transformer.sources import joined
from tests.transformer.networks import TINY, TINY_15, conditions, latents, network

SIGMA = torch.tensor([0.9, 0.25])
GENERATED = torch.Generator().manual_seed(5)
GLYPHS = torch.randn(2, 6, TINY_15.glyph_dim, generator=GENERATED)
VISION = torch.randn(2, 5, TINY_15.vision_dim, generator=GENERATED)
NOISY = torch.randn(2, 9, 3, 4, 6, generator=GENERATED)


def given(num_glyphs: tuple[int, int] = (6, 2), num_vision: tuple[int, int] = (5, 5)) -> Conditions:
    """A prompt with glyphs and a picture's semantics, of which so many are valid; the padding holds large numbers."""
    masks = [
        torch.arange(states.shape[1]) < torch.tensor(lengths)[:, None]
        for states, lengths in ((GLYPHS, num_glyphs), (VISION, num_vision))
    ]
    glyphs, vision = (
        torch.where(mask[..., None], states, 50 * states) for states, mask in zip((GLYPHS, VISION), masks, strict=True)
    )
    prompt = conditions()
    return Conditions(
        text=prompt.text, text_mask=prompt.text_mask, glyphs=glyphs, glyph_mask=masks[0], vision=vision,
        vision_mask=masks[1],
    )  # fmt: skip


built = cache(network)


@torch.no_grad()
def velocity(asked: Conditions, config: TransformerConfig = TINY_15) -> Tensor:
    return built(config)(NOISY, SIGMA, asked)


def test_every_source_has_a_part_in_the_velocity():
    whole = velocity(given())
    for lacks in ({"glyphs": None, "glyph_mask": None}, {"vision": None, "vision_mask": None}):
        assert (velocity(replace(given(), **lacks)) - whole).abs().max() > 0.01


def test_a_source_without_valid_tokens_is_no_source():
    none = replace(given(), glyphs=None, glyph_mask=None, vision=None, vision_mask=None)
    assert torch.equal(velocity(given((0, 0), (0, 0))), velocity(none))


def test_padding_of_a_source_changes_nothing():
    short = given((3, 2))
    assert short.glyphs is not None and short.glyph_mask is not None
    cut = replace(short, glyphs=short.glyphs[:, :3], glyph_mask=short.glyph_mask[:, :3])
    assert torch.equal(velocity(short), velocity(cut))


def test_a_batch_is_its_samples():
    both, prompt = velocity(given((6, 0), (5, 3))), conditions()
    assert prompt.text_mask is not None
    for i, num_glyphs, num_vision in ((0, 6, 5), (1, 0, 3)):
        row = slice(i, i + 1)
        alone = Conditions(
            text=prompt.text[row], text_mask=prompt.text_mask[row], vision=VISION[row, :num_vision],
            glyphs=GLYPHS[row, :num_glyphs] if num_glyphs else None,
        )  # fmt: skip
        with torch.no_grad():
            assert torch.equal(built(TINY_15)(NOISY[row], SIGMA[row], alone), both[row])


def test_valid_tokens_stand_before_padding_in_the_order_of_their_sources():
    first, second = torch.tensor([[1.0, 9], [2, 3]])[..., None], torch.tensor([[4.0, 5], [6, 9]])[..., None]
    tokens, lengths = joined([(first, [1, 2]), (second, [2, 1])])
    assert tokens[0, :3, 0].tolist() == [1, 4, 5]
    assert tokens[1, :3, 0].tolist() == [2, 3, 6]
    assert lengths == [3, 3]


def test_the_end_of_a_step_has_a_part_in_its_mean_velocity():
    config = replace(TINY_15, has_end_sigma=True)
    ends = [velocity(replace(given(), end_sigma=torch.full((2,), end)), config) for end in (0.0, 0.2)]
    assert (ends[0] - ends[1]).abs().max() > 0.01
    with pytest.raises(InvalidInput, match="end_sigma=None"):
        velocity(given(), config)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"glyphs": GLYPHS[..., :3]}, "glyphs"),
        ({"glyph_mask": torch.tensor([[0, 1, 1, 1, 1, 1]] * 2)}, "glyph_mask.0.: has a hole"),
        ({"pooled": torch.ones(2, 4)}, "pooled"),
    ],
)
def test_a_wrong_input_is_named(wrong: dict[str, Tensor], message: str):
    with pytest.raises(InvalidInput, match=message):
        velocity(replace(given(), **wrong))


def test_a_network_that_takes_no_glyphs_refuses_them():
    with pytest.raises(InvalidInput, match="takes none"):
        network(TINY)(latents(), SIGMA, replace(conditions(), glyphs=GLYPHS))


@pytest.mark.parametrize("wrong", [{"glyph_dim": 0}, {"vision_dim": 0}, {"num_single_blocks": 1}, {"pooled_dim": -1}])
def test_sizes_that_cannot_be_built_are_refused(wrong: dict[str, int]):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        replace(TINY_15, **wrong)
