"""Both released kinds of image to video against diffusers' pipeline: same folder, same noise, small random weights.

The peer mixes a thousandth of the picture into the noise always, as the released code does with --i2v-stability.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo, FlowMatchEulerDiscreteScheduler, HunyuanVideoImageToVideoPipeline
from PIL import Image
from torch import Tensor

import muybridge
from muybridge.core.errors import InvalidInput
from muybridge.core.seeding import noise
from muybridge.text.templates import PICTURE, PICTURED_VIDEO, RELEASED_TEXT_TOKENS
from muybridge.transformer import TransformerConfig
from tests.parity.peer_transformer import peer_of, relative_error
from tests.text import tiny
from tests.transformer.networks import TINY, network

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]  # the peer warns

MAX_LATENT_ERROR = 2e-4  # of the standard deviation; float32 rounding over the steps gives about 1e-5
MAX_PIXEL_ERROR = 5e-4  # as above, through the VAE
GUIDANCE = 8.0  # exact in bfloat16 after x1000
EVERYWHERE = "4@0-1"  # true guidance at every level; such weights are else guided at the middle ones alone
PROMPT, NEGATIVE = "a red ball bounces on a wooden floor", "two cats, dark"
WIDTH, HEIGHT, FRAMES, STEPS, SEED = 48, 32, 9, 4, 11
LATENT = (4, 3, HEIGHT // 8, WIDTH // 8)
CHANNELS = {"token_replace": 4, "latent_concat": 9}
STRIDES = {"token_replace": 4, "latent_concat": 2}
CALL = {"size": f"{WIDTH}x{HEIGHT}", "frames": FRAMES, "steps": STEPS, "shift": 7.0, "seed": SEED, "guidance": GUIDANCE}


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """Of the film's size: the peer squeezes others, where the released code crops them."""
    return Image.fromarray(tiny.picture(WIDTH, HEIGHT))


