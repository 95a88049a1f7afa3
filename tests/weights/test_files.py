"""Any checkpoint opens as one lazy mapping; everything else is refused with the file and the remedy."""

import json
import os
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from muybridge.core.errors import WeightsError
from muybridge.weights.files import open_checkpoint
from muybridge.weights.recognise import recognise
from tests.weights.small import flip_bit, small_transformer

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


class Bomb:
    """A pickle of this writes a file when it is loaded carelessly."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(WeightsError) as caught:
        open_checkpoint(path, **options)
    message = str(caught.value)
    assert "\n" not in message and path.name in message and caught.value.exit_code == 2
    return message


def assert_holds(path: Path, state: dict[str, torch.Tensor], **options: Any) -> None:
    tensors = open_checkpoint(path, **options).tensors
    assert set(tensors) == set(state)
    assert all(torch.equal(tensors[key], state[key]) for key in state)


def sharded(folder: Path) -> Path:
    """Two shards and their index."""
    folder.mkdir()
    weight_map = {}
    for number, (key, tensor) in enumerate(STATE.items()):
        save_file({key: tensor}, folder / f"part-{number}.safetensors")
        weight_map[key] = f"part-{number}.safetensors"
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    return index


def change_index(index: Path, **changes: str) -> None:
    fields = json.loads(index.read_text())
    fields["weight_map"] |= changes
    index.write_text(json.dumps(fields))


def test_tensors_stay_in_the_file_until_they_are_used(tmp_path: Path):
    """Mapped memory is the file's, not the process's: 64 MB read raise its private memory by next to nothing."""
    path = tmp_path / "large.safetensors"
    save_file({"large": torch.ones(16_000_000)}, path)
    before = private_bytes()
    checkpoint = open_checkpoint(path)
    large = checkpoint.tensors["large"]
    assert large.sum() == 16_000_000
    assert private_bytes() - before < 8_000_000
    assert any(str(path) in line for line in Path("/proc/self/maps").read_text().splitlines())


def private_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def test_writing_to_a_mapped_tensor_never_reaches_the_file(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    save_file(STATE, path)
    before = path.read_bytes()
    open_checkpoint(path).tensors["a.bias"].zero_()
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "noname"])
def test_the_content_decides_not_the_name(name: str, tmp_path: Path):
    save_file(STATE, tmp_path / name)
    assert_holds(tmp_path / name, STATE)


def test_shards_open_by_folder_and_by_index(tmp_path: Path):
    index = sharded(tmp_path / "model")
    assert_holds(index, STATE)
    assert_holds(index.parent, STATE)
    assert len(open_checkpoint(index).files) == 3


def test_a_linked_shard_is_followed(tmp_path: Path):
    """The hub's cache keeps links to blobs elsewhere."""
    index = sharded(tmp_path / "model")
    shard = index.parent / "part-0.safetensors"
    shard.rename(tmp_path / "blob")
    shard.symlink_to(tmp_path / "blob")
    assert_holds(index, STATE)


@pytest.mark.parametrize("name", ["../part-0.safetensors", "/etc/passwd", "sub/part.safetensors", "..", "", "a\\b"])
def test_an_index_cannot_leave_its_folder(name: str, tmp_path: Path):
    index = sharded(tmp_path / "model")
    change_index(index, **{"a.weight": name})
    assert "plain file name" in refused(index)


def test_an_index_and_its_shards_agree_on_every_key(tmp_path: Path):
    index = sharded(tmp_path / "model")
    change_index(index, extra="part-0.safetensors")
    with pytest.raises(WeightsError, match="lacks 'extra'"):
        open_checkpoint(index)
    change_index(index, extra="part-9.safetensors")
    with pytest.raises(WeightsError, match="its shard 'part-9.safetensors' is missing"):
        open_checkpoint(index)


