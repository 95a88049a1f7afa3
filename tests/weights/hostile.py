"""Files damaged in every way that a disk, a download or an attacker can, and the one answer that all must get."""

import json
import pickle
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st
from safetensors.torch import save

from muybridge.core.errors import MuybridgeError
from muybridge.weights.files import open_checkpoint
from muybridge.weights.lora import is_lora, read_lora
from muybridge.weights.recognise import recognise
from muybridge.weights.storage.write_gguf import write_gguf
from muybridge.weights.stored import from_tensor
from tests.weights.small import small_transformer

CONFIG = '{"rope_axes_dim": [4, 6, 6]}'  # of the small transformer: its config.json
MAX_SECONDS = 1.0  # of processor time, since the tests share a machine
Bytes = st.SearchStrategy[bytes]


class Bomb:
    """A pickle of this makes the file `target` when it is loaded carelessly."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


def read_all(path: Path) -> None:
    """What any of our readers does with a file of weights: open, recognise or read as a LoRA, and read every tensor."""
    checkpoint = open_checkpoint(path, verify=True)
    if is_lora(checkpoint.entries):
        read_lora(path)
        return
    for entry in recognise(checkpoint).entries.values():
        assert tuple(entry.read().shape) == entry.shape


def outcome(path: Path, read: Callable[[Path], object] = read_all) -> str | None:
    """The error's one line, None where the file was read; fails on any other exception, and on slowness."""
    started = time.process_time()
    try:
        read(path)
        message = None
    except MuybridgeError as error:
        message = str(error)
        assert "\n" not in message and str(path.parent) in message and ";" in message, message
    assert time.process_time() - started < MAX_SECONDS
    return message


def transformer_file() -> bytes:
    """A small transformer as others save it, without config or checksums: damage must be seen by what it does."""
    return save(small_transformer().state_dict())


def lora_file() -> bytes:
    """A LoRA of two modules of the released network."""
    shapes = {"img_attn_qkv": (3072, 9216), "img_mlp.fc1": (3072, 12288)}
    tensors = {}
    for module, (num_inputs, num_outputs) in shapes.items():
        name = f"lora_unet_double_blocks_0_{module.replace('.', '_')}"
        tensors |= {
            f"{name}.lora_down.weight": torch.ones(2, num_inputs, dtype=torch.bfloat16),
            f"{name}.lora_up.weight": torch.ones(num_outputs, 2, dtype=torch.bfloat16),
            f"{name}.alpha": torch.tensor(2.0),
        }
    return save(tensors)


def gguf_file(folder: Path) -> bytes:
    """A small transformer in GGUF."""
    path = folder / "source.gguf"
    entries = {key: from_tensor(tensor, path) for key, tensor in small_transformer().state_dict().items()}
    write_gguf(path, entries)
    return path.read_bytes()


def pickle_file(folder: Path) -> bytes:
    """A small transformer as torch.save writes it."""
    path = folder / "source.pt"
    torch.save({"module": small_transformer().state_dict()}, path)
    return path.read_bytes()


def bombed(folder: Path, target: Path, *, is_plain: bool) -> bytes:
    """A pickle with code among its tensors."""
    state = {"module": {**small_transformer().state_dict(), "bomb": Bomb(target)}}
    path = folder / "bomb.pt"
    path.write_bytes(pickle.dumps(state)) if is_plain else torch.save(state, path)
    return path.read_bytes()


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` cut short, with bits flipped (mostly near the beginning, where structure is), or bytes put in or out."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        limit = len(data) if draw(st.booleans()) else min(len(data), 4096)
        place = draw(st.integers(0, max(0, limit - 1)))
        kind = draw(st.sampled_from(["flip", "cut", "insert", "remove", "overwrite"]))
        if kind == "cut":
            del data[place:]
        elif kind == "insert":
            data[place:place] = draw(st.binary(min_size=1, max_size=16))
        elif kind == "remove":
            del data[place : place + draw(st.integers(1, 64))]
        elif kind == "overwrite":
            data[place : place + 8] = draw(st.sampled_from([bytes(8), b"\xff" * 8, struct.pack("<Q", 2**31)]))
        elif data:
            data[min(place, len(data) - 1)] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


@st.composite
def reheaded(draw: st.DrawFn, whole: bytes) -> bytes:
    """A safetensors file whose header is well-formed JSON that tells something else: dtypes, shapes, offsets, keys."""
    (length,) = struct.unpack("<Q", whole[:8])
    fields, data = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from(sorted(set(fields) - {"__metadata__"}) or [""]))
        entry = fields.get(key, {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]})
        change = draw(st.sampled_from(["dtype", "shape", "offsets", "rename", "drop", "copy"]))
        if change == "dtype":
            entry["dtype"] = draw(st.sampled_from(["F16", "BF16", "I32", "F64", "F8_E4M3", "U8", "X1", "", 7]))
        elif change == "shape":
            entry["shape"] = draw(st.lists(st.integers(-2, 2**40), max_size=5))
        elif change == "offsets":
            entry["data_offsets"] = draw(st.lists(st.integers(-8, 2**63), max_size=3))
        elif change in ("rename", "copy"):
            fields[draw(st.text(max_size=30))] = dict(entry)
        if change in ("rename", "drop"):
            fields.pop(key, None)
    text = json.dumps(fields).encode()
    return struct.pack("<Q", len(text)) + text + data
