"""The released pair of encoders: lengths, independence of neighbours, and what its loader refuses."""

import logging

import pytest
import torch

from muybridge.core.errors import WeightsError
from muybridge.text.encoder import TextEncoder
from muybridge.text.released import LLAMA3_HEADER, ReleasedEncoder
from tests.text import tiny


@pytest.fixture(scope="module")
def encoder() -> ReleasedEncoder:
    torch.manual_seed(0)
    return ReleasedEncoder(
        tiny.language_model(), tiny.language_tokenizer(), clip=tiny.clip_model(), clip_tokenizer=tiny.clip_tokenizer()
    )


def test_films_have_256_places_and_pictures_315(encoder: ReleasedEncoder) -> None:
    seam: TextEncoder = encoder
    assert seam.encode(["a cat"], num_frames=17).states.shape == (1, 256, seam.text_dim)
    assert seam.encode(["a cat"], num_frames=1).states.shape == (1, 315, seam.text_dim)


def test_a_prompt_alone_equals_itself_in_a_list(encoder: ReleasedEncoder) -> None:
    prompts = ["two cats", "a red ball bounces on a wooden floor", ""]
    batch = encoder.encode(prompts, num_frames=17)
    for index, prompt in enumerate(prompts):
        alone = encoder.encode([prompt], num_frames=17)
        assert torch.equal(alone.states[0], batch.states[index])
        assert torch.equal(alone.mask[0], batch.mask[index])
        assert torch.equal(alone.pooled[0], batch.pooled[index])


def test_a_prompt_beyond_256_tokens_names_what_it_drops(
    encoder: ReleasedEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="muybridge.text.released"):
        batch = encoder.encode(["ball " * 255 + "cat"], num_frames=17)
    assert batch.mask.all()
    assert "<|eot_id|>'" in caplog.text


def test_a_llama3_tokenizer_that_splits_otherwise_is_refused(encoder: ReleasedEncoder) -> None:
    token, number = LLAMA3_HEADER
    with pytest.raises(WeightsError, match="splits a released template"):
        ReleasedEncoder(
            tiny.language_model(),
            tiny.word_tokenizer({token: number}),
            clip=encoder.clip.model,
            clip_tokenizer=encoder.clip.tokenizer,
        )
