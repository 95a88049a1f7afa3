"""Config from shapes, and every key, shape and dtype held against the model."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from muybridge.core.errors import WeightsError
from muybridge.transformer import Conditions, Transformer, TransformerConfig
from muybridge.vae import VAEConfig, VideoVAE
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.files import open_checkpoint
from muybridge.weights.layouts import Table
from muybridge.weights.recognise import build, recognise
from muybridge.weights.registry import NETWORKS, Network
from muybridge.weights.save import save_model
from muybridge.weights.stored import from_tensor
from tests.weights.small import (
    BESIDE,
    LAYOUTS,
    TRANSFORMER,
    VAE,
    in_layout,
    randomised,
    small_state,
    small_transformer,
    small_vae,
    write_plain,
)

MODULES = [(network, table) for network, table in LAYOUTS if network.name in ("hunyuanvideo", "hunyuanvideo-vae")]

WIDE = TransformerConfig(  # heads of 128 channels, whose rotary axes are known
    in_channels=33, out_channels=16, hidden_size=256, num_heads=2, mlp_ratio=1.5, num_double_blocks=1,
    num_single_blocks=3, num_refiner_blocks=1, text_dim=20, pooled_dim=6, has_guidance=False,
)  # fmt: skip


def plain(path: Path, state: dict[str, Tensor]) -> Path:
    """A file as others write it: no config, no checksum."""
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        recognise(open_checkpoint(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("config", [WIDE, replace(WIDE, num_double_blocks=0, mlp_ratio=4.0, has_guidance=True)])
def test_the_transformer_config_is_read_off_the_shapes(config: TransformerConfig, tmp_path: Path):
    path = plain(tmp_path / "a.safetensors", Transformer(config).state_dict())
    found = recognise(open_checkpoint(path))
    assert (found.kind, found.layout, found.config) == ("transformer", "official", config)


def test_the_vae_config_is_read_off_the_shapes(tmp_path: Path):
    config = VAEConfig(block_channels=(32, 32, 64, 64), layers_per_block=1, latent_channels=4)
    path = plain(tmp_path / "a.safetensors", small_vae(config).state_dict())
    assert recognise(open_checkpoint(path)).config == config
    released = {"block_out_channels": [32, 32, 64, 64], "time_compression_ratio": 4, "scaling_factor": 0.5}
    (tmp_path / "config.json").write_text(json.dumps({**released, "norm_num_groups": 16}))
    assert recognise(open_checkpoint(path)).config == replace(config, norm_groups=16, scaling_factor=0.5)


def test_a_vae_of_another_compression_is_refused(tmp_path: Path):
    path = plain(tmp_path / "a.safetensors", small_vae().state_dict())
    (tmp_path / "config.json").write_text('{"block_out_channels": [4, 4, 8, 8], "time_compression_ratio": 8}')
    assert "time_compression_ratio=8" in refusal(path)


def test_unknown_rotary_axes_are_asked_for_and_taken_from_a_config(tmp_path: Path):
    path = plain(tmp_path / "a.safetensors", small_transformer().state_dict())
    assert "32 channels in 2 heads" in refusal(path) and "rope_axes_dim" in refusal(path)
    (tmp_path / "config.json").write_text('{"rope_axes_dim": [4, 6, 6]}')
    assert recognise(open_checkpoint(path)).config == TRANSFORMER
    (tmp_path / "config.json").write_text('{"rope_axes_dim": [4, 6, 8]}')
    assert "must sum to" in refusal(path)


def test_our_own_files_tell_their_config(tmp_path: Path):
    save_model(small_transformer(), tmp_path / "t.safetensors")
    save_model(small_vae(), tmp_path / "v.safetensors")
    assert recognise(open_checkpoint(tmp_path / "t.safetensors")).config == TRANSFORMER
    assert recognise(open_checkpoint(tmp_path / "v.safetensors")).config == VAE


def test_a_given_config_is_used(tmp_path: Path):
    path = plain(tmp_path / "a.safetensors", small_transformer().state_dict())
    assert recognise(open_checkpoint(path), config=TRANSFORMER).config == TRANSFORMER
    with pytest.raises(WeightsError, match="VAEConfig does not describe"):
        recognise(open_checkpoint(path), config=VAE)


def damaged(tmp_path: Path, change: dict[str, Tensor | None]) -> str:
    state = {**Transformer(WIDE).state_dict(), **change}
    return refusal(plain(tmp_path / "a.safetensors", {key: value for key, value in state.items() if value is not None}))


def test_a_missing_key_is_named(tmp_path: Path):
    message = damaged(tmp_path, {"single_blocks.1.linear2.bias": None})
    assert "lacks 'single_blocks.1.linear2.bias'" in message and "a.safetensors" in message


def test_a_misspelt_key_is_named_with_its_nearest(tmp_path: Path):
    message = damaged(tmp_path, {"img_in.proj.bias": None, "img_in.proj.bios": torch.zeros(256)})
    assert "lacks 'img_in.proj.bias'; the nearest key is 'img_in.proj.bios'" in message


def test_an_unexpected_key_is_named_with_its_nearest(tmp_path: Path):
    message = damaged(tmp_path, {"single_blocks.1.linear3.bias": torch.zeros(3), "extra.weight": torch.zeros(1)})
    assert "and 1 more is no key of this model" in message


def test_a_hole_between_blocks_is_a_missing_key(tmp_path: Path):
    state = Transformer(WIDE).state_dict()
    holed = {key: None for key in state if key.startswith("single_blocks.1.")}
    assert "lacks 'single_blocks.1." in damaged(tmp_path, holed)


def test_a_wrong_shape_is_named(tmp_path: Path):
    message = damaged(tmp_path, {"time_in.mlp.2.bias": torch.zeros(255)})
    assert "'time_in.mlp.2.bias' has shape (255,), the model needs (256,)" in message


@pytest.mark.parametrize(
    "change", [torch.zeros(256, 33, 2, 2), torch.zeros(0, 33, 1, 2, 2), torch.zeros(7, 33, 1, 2, 2)]
)
def test_nonsense_in_the_shapes_that_tell_the_config_is_refused(change: Tensor, tmp_path: Path):
    damaged(tmp_path, {"img_in.proj.weight": change})


def test_integers_without_their_scales_are_refused_rather_than_misread(tmp_path: Path):
    message = damaged(tmp_path, {"single_blocks.0.linear2.weight": torch.zeros(256, 640, dtype=torch.int8)})
    assert "'single_blocks.0.linear2.weight' is quantised" in message


def test_a_stranger_is_refused(tmp_path: Path):
    assert "'blocks.0.weight'" in refusal(plain(tmp_path / "a.safetensors", {"blocks.0.weight": torch.ones(1)}))
    assert "no tensors" in refusal(plain(tmp_path / "b.safetensors", {}))


def test_a_kind_in_the_metadata_that_the_keys_contradict_is_refused(tmp_path: Path):
    metadata = {"muybridge.kind": "vae", "muybridge.config": "{}"}
    save_file(small_transformer().state_dict(), tmp_path / "a.safetensors", metadata)
    assert "says it is a vae but holds a transformer" in refusal(tmp_path / "a.safetensors")


@pytest.mark.parametrize("config", ["{", "[]", '{"hidden_size": "wide"}', '{"hidden_width": 3}', '{"num_heads": 5}'])
def test_a_broken_config_in_the_metadata_is_refused(config: str, tmp_path: Path):
    metadata = {"muybridge.kind": "transformer", "muybridge.config": config}
    save_file(small_transformer().state_dict(), tmp_path / "a.safetensors", metadata)
    refusal(tmp_path / "a.safetensors")


def test_the_networks_are_built_without_memory():
    assert all(parameter.is_meta for parameter in build(TransformerConfig()).parameters())
    assert isinstance(randomised(Transformer(WIDE)), Transformer)


def shape_only(config: TransformerConfig) -> Checkpoint:
    """What a released file of this config holds, without its bytes."""
    entries = {key: from_tensor(tensor, Path("a.safetensors")) for key, tensor in build(config).state_dict().items()}
    return Checkpoint(path=Path("a.safetensors"), entries=entries, metadata={}, config=None, files=())


SHALLOW = TransformerConfig(num_double_blocks=1, num_single_blocks=2)
VARIANTS = {
    "HYVideo-S/2": TransformerConfig(
        hidden_size=480, num_heads=5, num_double_blocks=6, num_single_blocks=12, rope_axes_dim=(12, 42, 42),
        has_guidance=False,
    ),
    "HunyuanVideo-I2V, latent concat (33 channels)": replace(SHALLOW, in_channels=33),
    "HunyuanVideo, picture beside the noise (32 channels: SkyReels-V1 I2V, keyframes)": replace(
        SHALLOW, in_channels=32
    ),
    "HunyuanVideo, guidance-distilled (T2V, FastHunyuan, I2V by token replacement)": TransformerConfig(),
    "HunyuanVideo, not guidance-distilled (T2V, HunyuanCustom)": TransformerConfig(has_guidance=False),
    "HunyuanVideo, pruned to 1 + 2 blocks": SHALLOW,
    "HunyuanVideo transformer of width 256, 1 + 3 blocks": replace(WIDE, in_channels=16),
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_told_by_its_shapes(name: str):
    found = recognise(shape_only(VARIANTS[name]))
    assert (found.variant, found.config, found.layout) == (name, VARIANTS[name], "official")


def test_every_network_names_any_config_of_its():
    for network in NETWORKS:
        assert network.variants[-1][0] == {}
        assert network.variant(network.config_type())


@pytest.mark.parametrize("name", ["vae.safetensors", "text_encoder.pt", "x.ckpt"])
@pytest.mark.parametrize("layout", ["official", "comfy", "fastvideo"])
def test_the_name_of_a_file_does_not_matter(name: str, layout: str, tmp_path: Path):
    table = NETWORKS[0].table(layout)
    assert table is not None
    state = {key: entry.read() for key, entry in in_layout(Transformer(WIDE).state_dict(), table).items()}
    if name.endswith(".safetensors"):
        save_file(state, tmp_path / name)
    else:
        torch.save({"module": state}, tmp_path / name)
    found = recognise(open_checkpoint(tmp_path / name))
    assert (found.kind, found.layout, found.config) == ("transformer", layout, WIDE)


@pytest.mark.parametrize(("network", "table"), MODULES, ids=[f"{n.name}-{t.layout}" for n, t in MODULES])
def test_a_network_computes_the_same_from_every_layout(network: Network, table: Table, tmp_path: Path):
    state = small_state(network)
    path = write_plain(tmp_path / "a.safetensors", in_layout(state, table))
    (tmp_path / "config.json").write_text(json.dumps(BESIDE[network.name]))
    found = recognise(open_checkpoint(path))
    assert network.build is not None
    ours, reference = network.build(found.config), network.build(found.config)
    ours.load_state_dict({key: entry.read() for key, entry in found.entries.items()})
    reference.load_state_dict(state)
    assert torch.equal(computed(ours), computed(reference))


@torch.no_grad()
def computed(model: nn.Module) -> Tensor:
    """A small output of either kind of network."""
    generator = torch.Generator().manual_seed(1)
    if isinstance(model, VideoVAE):
        return model.decode(torch.randn(1, model.config.latent_channels, 2, 2, 2, generator=generator))
    assert isinstance(model, Transformer)
    config = model.config
    conditions = Conditions(
        text=torch.randn(1, 3, config.text_dim, generator=generator),
        pooled=torch.randn(1, config.pooled_dim, generator=generator),
        guidance=torch.tensor([6.0]),
    )
    return model(torch.randn(1, config.in_channels, 2, 4, 4, generator=generator), torch.tensor([0.5]), conditions)
