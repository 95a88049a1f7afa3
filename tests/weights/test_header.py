"""A safetensors header is refused unless it is whole and describes its file exactly."""

import json
import struct
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from muybridge.core.errors import WeightsError
from muybridge.weights.files import open_checkpoint
from muybridge.weights.header import DTYPES, read_header
from muybridge.weights.save import save_tensors
from tests.weights.small import flip_bit

GOOD = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


def written(path: Path, fields: Any, data: bytes = bytes(8)) -> Path:
    text = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(**changes: Any) -> dict[str, Any]:
    return {"a": {**GOOD["a"], **changes}}


def raw(tensor: torch.Tensor) -> bytes:
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def test_a_whole_file_is_read(tmp_path: Path):
    header = read_header(written(tmp_path / "good.safetensors", GOOD))
    assert header.spans["a"].shape == (2,) and header.spans["a"].dtype == torch.float32


BROKEN = {
    "unknown dtype": (entry(dtype="F7"), "dtype 'F7'"),
    "shape not of numbers": (entry(shape=["2"]), "broken shape"),
    "shape beyond int64": (entry(shape=[0, 2**62, 4], data_offsets=[0, 0]), "broken shape"),
    "shape of a thousand digits": (entry(shape=[10**1000]), "broken shape"),
    "too many dimensions": (entry(shape=[1] * 65), "broken shape"),
    "negative shape": (entry(shape=[-2]), "broken shape"),
    "shape and span disagree": (entry(shape=[3]), "needs 12 bytes"),
    "span beyond the file": (entry(shape=[4], data_offsets=[0, 16]), "promises 16 bytes, the file has 8"),
    "span backwards": (entry(data_offsets=[8, 0]), "spans -8"),
    "hole": (entry(data_offsets=[4, 12]), "hole"),
    "overlap": ({**GOOD, "b": GOOD["a"]}, "overlaps"),
    "bytes left over": (entry(shape=[1], data_offsets=[0, 4]), "4 bytes follow"),
    "entry without dtype": ({"a": {"shape": [2], "data_offsets": [0, 8]}}, "no dtype"),
    "entry not a map": ({"a": 3}, "no dtype"),
    "metadata not of strings": ({"__metadata__": {"x": 1}, **GOOD}, "map of strings"),
    "not a map": ([1], "not a map"),
    "not JSON": (b"{nonsense", "not JSON"),
    "not text": (b"{\xff\xfe\xff", "not JSON"),
    "endless nesting": (b'{"a":' + b"[" * 100_000, "not JSON"),
    "key twice": (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{}}', "'a' twice"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_header_is_refused_in_one_line(case: str, tmp_path: Path):
    fields, expected = BROKEN[case]
    path = written(tmp_path / "bad.safetensors", fields)
    with pytest.raises(WeightsError) as caught:
        open_checkpoint(path)
    message = str(caught.value)
    assert expected in message and str(path) in message and "\n" not in message and caught.value.exit_code == 2


@pytest.mark.parametrize(("length", "expected"), [(2**31, "limit"), (2**63, "limit"), (1000, "truncated")])
def test_a_header_longer_than_its_file_is_refused_unread(length: int, expected: str, tmp_path: Path):
    path = tmp_path / "long.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b"{}")
    with pytest.raises(WeightsError, match=expected):
        open_checkpoint(path)


@pytest.mark.parametrize("length", [123, 0x7B20])
def test_a_header_whose_length_looks_like_a_brace_is_no_index(length: int, tmp_path: Path):
    """The length's first bytes are `{`, or a space and `{`, as JSON may begin."""
    text = json.dumps(GOOD).encode()
    checkpoint = open_checkpoint(written(tmp_path / "brace.safetensors", text + b" " * (length - len(text))))
    assert list(checkpoint.entries) == ["a"]


def test_hostile_numbers_and_keys_are_refused_at_once(tmp_path: Path):
    sizes, keys = ",".join(["9" * 4000] * 500), ",".join(f'"k{i}":0' for i in range(30_000))
    started = time.process_time()
    for text in (f'{{"a":{{"dtype":"F32","shape":[{sizes}],"data_offsets":[0,8]}}}}', f'{{{keys},"z":1,"z":2}}'):
        with pytest.raises(WeightsError):
            open_checkpoint(written(tmp_path / "slow.safetensors", text.encode()))
    assert time.process_time() - started < 1


def test_a_file_cut_at_any_place_is_refused(tmp_path: Path):
    path = tmp_path / "cut.safetensors"
    save_file({"a": torch.ones(3), "b": torch.zeros(2, 2)}, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 2):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError):
            open_checkpoint(path)


def test_one_flipped_bit_anywhere_in_our_file_is_noticed(tmp_path: Path):
    path = tmp_path / "own.safetensors"
    save_tensors({"weight": torch.arange(4.0)}, path, metadata={"muybridge.kind": "statistics"})
    whole = path.read_bytes()
    values = open_checkpoint(path, verify=True).tensors["weight"].clone()
    for position in range(0, len(whole), 5):
        flip_bit(path, position, position % 8)
        try:
            survived = open_checkpoint(path, verify=True).tensors["weight"]
        except WeightsError as error:
            assert "\n" not in str(error)
        else:  # spaces of the padding carry nothing
            assert torch.equal(survived, values) and whole[position : position + 1] == b" "
        path.write_bytes(whole)


def test_the_checksum_cannot_be_dropped_by_renaming_it(tmp_path: Path):
    path = tmp_path / "own.safetensors"
    save_tensors({"weight": torch.arange(4.0)}, path, metadata={})
    path.write_bytes(path.read_bytes().replace(b"muybridge.sha256", b"muybridge.sha257"))
    with pytest.raises(WeightsError, match="checksum"):
        open_checkpoint(path, verify=True)


def test_every_dtype_survives_writing_and_the_reference_reader_agrees(tmp_path: Path):
    generator = torch.Generator().manual_seed(1)
    tensors = {
        name: torch.randint(0, 2, (3, 5), generator=generator).to(dtype) for name, dtype in DTYPES.items()
    } | {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3)}  # fmt: skip
    path = tmp_path / "all.safetensors"
    save_tensors(tensors, path)
    ours, reference = open_checkpoint(path, verify=True).tensors, load_file(path)
    assert set(ours) == set(reference) == set(tensors)
    for name, tensor in tensors.items():
        assert ours[name].dtype == reference[name].dtype == tensor.dtype
        assert ours[name].shape == reference[name].shape == tensor.shape
        assert raw(ours[name]) == raw(reference[name]) == raw(tensor)
