"""GGUF files assembled from their parts, any of which may lie."""

import struct
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from tests.weights.grammar import values
from tests.weights.small import BESIDE, LAYOUTS, small_state

FORMS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
LLAMA = {
    "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "model.layers": "blk",
}  # fmt: skip
NETWORKS = ("hunyuanvideo", "language-model", "hunyuanvideo-vae")
Item = tuple[str, list[int], int, bytes]  # name, dimensions (innermost first), type, data


@cache
def tensors(network_name: str) -> tuple[Item, ...]:
    """A small network as GGUF has it: matrices in half precision, the rest in single."""
    network, _ = next((n, t) for n, t in LAYOUTS if n.name == network_name)
    found: list[Item] = []
    for key, tensor in small_state(network).items():
        if network_name == "language-model":
            for theirs, ours in LLAMA.items():
                key = key.replace(theirs, ours)
        is_half = tensor.ndim == 2
        data = tensor.numpy().astype(numpy.float16 if is_half else numpy.float32).tobytes()
        found.append((key, list(tensor.shape[::-1]), int(is_half), data))
    return tuple(found)


def lying_gguf(rng: Random, folder: Path) -> Path:
    """One file, or one part of several."""
    name = rng.choice(NETWORKS)
    architecture = "llama" if name == "language-model" else "hyvid"
    items = [list(item) for item in tensors(name)]
    pairs: list[tuple[str, int, Any]] = [("general.architecture", 8, architecture)]
    if architecture == "llama":
        pairs += [("llama.attention.head_count", 4, 4), ("llama.attention.head_count_kv", 4, 2),
                  ("llama.embedding_length", 4, 16), ("llama.rope.freq_base", 6, 100.0)]  # fmt: skip
    for _ in range(rng.randint(1, 3)):
        rng.choice((_bend_tensor, _bend_tensor, _bend_pairs))(rng, items, pairs)
    if name in BESIDE and rng.random() < 0.9:
        (folder / "config.json").write_text(str(BESIDE[name]).replace("'", '"'))
    data = _assembled(rng, items, pairs)
    if rng.random() < 0.15:
        data = data[: rng.randint(0, len(data))]
    path = folder / rng.choice(("model.gguf", "model-00001-of-00002.gguf", "model-00002-of-00002.gguf"))
    path.write_bytes(data)
    if "00002" in path.name and rng.random() < 0.5:
        (folder / "model-00002-of-00002.gguf").write_bytes(_assembled(rng, items[:3], pairs))
    return path


def _bend_tensor(rng: Random, items: list[list[Any]], _pairs: list[tuple[str, int, Any]]) -> None:
    if not items:
        return
    item, other = rng.choice(items), rng.choice(items)
    draw = rng.randrange(8)
    if draw == 0:
        item[0] = rng.choice((values.name(rng), other[0]))
    elif draw == 1:
        item[1] = [rng.choice(values.COUNTS) for _ in range(rng.choice((0, 1, 2, 4, 9, 60)))]
    elif draw == 2:
        item[1] = rng.choice(([], [0], item[1][::-1], [*item[1], 1], item[1][:-1]))
    elif draw == 3:
        item[2] = rng.choice((*map(int, GGMLQuantizationType), 31, 99, 2**31, 2**32 - 1))
    elif draw == 4:  # a type with its right number of bytes
        kind = rng.choice(list(GGMLQuantizationType))
        block, size = GGML_QUANT_SIZES[kind]
        rows = 4
        item[1:] = [[block * 2, rows], int(kind), bytes(rng.randrange(256) for _ in range(size * 2 * rows))]
    elif draw == 5:
        item[3] = item[3][: rng.randint(0, len(item[3]))]
    elif draw == 6:
        items.remove(item)
    else:
        items.append(list(item))


def _bend_pairs(rng: Random, items: list[list[Any]], pairs: list[tuple[str, int, Any]]) -> None:
    key = rng.choice((
        "general.alignment", "general.architecture", "llama.attention.head_count", "split.count", "split.no",
        "split.tensors.count", "comfy.gguf.orig_shape.img_in.proj.weight", "tokenizer.ggml.tokens", values.name(rng),
        *(f"comfy.gguf.orig_shape.{item[0]}" for item in items[:1]),
    ))  # fmt: skip
    kind = rng.choice((4, 4, 5, 6, 8, 9, 9, 10, 12, 13, 99))
    value: Any = rng.choice((0, 1, 2, 3, 32, 2**16, 2**31 - 1, 2**20))
    if kind == 8:
        value = values.name(rng)
    elif kind == 9:
        value = (
            rng.choice((4, 5, 8, 9, 10, 77)),
            rng.choice((0, 1, 5, 2**20, 2**32, 2**60, 2**63)),
            rng.randint(0, 64),
        )
    pairs.append((key, kind, value))


def _string(rng: Random, text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    length = rng.choice(values.COUNTS) if rng.random() < 0.01 else len(data)
    return struct.pack("<Q", length) + data


def _pair(rng: Random, key: str, kind: int, value: Any) -> bytes:
    head = _string(rng, key) + struct.pack("<I", kind)
    if kind == 8:
        return head + _string(rng, value)
    if kind == 9:
        inner, length, num_there = value
        if rng.random() < 0.2:  # arrays of arrays without end
            return head + struct.pack("<IQ", 9, 1) * rng.choice((3, 1000, 50_000))
        return head + struct.pack("<IQ", inner, length) + bytes(num_there * 8)
    if kind not in FORMS:
        return head + bytes(8)
    form = FORMS[kind]
    return head + struct.pack(
        f"<{form}", float(value) if form in "fd" else int(value) % (2 ** (8 * struct.calcsize(form) - 1))
    )


def _assembled(rng: Random, items: list[list[Any]], pairs: list[tuple[str, int, Any]]) -> bytes:
    offset, infos, data = 0, [], b""
    for name, dims, kind, raw in items:
        info = (
            _string(rng, name)
            + struct.pack("<I", len(dims))
            + b"".join(struct.pack("<Q", size % 2**64) for size in dims)
        )
        lie = rng.random() < 0.01
        place = rng.choice((0, 1, offset // 2, offset + 1, 2**40, 2**63, 2**64 - 32)) if lie else offset
        infos.append(info + struct.pack("<IQ", kind, place))
        padded = raw + bytes(-len(raw) % 32)
        data, offset = data + padded, offset + len(padded)
    counts = [len(items), len(pairs)]
    if rng.random() < 0.1:
        counts[rng.randrange(2)] = rng.choice((*values.COUNTS, 2**64 - 1))
    version = rng.choice((1, 4, 2**24 * 3)) if rng.random() < 0.03 else rng.choice((2, 3))
    head = b"GGUF" + struct.pack("<IQQ", version, *counts)
    head += b"".join(_pair(rng, *pair) for pair in pairs) + b"".join(infos)
    return head + bytes(-len(head) % 32) + data