@pytest.fixture(scope="module", params=CHANNELS)
def peer(request: pytest.FixtureRequest) -> HunyuanVideoImageToVideoPipeline:
    """Every part random, wired as released."""
    torch.manual_seed(0)
    config = TransformerConfig(
        in_channels=CHANNELS[request.param], out_channels=4, hidden_size=TINY.hidden_size, num_heads=TINY.num_heads,
        num_double_blocks=2, num_single_blocks=2, rope_axes_dim=TINY.rope_axes_dim, text_dim=32, pooled_dim=16,
    )  # fmt: skip
    vae = AutoencoderKLHunyuanVideo(
        block_out_channels=(8, 16, 16, 16), layers_per_block=1, latent_channels=4, norm_num_groups=4,
        scaling_factor=0.476986,
    )  # fmt: skip
    pipe = HunyuanVideoImageToVideoPipeline(
        text_encoder=tiny.llava(),
        tokenizer=tiny.language_tokenizer(sees_pictures=True),
        text_encoder_2=tiny.clip_model(),
        tokenizer_2=tiny.clip_tokenizer(),
        transformer=peer_of(network(config), image_condition_type=request.param),
        vae=vae.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        image_processor=tiny.picture_processor(),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def folder(peer: HunyuanVideoImageToVideoPipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("peer")
    peer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def ours(folder: Path) -> Any:
    return muybridge.load(folder, device="cpu")


def kind(peer: HunyuanVideoImageToVideoPipeline) -> str:
    return str(peer.transformer.config.image_condition_type)


def template(peer: HunyuanVideoImageToVideoPipeline) -> dict[str, Any]:
    """The released template, with what the tiny tokenizer and the tiny tower make of it."""
    prefix = list(peer.tokenizer(PICTURED_VIDEO.prefix)["input_ids"])
    start = prefix.index(peer.tokenizer.convert_tokens_to_ids(PICTURE))
    sizes = {"crop_start": len(prefix), "image_emb_len": 36, "image_emb_start": start, "image_emb_end": start + 36}
    return {"template": PICTURED_VIDEO.text, **sizes}


@torch.no_grad()
def peer_film(peer: HunyuanVideoImageToVideoPipeline, picture: Image.Image, *, output: str, **settings: Any) -> Tensor:
    """Latents or pixels in [-1, 1] of one call; the noise is the one our seed gives."""
    [found] = peer(
        image=picture, prompt=PROMPT, width=WIDTH, height=HEIGHT, num_frames=FRAMES, num_inference_steps=STEPS,
        guidance_scale=GUIDANCE, prompt_template=template(peer), return_dict=False, latents=noise([SEED], LATENT),
        output_type=output, **settings,
    )  # fmt: skip
    return found if output == "latent" else found.transpose(1, 2) * 2 - 1


def negative_states(peer: HunyuanVideoImageToVideoPipeline, *, stride: int) -> dict[str, Tensor]:
    """What true guidance turns away from: the negative prompt beside black."""
    with torch.no_grad():
        states, pooled, mask = peer.encode_prompt(
            Image.new("RGB", (WIDTH, HEIGHT)), NEGATIVE, prompt_template=template(peer),
            max_sequence_length=RELEASED_TEXT_TOKENS, image_embed_interleave=stride,
        )  # fmt: skip
    return {
        "negative_prompt_embeds": states,
        "negative_pooled_prompt_embeds": pooled,
        "negative_prompt_attention_mask": mask,
    }


def check_latents(film: Any, theirs: Tensor) -> None:
    """Of the film without its first latent frame the peer tells in one kind only the others."""
    ours = film.latents[None][:, :, -theirs.shape[2] :]
    assert relative_error(ours, theirs) <= MAX_LATENT_ERROR


def test_a_film_is_the_peers(ours: Any, peer: Any, picture: Image.Image):
    film = ours(PROMPT, image=picture, **CALL)
    check_latents(film, peer_film(peer, picture, output="latent"))
    theirs = peer_film(peer, picture, output="pt")
    pixels = ours.decode(film.latents[None]).clamp(-1, 1)
    assert relative_error(pixels[:, :, -theirs.shape[2] :], theirs) <= MAX_PIXEL_ERROR


def test_a_film_with_true_guidance_is_the_peers(ours: Any, peer: Any, picture: Image.Image):
    negative = negative_states(peer, stride=STRIDES[kind(peer)])
    film = ours(PROMPT, image=picture, cfg=EVERYWHERE, negative=NEGATIVE, rescale=0.0, **CALL)
    check_latents(film, peer_film(peer, picture, output="latent", true_cfg_scale=4.0, **negative))


def test_the_negative_prompt_keeps_as_much_of_its_picture_as_the_prompt(ours: Any, peer: Any, picture: Image.Image):
    """The released code encodes both alike; the peer forgets the stride and keeps every second vector of black."""
    film = ours(PROMPT, image=picture, cfg=EVERYWHERE, negative=NEGATIVE, rescale=0.0, **CALL)
    theirs = peer_film(peer, picture, output="latent", true_cfg_scale=4.0, negative_prompt=NEGATIVE)
    error = relative_error(film.latents[None][:, :, -theirs.shape[2] :], theirs)
    assert (error <= MAX_LATENT_ERROR) == (STRIDES[kind(peer)] == 2)


def test_all_frames_that_were_asked_for_are_there(ours: Any, peer: Any, picture: Image.Image):
    """The released code and the peer drop four of them where the picture stands beside the noise."""
    film = ours(PROMPT, image=picture, **CALL)
    dropped = {"token_replace": 0, "latent_concat": 4}[kind(peer)]
    assert len(film.pixels) == FRAMES == peer_film(peer, picture, output="pt").shape[2] + dropped


def test_a_dynamic_film_starts_from_noise_alone(ours: Any, picture: Image.Image):
    stable, dynamic = (ours(PROMPT, image=picture, dynamic=dynamic, **CALL) for dynamic in (False, True))
    difference = (dynamic.latents - stable.latents).abs().max()
    assert 0 < difference < 0.1 * stable.latents.std()


@pytest.mark.parametrize(("dynamic", "shift"), [(False, 7.0), (True, 17.0)])
def test_the_released_shift_goes_with_it(ours: Any, picture: Image.Image, dynamic: bool, shift: float):
    settings = muybridge.Settings.of({"image": picture, "dynamic": dynamic})
    [request] = ours.requests([PROMPT], settings)
    assert request.shift == shift and (request.width, request.height) == (1152, 768)  # 3:2, as the picture


def test_which_kind_the_weights_are_is_read_from_the_folder(ours: Any, peer: Any):
    use = ours.components.picture_use
    assert (use.name, use.stride) == (kind(peer), STRIDES[kind(peer)])


def test_a_film_without_a_picture_is_refused(ours: Any):
    with pytest.raises(InvalidInput, match="no image: the weights of .* make films that begin with a picture"):
        ours(PROMPT, **CALL)
