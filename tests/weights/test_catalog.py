"""A model's name means one model, or the nearest one is offered."""

import json
from pathlib import Path

import pytest

from muybridge.core.errors import AssetError, InvalidInput, WeightsError
from muybridge.transformer import TransformerConfig
from muybridge.transformer.cost import num_parameters
from muybridge.weights.catalog import catalogue, locate, resolve
from muybridge.weights.hub import FolderHub
from muybridge.weights.licences import accept


def test_every_entry_is_found_by_its_name_and_its_defaults_are_native():
    for name, entry in catalogue().items():
        assert resolve(name) == entry and entry.name == name and entry.title and entry.licence
        sizes = {size for sizes in entry.native_sizes.values() for size in sizes}
        assert (entry.defaults["width"], entry.defaults["height"]) in sizes
        assert entry.defaults["frames"] % 4 == 1
        assert all(width % 16 == 0 and height % 16 == 0 for width, height in sizes)


def test_the_released_sizes_come_in_both_orientations():
    for sizes in resolve("hunyuanvideo").native_sizes.values():
        assert len(sizes) == 5 and {(height, width) for width, height in sizes} == set(sizes)


def test_released_repositories_are_the_catalogued_model():
    for repo_id in ("hunyuanvideo-community/HunyuanVideo", "tencent/HunyuanVideo"):
        entry = resolve(repo_id)
        assert (entry.name, entry.source, entry.repo_id) == ("hunyuanvideo", "hub", repo_id)


@pytest.mark.parametrize("name", ["hunyuanvideos", "hunyuan-video", "Hunyuanvideo"])
def test_a_misspelt_name_gets_the_nearest_and_all_that_are_known(name: str):
    with pytest.raises(InvalidInput, match="did you mean hunyuanvideo\\?") as caught:
        resolve(name)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "sora", "no\0name"])
def test_an_unknown_name_is_refused_with_all_that_are_known(name: str):
    with pytest.raises(InvalidInput, match="hunyuanvideo"):
        resolve(name)


@pytest.mark.parametrize(
    "name", ["./gallop", "/weights/a/b", "models/net.safetensors", "net.pt", "~/nothing-of-this-name"]
)
def test_a_path_that_is_not_there_is_told_from_a_name(name: str):
    with pytest.raises(InvalidInput, match="no such file"):
        resolve(name)


def test_a_local_path_is_itself(tmp_path: Path):
    entry = resolve(tmp_path)
    assert (entry.source, locate(entry)) == ("local", tmp_path)


def test_a_folder_brings_its_own_defaults(tmp_path: Path):
    values = {"title": "Mine", "width": 64, "height": 32, "frames": 17, "fps": 12, "steps": 30, "cfg": 2.5}
    (tmp_path / "model.json").write_text(json.dumps(values))
    entry = resolve(str(tmp_path))
    assert (entry.title, entry.defaults["frames"], entry.native_sizes) == ("Mine", 17, {"32p": ((64, 32),)})
    assert "title" not in entry.defaults and locate(entry) == tmp_path


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"width": "wide", "height": 3}', '{"defaults": 3}'])
def test_a_broken_model_file_is_refused(text: str, tmp_path: Path):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(WeightsError, match="model.json"):
        resolve(tmp_path)


def test_a_repository_of_several_models_asks_which():
    with pytest.raises(InvalidInput, match="holds 8 models; choose one of hunyuanvideo-1.5-480p-t2v"):
        resolve("tencent/HunyuanVideo-1.5")


def test_expected_sizes_are_the_closed_forms():
    assert resolve("hunyuanvideo").num_parameters == num_parameters(TransformerConfig())
    assert resolve("hunyuanvideo-i2v-33ch").num_parameters == num_parameters(TransformerConfig(in_channels=33))
    assert resolve("skyreels-v1-i2v").num_parameters == num_parameters(TransformerConfig(in_channels=32))
    assert resolve("hunyuancustom").num_parameters == num_parameters(TransformerConfig(has_guidance=False))


def test_offline_the_hub_is_one_line():
    with pytest.raises(AssetError, match="owner/model: was never fetched.*switched off") as caught:
        locate(resolve("owner/model"))
    assert "\n" not in str(caught.value)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderHub:
    """A hub that holds the files of HunyuanVideo's folders by name only; the network is allowed."""
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    for name in ("MUYBRIDGE_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "0")
    for repo_id in resolve("hunyuanvideo").repos:
        for name in ("transformer/a.safetensors", "vae/b.safetensors", "text_encoder/config.json", "demo.mp4"):
            path = tmp_path / "mirror" / repo_id / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
    return FolderHub(tmp_path / "mirror", tmp_path / "copies")


def test_a_licence_is_shown_until_it_is_accepted(mirror: FolderHub, monkeypatch: pytest.MonkeyPatch):
    entry = resolve("hunyuanvideo")
    with pytest.raises(AssetError, match="European Union.*fetch hunyuanvideo --accept-licence") as caught:
        locate(entry, hub=mirror)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 1
    with monkeypatch.context() as patch:
        patch.setenv("MUYBRIDGE_ACCEPT_LICENCE", "gamecraft, hunyuanvideo")
        locate(entry, hub=mirror)
    with pytest.raises(AssetError):
        locate(entry, hub=mirror)
    assert entry.terms is not None
    accept(entry.name, entry.terms)
    assert locate(entry, hub=mirror).is_dir()
    with pytest.raises(AssetError, match="fasthunyuan"):
        locate(resolve("fasthunyuan"), hub=mirror)


def test_only_the_files_that_are_needed_are_fetched(mirror: FolderHub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MUYBRIDGE_ACCEPT_LICENCE", "hunyuanvideo")
    entry = resolve("hunyuanvideo")
    folder = locate(entry, hub=mirror, without=("transformer",))
    assert names(folder) == {"vae/b.safetensors", "text_encoder/config.json"}
    assert names(locate(entry, hub=mirror)) == names(folder) | {"transformer/a.safetensors"}


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
