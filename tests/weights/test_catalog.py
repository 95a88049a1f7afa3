"""A model's name means one model, or the nearest one is offered."""

import json
from pathlib import Path

import pytest

from muybridge.core.errors import AssetError, InvalidInput, WeightsError
from muybridge.weights.catalog import HUNYUANVIDEO_REPOS, catalogue, locate, resolve


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
    for repo_id in HUNYUANVIDEO_REPOS:
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


def test_offline_the_hub_is_one_line():
    with pytest.raises(AssetError, match="owner/model: cannot be fetched.*offline") as caught:
        locate(resolve("owner/model"))
    assert "\n" not in str(caught.value)
