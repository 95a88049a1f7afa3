"""Wherever the released text encoders wait, and from whatever files they are, a prompt's states have the same bits."""

import weakref
from pathlib import Path

import gguf
import pytest
import torch

from muybridge.pipelines.components import NO_TEXT, TextSource
from muybridge.pipelines.text_sources import released_text, text_source
from muybridge.text.encoder import TextEncoder, TextStates
from muybridge.weights.layouts import from_official
from muybridge.weights.layouts.text import LANGUAGE_TABLES
from muybridge.weights.storage.write import fp8_scaled
from muybridge.weights.text_encoders import find_text_encoders, open_released_text
from tests.text import tiny
from tests.weights.grammar.gguf import LLAMA
from tests.weights.small import entries_of, write_plain
from tests.weights.storage.test_gguf import by_peer

CPU = torch.device("cpu")
PROMPTS = ("a red ball", "a wooden floor bounces")


def shards(folder: Path) -> None:
    tiny.language_model().save_pretrained(folder / "text_encoder", max_shard_size="40KB")


def fp8_file(folder: Path) -> None:
    """One scaled file of LLaVA's names, in ComfyUI's folder."""
    model = tiny.language_model()
    entries = from_official(entries_of(dict(model.state_dict())), LANGUAGE_TABLES[2], hidden_size=0)
    (folder / "text_encoders").mkdir()
    write_plain(folder / "text_encoders" / "llava.safetensors", fp8_scaled(entries))
    model.config.save_pretrained(folder / "text_encoders")


def gguf_file(folder: Path) -> None:
    """One quantised file of llama.cpp's names; it tells its heads itself."""
    tensors, kind = {}, gguf.GGMLQuantizationType.Q8_0
    for key, tensor in tiny.language_model().state_dict().items():
        name = f"model.{key}"
        for theirs, ours in LLAMA.items():
            name = name.replace(theirs, ours)
        array = tensor.float().numpy()
        tensors[name] = gguf.quants.quantize(array, kind) if array.ndim == 2 else array
    heads = {"llama__attention__head_count": 4, "llama__attention__head_count_kv": 2}
    (folder / "text_encoders").mkdir()
    by_peer(folder / "text_encoders" / "llama.gguf", tensors, "Q8_0", architecture="llama", **heads)


FILES = {"shards": shards, "fp8": fp8_file, "GGUF": gguf_file}


def system(folder: Path, kind: str) -> Path:
    """Both encoders and their tokenizers."""
    torch.manual_seed(0)
    FILES[kind](folder)
    tiny.language_tokenizer().save_pretrained(folder / "tokenizer")
    tiny.clip_model().save_pretrained(folder / "text_encoder_2")
    tiny.clip_tokenizer().save_pretrained(folder / "tokenizer_2")
    return folder


def source(
    folder: Path, weights: str, *, dtype: torch.dtype = torch.bfloat16, device: torch.device = CPU
) -> TextSource:
    return text_source(folder, facts=NO_TEXT, dtype=dtype, device=device, weights=weights, on_message=print)


def same(ours: TextStates, theirs: TextStates) -> bool:
    return torch.equal(ours.states.cpu(), theirs.states.cpu()) and torch.equal(ours.pooled.cpu(), theirs.pooled.cpu())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("kind", FILES)
def test_layers_from_the_disk_give_the_bits_of_resident_ones(tmp_path, kind, dtype):
    folder = system(tmp_path, kind)
    resident, streamed = (source(folder, place, dtype=dtype) for place in ("device", "disk"))
    for prompt in PROMPTS:
        assert same(*(each.encode([prompt], num_frames=2) for each in (streamed, resident)))


def test_layers_are_away_before_and_after_a_prompt(tmp_path):
    places = find_text_encoders(system(tmp_path, "shards"))
    encoder = released_text(places, dtype=torch.float32, device=CPU, is_streamed=True)
    model = encoder.language.model
    for _ in range(2):
        away = {name for name, parameter in model.named_parameters() if parameter.is_meta}
        assert away == {name for name, p in model.named_parameters() if name.startswith("layers.") and p.ndim == 2}
        assert len(model.get_submodule("layers")) == 3 and not model.get_parameter("embed_tokens.weight").is_meta
        encoder.encode(PROMPTS, num_frames=2)


def test_layers_that_never_compute_are_not_read(tmp_path):
    places = find_text_encoders(system(tmp_path, "shards"))
    _, entries = open_released_text(places, dtype=torch.float32)
    assert {name.split(".")[1] for name in entries if name.startswith("layers.")} == {"0", "1", "2"}
    assert "norm.weight" not in entries


def test_a_released_encoder_is_gone_with_its_stream(tmp_path):
    places, models = find_text_encoders(system(tmp_path, "shards")), []

    def load() -> TextEncoder:
        encoder = released_text(places, dtype=torch.float32, device=CPU, is_streamed=True)
        models.append(weakref.ref(encoder.language.model))
        return encoder

    text = TextSource(load)
    text.encode(PROMPTS, num_frames=2)
    assert models[0]() is not None
    text.release()
    assert models[0]() is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_beside_an_accelerator_text_is_encoded_where_it_is_told(tmp_path):
    folder, device = system(tmp_path, "shards"), torch.device("cuda")
    there, here, streamed = (source(folder, place, device=device) for place in ("device", "host", "disk"))
    for prompt in PROMPTS:
        expected = there.encode([prompt], num_frames=2)
        assert expected.states.is_cuda and same(streamed.encode([prompt], num_frames=2), expected)
        on_host = here.encode([prompt], num_frames=2)
        assert not on_host.states.is_cuda and same(on_host, source(folder, "device").encode([prompt], num_frames=2))
