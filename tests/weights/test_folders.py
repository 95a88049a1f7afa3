"""Folders of models: each part has one place, and where several models could be meant they are named."""

from pathlib import Path

import pytest

from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.weights.folders import component_path, components, models, named_part, weight_file

TREE_15 = (  # HunyuanVideo-1.5 as released
    "transformer/480p_t2v", "transformer/720p_i2v", "vae", "text_encoder/llm", "upsampler/720p_sr_distilled",
)  # fmt: skip


def tree(root: Path, *places: str) -> Path:
    for place in places:
        (root / place).mkdir(parents=True)
        (root / place / "diffusion_pytorch_model.safetensors").touch()
        (root / place / "config.json").write_text("{}")
    return root


def test_the_tree_of_1_5_says_which_transformers_it_has(tmp_path: Path):
    root = tree(tmp_path, *TREE_15)
    assert components(root) == {
        "transformer": root / "transformer", "vae": root / "vae", "text-encoder": root / "text_encoder",
    }  # fmt: skip
    for place in (root, root / "transformer"):
        with pytest.raises(WeightsError, match="transformer: 2 .* give one of 480p_t2v, 720p_i2v"):
            component_path(place, "transformer")
    assert component_path(root, "vae") == root / "vae"
    assert component_path(root, "text-encoder") == root / "text_encoder" / "llm"
    assert component_path(root / "transformer" / "480p_t2v", None) == root / "transformer" / "480p_t2v"


def test_every_model_of_a_tree_is_listed(tmp_path: Path):
    root = tree(tmp_path, *TREE_15)
    assert models(root) == [root / place for place in TREE_15[:4]]
    assert models(root / "transformer") == [root / place for place in TREE_15[:2]]
    assert models(root / "vae") == [root / "vae"]


def test_one_transformer_of_1_5_is_taken(tmp_path: Path):
    root = tree(tmp_path, "transformer/480p_t2v", "vae")
    assert component_path(root, "transformer") == component_path(root / "transformer", None)
    assert component_path(root, "transformer") == root / "transformer" / "480p_t2v"


def test_empty_places_are_no_parts(tmp_path: Path):
    root = tree(tmp_path, "transformer")
    (root / "text_encoder").mkdir()
    assert list(components(root)) == ["transformer"]
    with pytest.raises(WeightsError, match="holds no vae; it has transformer"):
        component_path(root, "vae")


def test_a_tree_with_one_part_is_that_part(tmp_path: Path):
    root = tree(tmp_path, "vae")
    assert component_path(root, None) == root / "vae"


def test_a_model_of_1_5_is_meant_by_its_folder_s_name(tmp_path: Path):
    root = tree(tmp_path, *TREE_15)
    for place in (root, root / "transformer"):
        assert named_part(place, "720p_i2v") == (root / "transformer" / "720p_i2v", None)
    assert named_part(root, "vae") == (root, "vae")
    with pytest.raises(InvalidInput, match="part=480p: is no part of it; use one of transformer, .*480p_t2v"):
        named_part(root, "480p")


def test_a_split_gguf_is_one_file(tmp_path: Path):
    for name in ("net-00001-of-00002.gguf", "net-00002-of-00002.gguf"):
        (tmp_path / name).touch()
    assert weight_file(tmp_path, "module") == tmp_path / "net-00001-of-00002.gguf"
