"""LLaVA's eyes from every layout people have: the vectors that transformers gives, or a line of why not."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import LlavaForConditionalGeneration

from muybridge.core.errors import WeightsError
from muybridge.pipelines.components import NO_TEXT
from muybridge.pipelines.text_sources import text_source
from muybridge.text.config import VisionConfig
from muybridge.text.vision import clip_pixels
from muybridge.weights.llava import has_eyes, load_picture_tower, vision_config
from muybridge.weights.text_encoders import find_text_encoders
from tests.text import tiny

NESTED = "vision_tower.vision_model."  # as older transformers, and the released files, have it


@pytest.fixture(scope="module")
def llava() -> LlavaForConditionalGeneration:
    torch.manual_seed(0)
    return tiny.llava()


@pytest.fixture
def folder(llava: LlavaForConditionalGeneration, tmp_path: Path) -> Path:
    """The released tree: the whole LLaVA beside CLIP."""
    llava.save_pretrained(tmp_path / "text_encoder_i2v")
    tiny.language_tokenizer(sees_pictures=True).save_pretrained(tmp_path / "text_encoder_i2v")
    tiny.clip_model().save_pretrained(tmp_path / "text_encoder_2")
    tiny.clip_tokenizer().save_pretrained(tmp_path / "text_encoder_2")
    return tmp_path


def rewritten(place: Path, change) -> None:
    """The weights of a folder with other names or tensors."""
    state: dict[str, Tensor] = load_file(place / "model.safetensors")
    save_file({name: tensor.clone() for name, tensor in change(state).items()}, place / "model.safetensors")


@torch.no_grad()
def expected(llava: LlavaForConditionalGeneration) -> Tensor:
    pixels = clip_pixels(tiny.picture(), 84)[None]
    [vectors] = llava.model.get_image_features(
        pixels, vision_feature_layer=-2, vision_feature_select_strategy="default"
    ).pooler_output
    return vectors


@pytest.mark.parametrize("is_nested", [False, True])
def test_a_picture_has_the_vectors_that_transformers_gives(llava, folder: Path, is_nested: bool):
    place = folder / "text_encoder_i2v"
    if is_nested:
        rewritten(place, lambda state: {k.replace("vision_tower.", NESTED): v for k, v in state.items()})
    found = load_picture_tower(place, dtype=torch.float32)(tiny.picture())
    assert found.shape == (36, 32) and (found - expected(llava)).abs().max() < 1e-5


def test_sizes_are_read_from_the_headers(folder: Path):
    found = vision_config(folder / "text_encoder_i2v")
    assert found == VisionConfig(image_px=84, hidden_size=16, num_layers=3, num_heads=2, mlp_dim=32, output_dim=32)


def test_of_two_language_models_the_one_that_sees_is_taken_where_it_must(folder: Path):
    tiny.language_model().save_pretrained(folder / "text_encoder")
    seeing, plain = (find_text_encoders(folder, sees_pictures=sees).language for sees in (True, False))
    assert (seeing.name, plain.name) == ("text_encoder_i2v", "text_encoder")
    assert has_eyes(seeing) and not has_eyes(plain)


@pytest.mark.parametrize("weights", ["device", "disk"])
def test_wherever_its_layers_wait_the_encoder_sees_the_same(folder: Path, weights: str):
    cpu = torch.device("cpu")
    found = [
        text_source(
            folder, facts=NO_TEXT, dtype=torch.float32, device=cpu, weights=each, picture_stride=4, on_message=print
        ).encode(["a red ball"], num_frames=5, picture=tiny.picture())
        for each in ("device", weights)
    ]
    assert torch.equal(found[0].states, found[1].states)


def test_states_are_kept_by_prompt_and_picture(folder: Path):
    cpu = torch.device("cpu")
    source = text_source(folder, facts=NO_TEXT, dtype=torch.float32, device=cpu, picture_stride=4, on_message=print)
    first, other = (source.encode(["a"], num_frames=5, picture=tiny.picture(*size)) for size in ((60, 40), (40, 60)))
    assert source.encode(["a"], num_frames=5, picture=tiny.picture()) is first and other is not first


def without(name: str):
    return lambda state: {k: v for k, v in state.items() if name not in k}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("vision_tower"), "lacks 'vision_tower.embeddings.patch_embedding.weight'"),
        (without("layers.1.mlp.fc1.bias"), "lacks .*layers.1.mlp.fc1.bias"),
        (lambda state: {k: v for k, v in state.items() if k.startswith("language")}, "no vision tower to see the"),
        (
            lambda state: state | {"multi_modal_projector.linear_2.bias": torch.ones(3)},
            "'multi_modal_projector.linear_2.bias' has shape \\(3,\\), the model needs \\(32,\\)",
        ),
    ],
)
def test_eyes_that_cannot_see_are_refused(folder: Path, change, message: str):
    rewritten(folder / "text_encoder_i2v", change)
    with pytest.raises(WeightsError, match=message):
        load_picture_tower(folder / "text_encoder_i2v", dtype=torch.float32)


def test_eyes_of_another_kind_are_refused(folder: Path):
    file = folder / "text_encoder_i2v" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"vision_feature_layer": -1}))
    with pytest.raises(WeightsError, match="vision_feature_layer in config.json is not -2"):
        vision_config(file.parent)
