"""The text states of image to video against diffusers' own `encode_prompt`, with a tiny random LLaVA and CLIP."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import HunyuanVideoImageToVideoPipeline
from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video_image2video import DEFAULT_PROMPT_TEMPLATE
from PIL import Image
from torch import Tensor

from muybridge.text.encoder import TextStates
from muybridge.text.pictured import PicturedEncoder
from muybridge.text.templates import PICTURE, PICTURED_VIDEO, RELEASED_TEXT_TOKENS
from muybridge.text.vision import black_picture, clip_pixels
from muybridge.weights.text_encoders import find_text_encoders, load_pictured_text
from tests.text import tiny

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]  # the peer warns of a picture that it is given

MAX_RELATIVE = 2e-4  # of the output's standard deviation; float32 rounding gives about 1e-6
SHORT = ["a red ball bounces on a wooden floor", "two cats"]
LONG = "word " * 300
STRIDES = {"token_replace": 4, "latent_concat": 2}


@pytest.fixture(scope="module")
def peer() -> Any:
    torch.manual_seed(0)
    return HunyuanVideoImageToVideoPipeline(
        text_encoder=tiny.llava(),
        tokenizer=tiny.language_tokenizer(sees_pictures=True),
        text_encoder_2=tiny.clip_model(),
        tokenizer_2=tiny.clip_tokenizer(),
        transformer=None,
        vae=None,
        scheduler=None,
        image_processor=tiny.picture_processor(),
    )


@pytest.fixture(scope="module")
def folder(peer: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("peer")
    for name in ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"):
        getattr(peer, name).save_pretrained(folder / name)
    return folder


@pytest.fixture(scope="module", params=STRIDES.values(), ids=STRIDES)
def ours(folder: Any, request: pytest.FixtureRequest) -> PicturedEncoder:
    return load_pictured_text(find_text_encoders(folder), dtype=torch.float32, stride=request.param)


def peer_encode(peer: Any, prompts: list[str], *, stride: int, picture: Any) -> tuple[Tensor, Tensor, Tensor]:
    prefix = list(peer.tokenizer(PICTURED_VIDEO.prefix)["input_ids"])
    start = prefix.index(peer.tokenizer.convert_tokens_to_ids(PICTURE))
    sizes = {"crop_start": len(prefix), "image_emb_len": 36, "image_emb_start": start, "image_emb_end": start + 36}
    template = {"template": PICTURED_VIDEO.text, **sizes}
    with torch.no_grad():
        return peer.encode_prompt(
            [Image.fromarray(picture)] * len(prompts),
            prompts,
            prompt_template=template,
            max_sequence_length=RELEASED_TEXT_TOKENS,
            image_embed_interleave=stride,
        )


def check(ours: TextStates, theirs: tuple[Tensor, Tensor, Tensor]) -> None:
    states, pooled, mask = theirs
    assert ours.states.shape == states.shape
    assert torch.equal(ours.mask, mask.bool())
    assert (ours.states - states)[ours.mask].abs().max() <= MAX_RELATIVE * states[ours.mask].std()
    assert (ours.pooled - pooled).abs().max() <= MAX_RELATIVE * pooled.std()
    assert not ours.states[~ours.mask].any()


@pytest.mark.parametrize("size", [(60, 40), (40, 200), (84, 84)])
def test_prompts_beside_a_picture_encode_as_the_peer_does(ours: PicturedEncoder, peer: Any, size: tuple[int, int]):
    picture = tiny.picture(*size)
    found = ours.encode(SHORT, num_frames=17, picture=picture)
    check(found, peer_encode(peer, SHORT, stride=ours.stride, picture=picture))


def test_a_prompt_that_is_too_long_encodes_as_the_peers(ours: PicturedEncoder, peer: Any):
    picture = tiny.picture()
    found = ours.encode([LONG], num_frames=17, picture=picture)
    assert found.mask.sum() == 36 / ours.stride + 252
    check(found, peer_encode(peer, [LONG], stride=ours.stride, picture=picture))


@pytest.mark.parametrize("num_words", range(245, 258))
def test_every_length_around_the_limit_encodes_as_the_peers(folder: Any, peer: Any, num_words: int):
    encoder = load_pictured_text(find_text_encoders(folder), dtype=torch.float32, stride=4)
    prompt, picture = "ball" + " ball" * num_words, tiny.picture()
    found = encoder.encode([prompt], num_frames=17, picture=picture)
    check(found, peer_encode(peer, [prompt], stride=4, picture=picture))


def test_a_batch_with_a_long_prompt_is_its_prompts_alone_which_the_peers_is_not(ours: PicturedEncoder, peer: Any):
    """The peer, like the released code, counts the headers of the whole batch: a batch with a long prompt fails."""
    prompts, picture = [LONG, *SHORT], tiny.picture()
    together = ours.encode(prompts, num_frames=17, picture=picture)
    for row, prompt in enumerate(prompts):
        alone = ours.encode([prompt], num_frames=17, picture=picture)
        assert torch.equal(together.states[row], alone.states[0]) and torch.equal(together.mask[row], alone.mask[0])
    with pytest.raises(RuntimeError, match="invalid for input of size"):
        peer_encode(peer, prompts, stride=ours.stride, picture=picture)


def test_the_black_picture_is_the_peers(ours: PicturedEncoder, peer: Any):
    theirs = peer_encode(peer, SHORT, stride=ours.stride, picture=np.zeros((32, 48, 3), np.uint8))
    check(ours.encode(SHORT, num_frames=17, picture=black_picture()), theirs)


@pytest.mark.parametrize("size", [(84, 84), (100, 300), (301, 97), (50, 20), (1, 1), (40, 200)])
def test_pixels_are_those_of_the_peers_processor(size: tuple[int, int]):
    picture = tiny.picture(*size)
    theirs = tiny.picture_processor()(Image.fromarray(picture), return_tensors="pt")["pixel_values"][0]
    torch.testing.assert_close(clip_pixels(picture, 84), theirs, atol=1e-6, rtol=0)


def test_the_template_is_the_peers():
    assert PICTURED_VIDEO.text == DEFAULT_PROMPT_TEMPLATE["template"]
    assert PICTURED_VIDEO.released_crop == DEFAULT_PROMPT_TEMPLATE["crop_start"]
