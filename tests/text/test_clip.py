"""The pooled CLIP vector."""

import logging

import pytest
import torch

from muybridge.text.clip import MAX_TOKENS, ClipPooled
from tests.text import tiny


@pytest.fixture(scope="module")
def clip() -> ClipPooled:
    torch.manual_seed(0)
    return ClipPooled(tiny.clip_model(), tiny.clip_tokenizer())


def test_padding_to_77_changes_nothing(clip: ClipPooled) -> None:
    padded = clip.tokenizer("a red ball", padding="max_length", max_length=MAX_TOKENS, return_tensors="pt")
    with torch.no_grad():
        pooled = clip.model(input_ids=padded["input_ids"]).pooler_output[0]
    torch.testing.assert_close(clip.pooled("a red ball"), pooled)
    assert pooled.shape == (clip.dim,)


def test_what_is_beyond_77_tokens_is_named_and_left_out(clip: ClipPooled, caplog: pytest.LogCaptureFixture) -> None:
    kept = "x" * (MAX_TOKENS - 2)
    with caplog.at_level(logging.WARNING, logger="muybridge"):
        cut = clip.pooled(kept + "yz")
    assert "dropped='yz'" in caplog.text
    assert torch.equal(cut, clip.pooled(kept))


def test_a_prompt_that_fits_is_not_warned_about(clip: ClipPooled, caplog: pytest.LogCaptureFixture) -> None:
    clip.pooled("x" * (MAX_TOKENS - 2))
    assert not caplog.text
