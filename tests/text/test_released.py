"""The released pair of encoders: lengths, independence of neighbours, and what its loader refuses."""

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

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


@pytest.fixture
def folders(encoder: ReleasedEncoder, tmp_path: Path) -> tuple[Path, Path]:
    """As diffusers lays them out."""
    tiny.language_model().save_pretrained(tmp_path / "text_encoder")
    encoder.language.tokenizer.save_pretrained(tmp_path / "tokenizer")
    encoder.clip.model.save_pretrained(tmp_path / "text_encoder_2")
    encoder.clip.tokenizer.save_pretrained(tmp_path / "tokenizer_2")
    return tmp_path / "text_encoder", tmp_path / "text_encoder_2"


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


def test_folders_round_trip(encoder: ReleasedEncoder, folders: tuple[Path, Path]) -> None:
    loaded = ReleasedEncoder.from_folders(*folders, dtype=torch.float32)
    assert (loaded.text_dim, loaded.pooled_dim) == (encoder.text_dim, encoder.pooled_dim)
    assert torch.equal(loaded.encode(["a cat"], num_frames=17).pooled, encoder.encode(["a cat"], num_frames=17).pooled)


def test_a_folder_without_a_model_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="no config.json"):
        ReleasedEncoder.from_folders(tmp_path / "empty", folders[1], dtype=torch.float32)


def test_a_model_that_is_no_language_model_is_refused(folders: tuple[Path, Path]) -> None:
    with pytest.raises(WeightsError, match="CLIPTextModel; give a decoder-only"):
        ReleasedEncoder.from_folders(folders[1], folders[1], dtype=torch.float32)


def test_missing_weights_are_refused_rather_than_drawn(folders: tuple[Path, Path]) -> None:
    path = folders[0] / "model.safetensors"
    tensors = load_file(path)
    del tensors["layers.1.mlp.up_proj.weight"]
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(WeightsError, match=r"lack layers\.1\.mlp\.up_proj\.weight"):
        ReleasedEncoder.from_folders(*folders, dtype=torch.float32)


def test_a_truncated_file_is_refused(folders: tuple[Path, Path]) -> None:
    path = folders[0] / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="cannot be loaded"):
        ReleasedEncoder.from_folders(*folders, dtype=torch.float32)


def test_a_missing_tokenizer_is_refused(folders: tuple[Path, Path]) -> None:
    (folders[0].with_name("tokenizer") / "tokenizer_config.json").unlink()
    with pytest.raises(WeightsError, match="has no tokenizer"):
        ReleasedEncoder.from_folders(*folders, dtype=torch.float32)


def test_a_damaged_tokenizer_is_refused(folders: tuple[Path, Path]) -> None:
    (folders[0].with_name("tokenizer") / "tokenizer.json").write_text("{")
    with pytest.raises(WeightsError, match="not a tokenizer") as caught:
        ReleasedEncoder.from_folders(*folders, dtype=torch.float32)
    assert "\n" not in str(caught.value)


def test_a_llama3_tokenizer_that_splits_otherwise_is_refused(encoder: ReleasedEncoder) -> None:
    token, number = LLAMA3_HEADER
    with pytest.raises(WeightsError, match="splits a released template"):
        ReleasedEncoder(
            tiny.language_model(),
            tiny.word_tokenizer({token: number}),
            clip=encoder.clip.model,
            clip_tokenizer=encoder.clip.tokenizer,
        )
