"""Loading shares the file's memory, keeps every bit, and refuses the wrong file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.transformer import Conditions
from muybridge.vae import ShuffleVAE
from muybridge.weights.files import open_checkpoint
from muybridge.weights.load import load_model, load_transformer, load_vae
from muybridge.weights.registry import NETWORKS
from muybridge.weights.save import save_model
from tests.weights.small import TRANSFORMER, VAE_15, flip_bit, same, small_state, small_transformer, small_vae


def test_save_then_load_keeps_every_bit_and_the_config(tmp_path: Path):
    transformer, vae = small_transformer(), small_vae()
    save_model(transformer, tmp_path / "transformer.safetensors", metadata={"steps": "100"})
    save_model(vae, tmp_path / "vae.safetensors")
    for path in (tmp_path / "transformer.safetensors", tmp_path):
        loaded = load_transformer(path)
        assert same(loaded, transformer) and loaded.config == transformer.config
    assert same(load_vae(tmp_path), vae) and load_vae(tmp_path).config == vae.config
    assert open_checkpoint(tmp_path / "transformer.safetensors").metadata["steps"] == "100"


def test_the_loaded_network_computes_the_same(tmp_path: Path):
    model = small_transformer()
    save_model(model, tmp_path / "t.safetensors")
    conditions = Conditions(
        text=torch.randn(1, 5, TRANSFORMER.text_dim), pooled=torch.randn(1, TRANSFORMER.pooled_dim),
        guidance=torch.tensor([6.0]),
    )  # fmt: skip
    latents, sigma = torch.randn(1, 16, 2, 4, 4), torch.tensor([0.5])
    with torch.no_grad():
        expected = model(latents, sigma, conditions)
        assert torch.equal(load_transformer(tmp_path / "t.safetensors")(latents, sigma, conditions), expected)


def test_parameters_are_the_file_mapped_frozen_and_in_eval_mode(tmp_path: Path):
    path = tmp_path / "t.safetensors"
    save_model(small_transformer(), path)
    model = load_transformer(path)
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(str(path))]
    mapped = [tuple(int(end, 16) for end in line[0].split("-")) for line in lines]
    for parameter in model.parameters():
        assert any(start <= parameter.data_ptr() < stop for start, stop in mapped)
        assert not parameter.requires_grad
    assert not model.training


def test_another_dtype_is_converted_and_the_stored_one_kept(tmp_path: Path):
    model = small_transformer()
    save_model(model, tmp_path / "t.safetensors", dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in load_transformer(tmp_path / "t.safetensors").parameters()} == {
        torch.bfloat16
    }
    assert same(load_transformer(tmp_path / "t.safetensors"), model.to(torch.bfloat16))
    wide = load_transformer(tmp_path / "t.safetensors", dtype=torch.float32)
    assert {parameter.dtype for parameter in wide.parameters()} == {torch.float32}


def test_a_file_of_mixed_dtypes_loads_in_the_commonest(tmp_path: Path):
    """The released network keeps its last layer in float32."""
    state = small_transformer().to(torch.bfloat16).state_dict()
    state["final_layer.linear.bias"] = state["final_layer.linear.bias"].float()
    save_file(state, tmp_path / "t.safetensors")
    loaded = load_transformer(tmp_path / "t.safetensors", config=TRANSFORMER)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.bfloat16}


def test_a_released_pickle_loads_with_its_wrappers(tmp_path: Path):
    model, ema = small_transformer(), small_transformer()
    ema.img_in.proj.bias.data.add_(1)
    torch.save({"module": model.state_dict(), "ema": ema.state_dict()}, tmp_path / "t.pt")
    assert same(load_transformer(tmp_path / "t.pt", config=TRANSFORMER), model)
    assert same(load_transformer(tmp_path / "t.pt", config=TRANSFORMER, key="ema"), ema)
    vae = small_vae()
    torch.save({"state_dict": {f"vae.{key}": tensor for key, tensor in vae.state_dict().items()}}, tmp_path / "v.pt")
    assert same(load_vae(tmp_path / "v.pt", config=vae.config), vae)


def test_the_wrong_kind_is_refused(tmp_path: Path):
    save_model(small_vae(), tmp_path / "v.safetensors")
    with pytest.raises(WeightsError, match="holds a vae, not a transformer"):
        load_transformer(tmp_path / "v.safetensors")


@pytest.mark.parametrize("place", [0.3, 0.6, 0.99])
def test_damaged_weights_are_refused(place: float, tmp_path: Path):
    path = tmp_path / "t.safetensors"
    save_model(small_transformer(), path)
    flip_bit(path, int(path.stat().st_size * place))
    with pytest.raises(WeightsError, match="damaged") as caught:
        load_transformer(path)
    assert caught.value.exit_code == 2
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="the file has"):
        load_transformer(path)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InvalidInput, match="cannot be written"):
        save_model(small_vae(), blocked / "v.safetensors")
    with pytest.raises(InvalidInput, match="strings only"):
        save_model(small_vae(), tmp_path / "v.safetensors", metadata={"steps": 3})  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == [blocked]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_vae_of_1_5_loads_from_a_single_file(dtype: torch.dtype, tmp_path: Path):
    network = next(network for network in NETWORKS if network.name == "hunyuanvideo-1.5-vae")
    state = {key: tensor.to(dtype) for key, tensor in small_state(network).items()}
    path = tmp_path / "vae_1.5.safetensors"
    save_file(state, path)
    vae, reference = load_model(path, kind="vae"), ShuffleVAE(VAE_15)
    reference.load_state_dict(state)
    assert isinstance(vae, ShuffleVAE) and vae.config == VAE_15 and same(vae.float(), reference)
    pixels = torch.rand(1, 3, 5, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        latents = vae.encode(pixels).mean
        torch.testing.assert_close(latents, reference.encode(pixels).mean, rtol=0, atol=0)
        assert vae.decode(latents).shape == pixels.shape
