"""The names, parameters and sizes that users and their scripts rely on."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch

import muybridge
from muybridge.cli.generate import command as generate
from muybridge.core import errors
from muybridge.flow.timesteps import inference_sigmas
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.settings import Settings, settings_of
from muybridge.transformer import Conditions, Transformer, TransformerConfig
from muybridge.vae import VAEConfig, VideoVAE
from muybridge.vae.tiling import Tiling, decode_tiled, encode_tiled

CALL = tuple(field.name for field in dataclasses.fields(Settings))


def test_the_default_transformer_is_the_released_one():
    expected = {
        "in_channels": 16, "out_channels": 16, "patch_size": (1, 2, 2), "hidden_size": 3072, "num_heads": 24,
        "mlp_ratio": 4.0, "num_double_blocks": 20, "num_single_blocks": 40, "rope_axes_dim": (16, 56, 56),
        "rope_theta": 256.0, "text_dim": 4096, "pooled_dim": 768, "has_guidance": True, "num_refiner_blocks": 2,
    }  # fmt: skip
    assert expected.items() <= dataclasses.asdict(TransformerConfig()).items()


def test_the_default_transformer_has_the_released_size():
    with torch.device("meta"):
        state = Transformer(TransformerConfig()).state_dict()
    assert (sum(tensor.numel() for tensor in state.values()), len(state)) == (12_821_012_544, 856)


def test_the_default_vae_is_the_released_one():
    expected = {
        "block_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": 16, "norm_groups": 32,
        "norm": "clip", "scaling_factor": 0.476986,
    }  # fmt: skip
    assert expected.items() <= dataclasses.asdict(VAEConfig()).items()


def test_the_default_vae_has_the_released_size():
    with torch.device("meta"):
        vae = VideoVAE(VAEConfig())
    assert sum(parameter.numel() for parameter in vae.parameters()) == 246_478_803


def test_the_networks_take_what_the_surface_says():
    assert _parameters(Transformer.forward)[:4] == ["self", "latents", "sigma", "conditions"]
    assert {"text", "text_mask", "pooled", "guidance"} <= {field.name for field in dataclasses.fields(Conditions)}
    assert _parameters(VideoVAE.encode) == ["self", "pixels"]
    assert _parameters(VideoVAE.decode) == ["self", "latents"]
    assert callable(Transformer.blocks)


def test_the_released_tiling_is_the_default():
    assert (Tiling().sample_px, Tiling().sample_frames, Tiling().overlap) == (256, 64, 0.25)
    assert _parameters(encode_tiled) == ["vae", "pixels", "tiling"]
    assert _parameters(decode_tiled) == ["vae", "latents", "tiling"]


def test_inference_sigmas_run_from_one_to_zero():
    sigmas = inference_sigmas(6, shift=17.0)
    assert len(sigmas) == 7 and (float(sigmas[0]), float(sigmas[-1])) == (1.0, 0.0)


def test_the_package_offers_its_three_names():
    assert muybridge.load is not None and muybridge.GenerationRequest is GenerationRequest
    assert _parameters(muybridge.load)[0] == "name"
    assert callable(muybridge.Video.save)
    assert {"load", "GenerationRequest", "Video", "__version__"} <= set(dir(muybridge))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = muybridge.no_such_name


def test_the_call_takes_only_the_prompt_by_position():
    call = inspect.signature(muybridge.Pipeline.__call__).parameters
    by_position = [name for name, item in call.items() if item.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert by_position == ["self", "prompt"] and set(CALL) <= set(call)


@pytest.mark.parametrize("name", CALL)
def test_the_command_line_and_the_call_use_the_same_names(name):
    assert name in inspect.signature(generate).parameters


def test_what_is_recorded_goes_by_the_names_of_the_call():
    request = GenerationRequest(prompt="a horse gallops", cfg=6.0, negative_prompt="snow", budget="psnr>=32")
    assert set(settings_of(request)) <= {"prompt", *CALL}


def test_a_request_is_a_frozen_value():
    request = GenerationRequest(prompt="a horse gallops")
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.prompt = "a cow"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["InvalidInput", "WeightsError", "MediaError", "DoesNotFit", "MissingExtra"])
def test_what_a_user_gives_wrong_exits_with_two(name):
    assert issubclass(getattr(errors, name), errors.MuybridgeError) and getattr(errors, name).exit_code == 2


def _parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)
