"""Text encoding against diffusers' own `encode_prompt`, with a tiny random Llama and a tiny random CLIP."""

from typing import Any

import pytest
import torch
from diffusers import HunyuanVideoPipeline
from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video import DEFAULT_PROMPT_TEMPLATE
from torch import Tensor

from muybridge.text.encoder import TextStates
from muybridge.text.released import ReleasedEncoder
from muybridge.text.templates import RELEASED_IMAGE, RELEASED_VIDEO, Template
from tests.text import tiny

pytestmark = pytest.mark.peer

MAX_RELATIVE = 2e-4  # of the output's standard deviation; float32 rounding gives about 1e-6
PROMPTS = ["a red ball bounces on a wooden floor", "two cats", "{} braces, and\na second line", "word " * 300]
VIDEO_LENGTH, IMAGE_LENGTH = 256, 315  # 95 + 256 tokens in all for both, as released


@pytest.fixture(scope="module")
def ours() -> ReleasedEncoder:
    torch.manual_seed(0)
    return ReleasedEncoder(
        tiny.language_model(), tiny.language_tokenizer(), clip=tiny.clip_model(), clip_tokenizer=tiny.clip_tokenizer()
    )


@pytest.fixture(scope="module")
def peer(ours: ReleasedEncoder) -> Any:
    torch.manual_seed(0)
    return HunyuanVideoPipeline(
        text_encoder=tiny.language_model(),
        tokenizer=ours.language.tokenizer,
        text_encoder_2=ours.clip.model,
        tokenizer_2=ours.clip.tokenizer,
        transformer=None,
        vae=None,
        scheduler=None,
    )


def peer_encode(peer: Any, template: Template, length: int) -> tuple[Tensor, Tensor, Tensor]:
    with torch.no_grad():
        return peer.encode_prompt(PROMPTS, prompt_template={"template": template.text}, max_sequence_length=length)


def check(ours: TextStates, theirs: tuple[Tensor, Tensor, Tensor]) -> None:
    states, pooled, mask = theirs
    assert ours.states.shape == states.shape
    assert torch.equal(ours.mask, mask.bool())
    assert (ours.states - states)[ours.mask].abs().max() <= MAX_RELATIVE * states[ours.mask].std()
    assert (ours.pooled - pooled).abs().max() <= MAX_RELATIVE * pooled.std()
    assert ours.states[~ours.mask].abs().max() == 0


def test_video_prompts_encode_as_the_peer_does(ours: ReleasedEncoder, peer: Any) -> None:
    check(ours.encode(PROMPTS, num_frames=17), peer_encode(peer, RELEASED_VIDEO, VIDEO_LENGTH))


def test_image_prompts_encode_as_the_peer_does(ours: ReleasedEncoder, peer: Any) -> None:
    check(ours.encode(PROMPTS, num_frames=1), peer_encode(peer, RELEASED_IMAGE, IMAGE_LENGTH))


def test_video_template_is_the_peers() -> None:
    assert RELEASED_VIDEO.text == DEFAULT_PROMPT_TEMPLATE["template"]
    assert RELEASED_VIDEO.released_crop == DEFAULT_PROMPT_TEMPLATE["crop_start"]
