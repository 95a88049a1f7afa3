"""The whole path against diffusers' `HunyuanVideoPipeline`: same folder, same initial noise, small random weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo, FlowMatchEulerDiscreteScheduler, HunyuanVideoPipeline
from torch import Tensor

import muybridge
from muybridge.core.seeding import noise
from muybridge.text.templates import RELEASED_VIDEO
from muybridge.transformer import TransformerConfig
from tests.parity.peer_transformer import peer_of, relative_error
from tests.text import tiny
from tests.transformer.networks import TINY, network

pytestmark = pytest.mark.peer

MAX_LATENT_ERROR = 2e-4  # of the standard deviation; float32 rounding over the steps gives about 1e-5
MAX_PIXEL_ERROR = 5e-4  # as above, through the VAE
GUIDANCE = (
    8.0  # exact in bfloat16 after x1000; the released rounding makes 6000 to 6016, which diffusers does not in float32
)
PROMPT = "a red ball bounces on a wooden floor"
WIDTH, HEIGHT, FRAMES, STEPS, SEED = 48, 32, 9, 6, 11


@pytest.fixture(scope="module")
def peer() -> HunyuanVideoPipeline:
    """Every part random, wired as released."""
    torch.manual_seed(0)
    config = TransformerConfig(
        in_channels=4, out_channels=4, hidden_size=TINY.hidden_size, num_heads=TINY.num_heads, num_double_blocks=2,
        num_single_blocks=2, rope_axes_dim=TINY.rope_axes_dim, text_dim=32, pooled_dim=16,
    )  # fmt: skip
    vae = AutoencoderKLHunyuanVideo(
        block_out_channels=(8, 16, 16, 16), layers_per_block=1, latent_channels=4, norm_num_groups=4,
        scaling_factor=0.476986,
    )  # fmt: skip
    pipe = HunyuanVideoPipeline(
        text_encoder=tiny.language_model(),
        tokenizer=tiny.language_tokenizer(),
        text_encoder_2=tiny.clip_model(),
        tokenizer_2=tiny.clip_tokenizer(),
        transformer=peer_of(network(config)),
        vae=vae.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def ours(peer: HunyuanVideoPipeline, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("peer")
    peer.save_pretrained(folder)
    return muybridge.load(folder, device="cpu")


def peer_film(peer: HunyuanVideoPipeline, **settings: Any) -> tuple[Tensor, Tensor]:
    """(latents, pixels in [-1, 1]) of one call each; the noise is the one our seed gives."""
    fixed = {
        "prompt": PROMPT, "width": WIDTH, "height": HEIGHT, "num_frames": FRAMES, "num_inference_steps": STEPS,
        "guidance_scale": GUIDANCE, "prompt_template": {"template": RELEASED_VIDEO.text}, "return_dict": False,
        "latents": noise([SEED], (4, 3, HEIGHT // 8, WIDTH // 8)),
    }  # fmt: skip
    with torch.no_grad():
        [latents] = peer(**fixed, **settings, output_type="latent")
        [pixels] = peer(**fixed, **settings, output_type="pt")
    return latents, pixels.transpose(1, 2) * 2 - 1


def check(ours: Any, peer: HunyuanVideoPipeline, *, peer_settings: dict[str, Any], **settings: Any) -> None:
    latents, pixels = peer_film(peer, **peer_settings)
    film = ours(
        PROMPT,
        size=f"{WIDTH}x{HEIGHT}",
        frames=FRAMES,
        steps=STEPS,
        shift=7.0,
        seed=SEED,
        guidance=GUIDANCE,
        **settings,
    )
    assert relative_error(film.latents[None], latents) <= MAX_LATENT_ERROR
    assert relative_error(ours.decode(film.latents[None]).clamp(-1, 1), pixels) <= MAX_PIXEL_ERROR


def test_embedded_guidance_gives_the_peers_film(ours: Any, peer: HunyuanVideoPipeline) -> None:
    check(ours, peer, peer_settings={})


def test_true_guidance_gives_the_peers_film(ours: Any, peer: HunyuanVideoPipeline) -> None:
    settings = {"true_cfg_scale": 4.0, "negative_prompt": "two cats, dark"}
    check(ours, peer, peer_settings=settings, cfg="4@0-1", rescale=0.0, negative="two cats, dark")


def test_the_schedulers_shift_is_read_from_the_folder(peer: HunyuanVideoPipeline, tmp_path: Path) -> None:
    peer.save_pretrained(tmp_path)
    FlowMatchEulerDiscreteScheduler(shift=17.0).save_pretrained(tmp_path / "scheduler")
    pipe = muybridge.load(tmp_path, device="cpu")
    assert pipe.requests(["a"], muybridge.Settings())[0].shift == 17.0
