"""A model from what people have on disk."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import muybridge
from muybridge.core.errors import DoesNotFit, InvalidInput, WeightsError
from muybridge.pipelines.identity import file_identity
from muybridge.text.gallop import TextStatistics
from muybridge.weights.save import save_model
from tests.pipelines.tiny import FOLDER_TRANSFORMER, SMALL, VAE, model_folder, vae
from tests.transformer.networks import TINY, network


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(tmp_path_factory.mktemp("ckpts"))


def own_folder(folder: Path, **defaults) -> Path:
    save_model(network(), folder / "transformer.safetensors", dtype=torch.bfloat16)
    save_model(vae(), folder / "vae.safetensors", dtype=torch.bfloat16)
    zero = torch.zeros(12)
    TextStatistics(mean=zero, std=zero + 1, pooled_mean=zero, pooled_std=zero + 1).save(folder / "text.safetensors")
    plain = {"width": 48, "height": 32, "frames": 5, "fps": 12, "steps": 3, "shift": 3.0, "cfg": 2.5}
    (folder / "model.json").write_text(json.dumps(plain | defaults))
    return folder


def test_the_released_tree_makes_films(released):
    pipe = muybridge.load(released, device="cpu")
    film = pipe("a red ball", seed=1, cfg=2.0, **SMALL)
    assert film.settings["negative"].startswith("Aerial view") and film.settings["model"] == str(released)


def test_text_encoders_beside_the_networks_folder_are_found(released, tmp_path):
    inner = tmp_path / "hunyuan-video-t2v-720p"
    for part in ("transformers", "vae"):
        shutil.copytree(released / part, inner / part)
    for part in ("text_encoder", "text_encoder_2"):
        shutil.copytree(released / part, tmp_path / part)
    films = [muybridge.load(place, device="cpu")("a", seed=1, **SMALL) for place in (tmp_path, inner, released)]
    assert torch.equal(films[0].latents, films[1].latents) and torch.equal(films[0].latents, films[2].latents)


def test_our_own_folder_brings_its_defaults(tmp_path):
    pipe = muybridge.load(own_folder(tmp_path), device="cpu")
    [request] = pipe.requests(["a"], muybridge.Settings(seed=0))
    assert (request.width, request.height, request.num_frames, request.fps) == (48, 32, 5, 12)
    assert (request.num_steps, request.shift, request.cfg, request.negative_prompt) == (3, 3.0, 2.5, "")


def test_stored_bfloat16_is_computed_in_float32_on_a_cpu(tmp_path):
    pipe = muybridge.load(own_folder(tmp_path), device="cpu")
    assert pipe.components.transformer.dtype == torch.float32
    assert muybridge.load(tmp_path, device="cpu", dtype="bfloat16").components.transformer.dtype == torch.bfloat16
    assert muybridge.load(tmp_path, dtype=torch.bfloat16).components.transformer.dtype == torch.bfloat16


def test_wrong_defaults_of_a_folder_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="its defaults do not hold.*num_frames=8"):
        muybridge.load(own_folder(tmp_path, frames=8))
    with pytest.raises(WeightsError, match="did you mean steps"):
        muybridge.load(own_folder(tmp_path, step=8))


def test_weights_are_told_apart_by_content(tmp_path):
    first = muybridge.load(own_folder(tmp_path / "a"), device="cpu").components.weights
    assert first == muybridge.load(own_folder(tmp_path / "b"), device="cpu").components.weights
    save_model(network(seed=5), tmp_path / "b" / "transformer.safetensors")
    other = muybridge.load(tmp_path / "b", device="cpu").components.weights
    assert other["vae"] == first["vae"] and other["transformer"] != first["transformer"]


def test_large_files_are_told_apart_by_length_and_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("muybridge.pipelines.identity.WHOLE_HASH_BYTES", 10)
    monkeypatch.setattr("muybridge.pipelines.identity.END_BYTES", 4)
    identities = set()
    for text in ("aaaabbbbcccc", "aaaabbbbcccd", "baaabbbbcccc", "aaaabbbbbcccc"):
        (tmp_path / "file").write_text(text)
        identities.add(file_identity(tmp_path / "file"))
    assert len(identities) == 4


def test_the_released_vae_is_tiled_and_a_frame_causal_one_is_not(released, tmp_path):
    assert muybridge.load(released, device="cpu").components.tiling is not None
    folder = own_folder(tmp_path)
    save_model(vae(replace(VAE, norm="frame")), folder / "vae.safetensors")
    assert muybridge.load(folder, device="cpu").components.tiling is None


@pytest.mark.parametrize(
    ("missing", "message"),
    [("text_encoder", "no text-encoder; put"), ("text_encoder_2", "text_encoder_2"), ("vae", "no vae"),
     ("transformers", "no transformer")],
)  # fmt: skip
def test_a_missing_part_is_named(released, tmp_path, missing, message):
    folder = tmp_path / "model"
    shutil.copytree(released, folder)
    shutil.rmtree(folder / missing)
    with pytest.raises(WeightsError, match=message):
        muybridge.load(folder)


def test_a_single_file_is_not_a_model(tmp_path):
    save_model(network(), tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="is one file"):
        muybridge.load(tmp_path / "model.safetensors")


@pytest.mark.parametrize("choice", [{"device": "gpu"}, {"device": "mps"}, {"device": "cuda:99"}, {"dtype": "int8"}])
def test_an_unknown_device_or_dtype_is_refused(tmp_path, choice):
    with pytest.raises(InvalidInput, match=next(iter(choice))):
        muybridge.load(own_folder(tmp_path), **choice)


def test_weights_beyond_memory_are_refused_before_they_are_read(tmp_path):
    folder = own_folder(tmp_path)
    with pytest.raises(DoesNotFit, match="needs about"):
        muybridge.load(folder, device="cpu", run=muybridge.RunChoice(memory="1MiB"))


def test_a_small_text_encoder_does_not_wait_on_the_disk(tmp_path):
    with pytest.raises(InvalidInput, match="text_weights=disk: this model's text encoder is small and read whole"):
        muybridge.load(own_folder(tmp_path), device="cpu", run=muybridge.RunSettings(text_weights="disk"))


def test_a_transformer_from_elsewhere_takes_the_place_of_the_models_own(released, tmp_path):
    other = network(FOLDER_TRANSFORMER, seed=5)
    save_model(other, tmp_path / "mine.safetensors")
    pipe = muybridge.load(released, transformer=tmp_path / "mine.safetensors", device="cpu")
    mine, own = pipe.components, muybridge.load(released, device="cpu").components
    assert torch.equal(mine.transformer.img_in.proj.weight, other.img_in.proj.weight)
    assert mine.weights["vae"] == own.weights["vae"] and mine.weights["transformer"] != own.weights["transformer"]


def test_a_model_that_no_pipeline_runs_is_refused_before_it_is_fetched():
    with pytest.raises(InvalidInput, match="can be inspected and converted, but not run yet; use one of gallop"):
        muybridge.load("hunyuanvideo-avatar")


def test_the_networks_sizes_are_the_tiny_ones(released):
    assert muybridge.load(released, device="cpu").components.transformer.config.hidden_size == TINY.hidden_size


def test_weights_of_unknown_channels_say_so(tmp_path):
    folder = own_folder(tmp_path)
    save_model(network(replace(TINY, in_channels=2 * TINY.in_channels)), folder / "transformer.safetensors")
    with pytest.raises(WeightsError, match="takes 8 channels, the VAE has 4; use weights of 4 channels, or 9 for"):
        muybridge.load(folder, device="cpu")
