"""Text encoders from folders, LLaVA and single files: the same numbers as transformers gives, or a line of why not."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextModel, LlamaModel

from muybridge.core.errors import WeightsError
from muybridge.weights.files import open_checkpoint
from muybridge.weights.layouts import Table, from_official
from muybridge.weights.layouts.text import LANGUAGE_TABLES, POOLED_TABLES
from muybridge.weights.recognise import recognise
from muybridge.weights.text_encoders import (
    find_text_encoders,
    load_language_model,
    load_pooled_model,
    load_released_text,
    load_tokenizer,
)
from tests.text import tiny
from tests.weights.small import entries_of, write_plain

IDS = torch.tensor([[0, 7, 42, 3, 1]])
EXTRAS = {"lm_head.weight": torch.ones(512, 32), "vision_tower.vision_model.post_layernorm.bias": torch.ones(3)}

NONSENSE = (
    "[]",
    '"four"',
    '{"text_config": 3}',
    '{"num_attention_heads": "4"}',
    '{"num_attention_heads": 3}',
    '{"num_attention_heads": 4, "head_dim": "8", "rope_parameters": []}',
    '{"num_attention_heads": 4, "rms_norm_eps": "small"}',
)


@pytest.fixture(scope="module")
def language() -> LlamaModel:
    torch.manual_seed(0)
    return tiny.language_model()


@pytest.fixture(scope="module")
def pooled() -> CLIPTextModel:
    torch.manual_seed(0)
    return tiny.clip_model()


@pytest.fixture
def system(language: LlamaModel, pooled: CLIPTextModel, tmp_path: Path) -> Path:
    """Both encoders as diffusers lays them out."""
    language.save_pretrained(tmp_path / "text_encoder")
    tiny.language_tokenizer().save_pretrained(tmp_path / "tokenizer")
    pooled.save_pretrained(tmp_path / "text_encoder_2")
    tiny.clip_tokenizer().save_pretrained(tmp_path / "tokenizer_2")
    return tmp_path


def write(state: dict[str, Tensor], table: Table, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    return write_plain(path, from_official(entries_of(state), table, hidden_size=0))


@pytest.mark.parametrize("table", LANGUAGE_TABLES, ids=lambda table: table.layout)
def test_a_language_model_computes_the_same_from_every_layout(table: Table, language: LlamaModel, tmp_path: Path):
    path = write({**language.state_dict(), **EXTRAS}, table, tmp_path / "any.safetensors")
    language.config.save_pretrained(tmp_path)
    loaded = load_language_model(path, dtype=torch.float32)
    assert recognise(open_checkpoint(path)).layout == table.layout
    with torch.no_grad():
        assert torch.equal(loaded(IDS).last_hidden_state, language(IDS).last_hidden_state)


@pytest.mark.parametrize("table", POOLED_TABLES, ids=lambda table: table.layout)
def test_a_clip_model_computes_the_same_from_every_layout(table: Table, pooled: CLIPTextModel, tmp_path: Path):
    path = write({**pooled.state_dict(), "logit_scale": torch.ones(())}, table, tmp_path / "any.safetensors")
    pooled.config.save_pretrained(tmp_path)
    loaded = load_pooled_model(path, dtype=torch.float32)
    with torch.no_grad():
        assert torch.equal(loaded(IDS).pooler_output, pooled(IDS).pooler_output)


def test_single_files_stand_in_for_folders(system: Path, language: LlamaModel, pooled: CLIPTextModel, tmp_path: Path):
    """A file of ComfyUI tells neither heads nor rotary base: its config.json goes beside it."""
    expected = load_released_text(find_text_encoders(system), dtype=torch.float32).encode(["a cat"], num_frames=5)
    files = tmp_path / "text_encoders"
    files.mkdir()
    (system / "text_encoder" / "model.safetensors").rename(files / "b.safetensors")
    (system / "text_encoder" / "config.json").rename(files / "config.json")
    (system / "text_encoder").rmdir()
    places = find_text_encoders(tmp_path)
    assert (places.language, places.pooled) == (files / "b.safetensors", system / "text_encoder_2")
    for config, model in zip(places.configs(), (language, pooled), strict=True):
        assert sum(map(math.prod, config.shapes().values())) == sum(p.numel() for p in model.parameters())
    found = load_released_text(places, dtype=torch.float32).encode(["a cat"], num_frames=5)
    assert torch.equal(found.states, expected.states) and torch.equal(found.pooled, expected.pooled)


def test_half_precision_stays_mapped(language: LlamaModel, tmp_path: Path):
    state = {key: tensor.bfloat16() for key, tensor in language.state_dict().items()}
    path = write(state, LANGUAGE_TABLES[1], tmp_path / "a.safetensors")
    language.config.save_pretrained(tmp_path)
    model = load_language_model(path, dtype=torch.bfloat16)
    lines = [line.split()[0] for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(str(path))]
    spans = [tuple(int(end, 16) for end in line.split("-")) for line in lines]
    pointer = model.layers[1].mlp.up_proj.weight.data_ptr()
    assert any(start <= pointer < stop for start, stop in spans) and not model.training


def test_unknown_heads_are_asked_for(language: LlamaModel, tmp_path: Path):
    path = write(language.state_dict(), LANGUAGE_TABLES[0], tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="does not tell its heads; put its config.json beside it"):
        load_language_model(path, dtype=torch.float32)


def test_a_scaled_rotary_embedding_is_refused_rather_than_ignored(language: LlamaModel, tmp_path: Path):
    path = write(language.state_dict(), LANGUAGE_TABLES[0], tmp_path / "a.safetensors")
    (tmp_path / "config.json").write_text('{"num_attention_heads": 4, "rope_scaling": {"rope_type": "llama3"}}')
    with pytest.raises(WeightsError, match="rotary embedding 'llama3'"):
        load_language_model(path, dtype=torch.float32)


@pytest.mark.parametrize("said", NONSENSE)
def test_a_nonsense_config_is_refused(said: str, language: LlamaModel, tmp_path: Path):
    path = write(language.state_dict(), LANGUAGE_TABLES[0], tmp_path / "a.safetensors")
    (tmp_path / "config.json").write_text(said)
    with pytest.raises(WeightsError) as caught:
        load_language_model(path, dtype=torch.float32)
    assert "\n" not in str(caught.value)


def test_the_wrong_encoder_is_refused(system: Path):
    with pytest.raises(WeightsError, match="holds a pooled-text-encoder, not a text-encoder"):
        load_language_model(system / "text_encoder_2", dtype=torch.float32)


def test_a_missing_encoder_is_asked_for(system: Path):
    (system / "text_encoder_2" / "model.safetensors").unlink()
    (system / "text_encoder_2" / "config.json").unlink()
    (system / "text_encoder_2").rmdir()
    with pytest.raises(WeightsError, match="has no pooled-text-encoder; put the released one into text_encoder_2"):
        find_text_encoders(system)


def test_two_files_of_a_kind_are_not_chosen_between(system: Path):
    files = system / "text_encoders"
    files.mkdir()
    for name in ("a.safetensors", "b.safetensors"):
        save_file(load_file(system / "text_encoder" / "model.safetensors"), files / name)
    (system / "text_encoder" / "model.safetensors").unlink()
    (system / "text_encoder" / "config.json").unlink()
    (system / "text_encoder").rmdir()
    with pytest.raises(WeightsError, match=r"a.safetensors and b.safetensors are both a text-encoder; keep one"):
        find_text_encoders(system)


def test_missing_weights_are_refused_rather_than_drawn(system: Path):
    path = system / "text_encoder" / "model.safetensors"
    tensors = load_file(path)
    del tensors["layers.1.mlp.up_proj.weight"]
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks 'layers\.1\.mlp\.up_proj\.weight'"):
        load_language_model(system / "text_encoder", dtype=torch.float32)


def test_a_missing_tokenizer_is_refused(system: Path):
    (system / "tokenizer" / "tokenizer_config.json").unlink()
    with pytest.raises(WeightsError, match="has no tokenizer; put the tokenizer's files into"):
        load_tokenizer(system / "text_encoder", "text-encoder")


def test_a_damaged_tokenizer_is_refused(system: Path):
    (system / "tokenizer" / "tokenizer.json").write_text("{")
    with pytest.raises(WeightsError, match="not a tokenizer") as caught:
        load_tokenizer(system / "text_encoder", "text-encoder")
    assert "\n" not in str(caught.value)
