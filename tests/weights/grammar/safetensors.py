"""Safetensors files: headers that lie, and sound headers over tensors that cannot be what they are named."""

import json
import math
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from muybridge.weights.layouts import Entries
from tests.weights.grammar import values
from tests.weights.lora import formats
from tests.weights.small import BESIDE, LAYOUTS, in_layout, small_state, system
from tests.weights.storage.samples import SAMPLES, Raw, state

DTYPES = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I64", "I32", "I16", "I8", "U8", "BOOL", "U16", "C64", "")
KINDS = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2,
         torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool)  # fmt: skip
METADATA = ("format", "muybridge.config", "muybridge.kind", "muybridge.sha256", "_quantization_metadata",
            "lora_adapter_metadata", "modelspec.architecture", "ss_network_module", "config", "x\ny")  # fmt: skip
Tensors = dict[str, Tensor]


@cache
def models() -> tuple[tuple[str, bytes], ...]:
    """Small files of every network and layout, with the name of the network."""
    plain = [(network.name, _bytes(in_layout(small_state(network), table))) for network, table in LAYOUTS]
    return (*plain, ("hunyuanvideo", _bytes(system())))


def _bytes(entries: Entries) -> bytes:
    return save({key: entry.read().clone() for key, entry in entries.items()})


@cache
def loras() -> tuple[formats.Case, ...]:
    """LoRAs of several forms."""
    return (
        formats.low_rank(lambda name: f"diffusion_model.{name}", ("lora_A.weight", "lora_B.weight")),
        formats.low_rank(formats.kohya, ("lora_down.weight", "lora_up.weight"), alpha=2.0),
        formats.split("transformer.", ("lora_A.weight", "lora_B.weight")),
        formats.diffusers_alpha(),
        formats.comfy_internal(),
        formats.loha(),
        formats.lokr(is_factored=True),
        formats.lokr(is_factored=False),
        formats.dora(by_row=True),
        formats.keyframes_whole(),
    )


@cache
def quantised() -> tuple[Raw, ...]:
    """A small transformer in every quantised form."""
    return tuple(sample.write(state()) for sample in SAMPLES.values())


def lying_header(rng: Random, folder: Path) -> Path:
    """A header edited as JSON, or as text, over the data of a sound file."""
    name, whole = rng.choice(models())
    (length,) = struct.unpack("<Q", whole[:8])
    fields, data = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    for _ in range(rng.randint(1, 4)):
        _lie(rng, fields, len(data))
    text = _text(rng, fields)
    if rng.random() < 0.1:
        data = data[: rng.randint(0, len(data))] if rng.random() < 0.5 else data + bytes(rng.randint(1, 100))
    length = rng.choice(values.COUNTS) if rng.random() < 0.05 else len(text)
    return _written(rng, folder, struct.pack("<Q", length) + text + data, network=name)


def lying_tensors(rng: Random, folder: Path) -> Path:
    """A sound file whose tensors have other shapes, dtypes, names and values than they should."""
    name, whole = rng.choice(models())
    return _saved(rng, folder, load(whole), {}, network=name)


def lying_scheme(rng: Random, folder: Path) -> Path:
    """A quantised file with companions that do not fit, or those of two schemes."""
    first, second = (rng.choice(quantised()) for _ in range(2))
    tensors = dict(first.tensors)
    if rng.random() < 0.3:
        keys = sorted(second.tensors)
        tensors |= {key: second.tensors[key] for key in rng.sample(keys, min(len(keys), rng.randint(1, 20)))}
    beside = [key for key in tensors if key.endswith((".comfy_quant", "__nf4", "__fp4"))]
    if beside and rng.random() < 0.4:
        key = rng.choice(beside)
        spelled = values.nested(rng) if rng.random() < 0.5 else json.dumps(
            values.lied(rng, json.loads(bytes(tensors[key].tolist())))
        )  # fmt: skip
        tensors[key] = torch.tensor(list(spelled.encode("utf-8", "surrogatepass")), dtype=torch.uint8)
    return _saved(
        rng, folder, tensors, first.metadata, network="hunyuanvideo", prefers=("scale", "absmax", "quant", "_data")
    )


def lying_lora(rng: Random, folder: Path) -> Path:
    """A LoRA with halves of other ranks, alphas that are no scale, mixed families."""
    case = rng.choice(loras())
    tensors = dict(case.tensors)
    if rng.random() < 0.3:
        other = rng.choice(loras()).tensors
        tensors |= {key: other[key] for key in rng.sample(sorted(other), min(len(other), rng.randint(1, 6)))}
    alphas = [key for key in tensors if key.endswith("alpha")]
    if alphas and rng.random() < 0.4:
        odd = (math.nan, math.inf, -math.inf, 0.0, -1.0, 1e-45, 3e38)
        tensors[rng.choice(alphas)] = rng.choice((
            torch.tensor(rng.choice(odd)), torch.ones(2), torch.ones(0), torch.tensor(True), torch.ones(1, 1, 1),
            torch.tensor(2, dtype=torch.int64), torch.tensor(rng.choice(odd), dtype=torch.float64),
        ))  # fmt: skip
    if rng.random() < 0.2:
        (folder / "adapter_config.json").write_text(
            values.nested(rng)
            if rng.random() < 0.5
            else _json(values.lied(rng, {"lora_alpha": 2, "alpha_pattern": {}})),
            errors="surrogatepass",
        )
    return _saved(rng, folder, tensors, dict(case.metadata), network=None, stem="adapter_model")