def test_a_key_in_two_shards_is_refused(tmp_path: Path):
    index = sharded(tmp_path / "model")
    save_file(STATE, index.parent / "part-1.safetensors")
    with pytest.raises(WeightsError, match="'a.weight'.*part-0.safetensors"):
        open_checkpoint(index)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}', '{"a": 1, "a": 2}']
)
def test_a_broken_index_is_refused(text: str, tmp_path: Path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(text)
    refused(index)


@pytest.mark.parametrize(
    "wrap",
    [lambda state: state, lambda state: {"module": state, "ema": {}}, lambda state: {"state_dict": state, "epoch": 3}],
    ids=["bare", "module", "state_dict"],
)
def test_released_pickles_open(wrap: Any, tmp_path: Path):
    torch.save(wrap(STATE), tmp_path / "model.pt")
    assert_holds(tmp_path / "model.pt", STATE, verify=True)


def test_the_key_chooses_between_module_and_ema(tmp_path: Path):
    ema = {key: tensor + 1 for key, tensor in STATE.items()}
    path = tmp_path / "mp_rank_00_model_states.pt"
    torch.save({"module": STATE, "ema": ema}, path)
    assert_holds(path, STATE)
    assert_holds(path, ema, key="ema")
    assert_holds(tmp_path, ema, key="ema")
    torch.save({"ema": ema}, path)
    assert "no entry 'module'; choose ema" in refused(path)


def test_old_pickles_without_an_archive_open(tmp_path: Path):
    torch.save(STATE, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert_holds(tmp_path / "old.pt", STATE)


@pytest.mark.parametrize("is_plain", [True, False])
def test_code_in_a_pickle_is_refused_and_never_run(is_plain: bool, tmp_path: Path):
    path, target = tmp_path / "model.pt", tmp_path / "ran"
    state = {**STATE, "bomb": Bomb(target)}
    path.write_bytes(pickle.dumps(state)) if is_plain else torch.save(state, path)
    message = refused(path)
    assert "not run" in message and not target.exists()


@pytest.mark.parametrize("value", [[1, 2], 7, {"a": 3}, {1: torch.ones(1)}])
def test_a_pickle_of_anything_but_tensors_by_name_is_refused(value: Any, tmp_path: Path):
    torch.save(value, tmp_path / "model.pt")
    refused(tmp_path / "model.pt")


def test_a_damaged_pickle_is_refused(tmp_path: Path):
    path = tmp_path / "model.pt"
    torch.save({"w": torch.zeros(1000)}, path)
    whole = path.read_bytes()
    for length in (1, 4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path)
    path.write_bytes(whole)
    flip_bit(path, len(whole) // 2)  # in the zeros
    assert "checksum" in refused(path, verify=True)


def test_a_pickle_named_safetensors_is_refused(tmp_path: Path):
    torch.save(STATE, tmp_path / "model.safetensors")
    assert "PyTorch pickle" in refused(tmp_path / "model.safetensors")


FOREIGN = {
    "empty": (b"", "is empty"),
    "short": (b"abc", "is a text"),
    "prose": (b"The weights are attached to this mail. Enjoy! " * 9, "is a text"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
    "web page": (b"<!DOCTYPE html><html>", "web page"),
    "settings": (b'{"hidden_size": 3072}', "weight_map"),
}


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ""])
@pytest.mark.parametrize("case", FOREIGN)
def test_what_is_no_checkpoint_is_refused(case: str, suffix: str, tmp_path: Path):
    content, expected = FOREIGN[case]
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    message = refused(path)
    assert expected in message or (suffix == ".safetensors" and "header" in message) or "too few" in message


def test_folders_say_what_they_lack(tmp_path: Path):
    assert "no such file" in refused(tmp_path / "missing")
    assert "no weights here" in refused(tmp_path)
    save_file(STATE, tmp_path / "one.safetensors")
    assert_holds(tmp_path, STATE)
    save_file(STATE, tmp_path / "two.safetensors")
    assert "one.safetensors, two.safetensors" in refused(tmp_path)


def test_a_pipeline_folder_opens_by_component(tmp_path: Path):
    for part in ("transformer", "vae"):
        (tmp_path / part).mkdir()
        save_file({f"{part}.weight": torch.ones(1)}, tmp_path / part / "diffusion_pytorch_model.safetensors")
    assert "transformer.weight" in open_checkpoint(tmp_path, component="transformer").tensors
    assert "vae.weight" in open_checkpoint(tmp_path, component="vae").tensors
    assert "several models" in refused(tmp_path)


def test_the_released_tree_opens_by_component(tmp_path: Path):
    for part, name in (("transformers", "mp_rank_00_model_states.pt"), ("vae", "pytorch_model.pt")):
        folder = tmp_path / "hunyuan-video-t2v-720p" / part
        folder.mkdir(parents=True)
        torch.save(
            {"module": {part: torch.ones(1)}} if part != "vae" else {"state_dict": {part: torch.ones(1)}}, folder / name
        )
    torch.save({}, tmp_path / "hunyuan-video-t2v-720p" / "transformers" / "mp_rank_00_model_states_fp8_map.pt")
    assert "transformers" in open_checkpoint(tmp_path, component="transformer").tensors
    assert "vae" in open_checkpoint(tmp_path, component="vae").tensors


def test_an_unreadable_file_is_refused_in_one_line(tmp_path: Path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused(tmp_path / "loop")


@pytest.mark.parametrize(("start", "what"), [
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG picture"), (b"%PDF-1.7\n", "a PDF"),
    (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP picture"),
    (b"\0\0\0\x20ftypisom", "a film"), (b"\x1f\x8b\x08", "a gzip archive"),
    (b"Dear reader, these are no weights.\n", "a text"), (b"<!DOCTYPE html>", "a web page"),
])  # fmt: skip
@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
def test_what_is_no_weights_is_told_by_its_content(start: bytes, what: str, name: str, tmp_path: Path):
    path = tmp_path / name
    path.write_bytes(start + bytes(100) * (what != "a text"))
    with pytest.raises(WeightsError, match=f"is {what}, not weights"):
        open_checkpoint(path)


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path):
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="is a pipe, a device or a folder, not a file"):
        open_checkpoint(tmp_path / "model.safetensors")


def test_an_archive_that_is_cut_says_so(tmp_path: Path):
    path = tmp_path / "model.pt"
    torch.save({"a": torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(WeightsError, match="the beginning of a PyTorch archive and not its end, so it is truncated"):
        open_checkpoint(path)


@pytest.mark.parametrize(("method", "twice", "fault"), [
    (zipfile.ZIP_DEFLATED, False, "is compressed, which torch.save never does"),
    (zipfile.ZIP_STORED, True, "names a member twice"),
])  # fmt: skip
def test_an_archive_takes_the_room_that_it_says(method: int, twice: bool, fault: str, tmp_path: Path):
    whole, path = tmp_path / "whole.pt", tmp_path / "model.pt"
    torch.save({"a": torch.zeros(1000)}, whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w", method) as target, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the same name twice
        for info in source.infolist() * (1 + twice):
            target.writestr(info.filename, source.read(info))
    with pytest.raises(WeightsError, match=fault):
        open_checkpoint(path)


def test_a_key_cannot_break_the_line_or_flood_it(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    save_file({**small_transformer().state_dict(), "a\n\x1b[2J" + "x" * 100_000: torch.ones(1)}, path)
    (tmp_path / "config.json").write_text('{"rope_axes_dim": [4, 6, 6]}')
    with pytest.raises(WeightsError) as caught:
        recognise(open_checkpoint(path))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1000 and r"a\n\x1b[2J" in str(caught.value)