def _lie(rng: Random, fields: dict[str, Any], num_bytes: int) -> None:
    """One change of a header."""
    keys = [key for key in fields if key != "__metadata__"]
    if not keys:
        return
    key, other = rng.choice(keys), rng.choice(keys)
    entry = fields[key]
    changes: tuple[Callable[[], Any], ...] = (
        lambda: entry.update(dtype=rng.choice((*DTYPES, values.number(rng)))),
        lambda: entry.update(shape=values.shape(rng)),
        lambda: entry.update(shape=rng.choice(([], [0], [0, 2**62], [1] * 65, entry.get("shape", [])[::-1]))),
        lambda: entry.update(data_offsets=[values.number(rng), values.number(rng)]),
        lambda: entry.update(data_offsets=list(reversed(entry.get("data_offsets", [])))),
        lambda: entry.update(data_offsets=fields[other].get("data_offsets")),
        lambda: entry.update(data_offsets=[rng.randint(0, num_bytes), rng.randint(0, 2 * num_bytes)]),
        lambda: fields.update({key: values.number(rng)}),
        lambda: entry.update({values.name(rng): 1}),
        lambda: fields.update({values.name(rng): fields.pop(key)}),
        lambda: fields.update({values.name(rng): dict(entry)}),
        lambda: fields.update({key: fields[other], other: entry}),
        lambda: fields.pop(key),
        lambda: fields.update(__metadata__=_metadata(rng)),
        lambda: fields.update({f"{key}.{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
                               for number in range(rng.choice((10, 3000)))}),
    )  # fmt: skip
    if isinstance(entry, dict) and isinstance(fields[other], dict):
        rng.choice(changes)()


def _metadata(rng: Random) -> Any:
    if rng.random() < 0.2:
        return values.number(rng)
    chosen = rng.sample(METADATA, rng.randint(1, 3))
    return {key: values.nested(rng) if rng.random() < 0.7 else values.number(rng) for key in chosen}


def _json(fields: Any) -> str:
    return json.dumps(fields)


def _text(rng: Random, fields: dict[str, Any]) -> bytes:
    """The header as bytes: sound JSON mostly, now and then with keys twice, in UTF-16, nested, or cut."""
    text = _json(fields)
    draw = rng.random()
    if draw < 0.08:
        text = f"{text[:-1]}, {text[1:]}"
    elif draw < 0.12:
        return text.encode("utf-16")
    elif draw < 0.16:
        text = values.nested(rng)
    elif draw < 0.2:
        text = text[: rng.randint(0, len(text))]
    return text.encode("utf-8", "surrogatepass")


def _saved(
    rng: Random, folder: Path, tensors: Tensors, metadata: dict[str, str], *, network: str | None,
    prefers: tuple[str, ...] = (), stem: str = "model",
) -> Path:  # fmt: skip
    for _ in range(rng.randint(0 if prefers or network is None else 1, 4)):
        chosen = [key for key in tensors if any(word in key for word in prefers)] or list(tensors)
        _bend(rng, tensors, rng.choice(chosen if rng.random() < 0.7 else list(tensors)))
    if rng.random() < 0.1:
        metadata = metadata | {rng.choice(METADATA): values.nested(rng)}
    sound = {key: tensor.contiguous().clone() for key, tensor in tensors.items() if key.isprintable() or "\n" in key}
    return _written(
        rng, folder, save(sound, {k: v.replace("\0", "") for k, v in metadata.items()}), network=network, stem=stem
    )


def _bend(rng: Random, tensors: Tensors, key: str) -> None:
    """One tensor otherwise."""
    tensor, other = tensors[key], rng.choice(list(tensors.values()))
    flat = tensor.reshape(-1)
    bent: tuple[Callable[[], Tensor], ...] = (
        lambda: tensor.to(rng.choice(KINDS)),
        lambda: other,
        lambda: flat,
        lambda: flat[:0],
        lambda: flat[:1].reshape(()) if len(flat) else flat,
        lambda: tensor[None],
        lambda: tensor.flatten().reshape(tensor.shape[::-1]),
        lambda: tensor[: max(0, len(tensor) - 1)] if tensor.ndim else tensor[None],
        lambda: torch.cat([tensor, tensor]) if tensor.ndim else tensor.repeat(3),
        lambda: torch.full(tensor.shape, rng.choice((math.nan, math.inf, -1e30, 0.0))),
        lambda: torch.zeros((*tensor.shape[:-1], 0)),
        lambda: torch.zeros((0, *tensor.shape[1:])),
        lambda: torch.ones([1] * rng.randint(1, 9)),
    )
    draw = rng.random()
    if draw < 0.1:
        del tensors[key]
        tensors.setdefault("left", torch.ones(1))
    elif draw < 0.2:
        tensors[
            rng.choice((values.name(rng), f"{key}.{rng.choice(('alpha', 'scale_weight', 'absmax', 'weight'))}"))
        ] = tensors.pop(key)
    else:
        tensors[key] = rng.choice(bent)()


def _written(rng: Random, folder: Path, data: bytes, *, network: str | None, stem: str = "model") -> Path:
    """Now and then cut; the config of the network beside it, mostly true."""
    if network in BESIDE:
        beside = BESIDE[network] if rng.random() < 0.8 else values.lied(rng, BESIDE[network])
        text = _json(beside) if rng.random() < 0.95 else values.nested(rng)
        (folder / "config.json").write_text(text, errors="surrogatepass")
    if rng.random() < 0.05:
        data = data[: rng.randint(0, len(data))]
    path = folder / f"{stem}.safetensors"
    path.write_bytes(data)
    return path
