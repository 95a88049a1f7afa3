"""bitsandbytes' 4-bit weights: two codes to a byte, a table of sixteen values, a largest value per block.

Source: the packed state that bitsandbytes 0.50 saves; decoded here without it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.ops.codes import paired
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.storage.companions import REMEDY, by_rows, grouped, read_json, required
from muybridge.weights.stored import Packed, StoredTensor, from_tensor

SUFFIXES = {
    ".absmax": "absmax",
    ".quant_map": "table",
    ".nested_absmax": "nested_absmax",
    ".nested_quant_map": "nested_table",
    ".quant_state.bitsandbytes__nf4": "nf4",
    ".quant_state.bitsandbytes__fp4": "fp4",
}
MAX_BLOCK = 2**16  # bitsandbytes goes to 2**12
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    """What the JSON of a tensor says. block: values under one largest value; the nested ones of those."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    block: int
    nested_block: int | None
    nested_offset: float


def fold(checkpoint: Checkpoint) -> Checkpoint:
    """Every 4-bit tensor, in the dtype that its state names. Raises WeightsError on missing or misshapen parts."""
    entries = dict(checkpoint.entries)
    groups = {
        key: roles
        for key, roles in grouped(entries, SUFFIXES).items()
        if roles.keys() & {"nf4", "fp4", "table", "nested_absmax", "nested_table"}
    }
    for key, roles in groups.items():
        kind = "fp4" if "fp4" in roles else "nf4"
        some = next(iter(roles.values()))
        state_key = f"{key}.quant_state.bitsandbytes__{kind}"
        state = _state(read_json(required(entries, state_key, of=some), state_key), f"{entries[some].file}: {key!r}")
        names = {"weight": key, "absmax": f"{key}.absmax", "table": f"{key}.quant_map"}
        if state.nested_block:
            names |= {"nested_absmax": f"{key}.nested_absmax", "nested_table": f"{key}.nested_quant_map"}
        parts = {role: required(entries, name, of=some) for role, name in names.items()}
        for name in roles.values():
            del entries[name]
        entries[key] = _tensor(key, kind, parts, state)
    return replace(checkpoint, entries=entries) if groups else checkpoint


def named_parts(
    key: str, parts: Mapping[str, StoredTensor], *, like: StoredTensor, block: int
) -> dict[str, StoredTensor]:
    """The parts of an nf4 weight (`weight`, `absmax`, `table`) under the names of a file, with the state beside them.

    like: a tensor of the shape and dtype that they stand for.
    """
    dtype = str(like.dtype).removeprefix("torch.")
    state = {"quant_type": "nf4", "blocksize": block, "dtype": dtype, "shape": list(like.shape)}
    text = torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8)
    names = {"weight": key, "absmax": f"{key}.absmax", "table": f"{key}.quant_map"}
    written = {name: parts[role] for role, name in names.items()}
    return written | {f"{key}.quant_state.bitsandbytes__nf4": from_tensor(text, like.file)}


def _state(fields: Mapping[str, Any], where: str) -> _State:
    shape, block, nested = fields.get("shape"), fields.get("blocksize"), fields.get("nested_blocksize")
    offset, dtype = fields.get("nested_offset", 0.0), fields.get("dtype")
    is_shape = isinstance(shape, list) and all(type(size) is int and 0 <= size < 2**40 for size in shape)
    is_block = all(type(size) is int and 0 < size <= MAX_BLOCK and size % 2 == 0 for size in (block, nested or 2))
    is_offset = isinstance(offset, int | float) and abs(offset) <= torch.finfo(torch.float32).max
    if not (is_shape and is_block and is_offset):
        raise WeightsError(f"{where} has a broken quant_state; {REMEDY}.")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise WeightsError(f"{where} has the dtype {dtype!r}; only {', '.join(DTYPES)} are read.")
    return _State(
        shape=tuple(fields["shape"]),
        dtype=DTYPES[dtype],
        block=fields["blocksize"],
        nested_block=nested,
        nested_offset=float(offset),
    )


def _tensor(key: str, kind: str, parts: Mapping[str, StoredTensor], state: _State) -> StoredTensor:
    num_values = prod(state.shape)
    num_blocks = _ceil(num_values, state.block)
    wanted = {"weight": _ceil(num_values, 2), "absmax": num_blocks * parts["absmax"].dtype.itemsize, "table": 16 * 4}
    if state.nested_block:
        wanted |= {"absmax": num_blocks, "nested_absmax": _ceil(num_blocks, state.nested_block) * 4}
        wanted |= {"nested_table": 256 * 4}
    for role in wanted.keys() - {"weight", "absmax"}:
        if parts[role].dtype != torch.float32:
            raise WeightsError(f"{parts[role].file}: the {role} of {key!r} is {parts[role].dtype}; {REMEDY}.")
    if parts["absmax"].dtype.is_floating_point is bool(state.nested_block):
        raise WeightsError(f"{parts['absmax'].file}: the absmax of {key!r} is {parts['absmax'].dtype}; {REMEDY}.")
    for role, num_bytes in wanted.items():
        if parts[role].num_bytes != num_bytes:
            given = f"{parts[role].file}: the {role} of {key!r} has {parts[role].num_bytes} bytes"
            raise WeightsError(f"{given}, shape {state.shape} needs {num_bytes}; {REMEDY}.")

    def decode(read: Mapping[str, Tensor], dtype: torch.dtype) -> Tensor:
        return _values(read, dtype, state)

    return Packed(scheme=f"bitsandbytes {kind}", parts=parts, decode=decode).stored(state.shape, state.dtype)


def _ceil(number: int, by: int) -> int:
    """Rounded up in whole numbers: a file may claim more than a float holds."""
    return -(-number // by)


def _values(read: Mapping[str, Tensor], dtype: torch.dtype, state: _State) -> Tensor:
    num_values = prod(state.shape)
    codes, table = read["weight"].contiguous().view(torch.uint8).flatten(), read["table"].flatten()
    largest = read["absmax"].flatten()
    if state.nested_block:
        steps = read["nested_absmax"].flatten().repeat_interleave(state.nested_block)[: len(largest)]
        largest = read["nested_table"].flatten()[largest.int()] * steps + state.nested_offset
    num_blocks, padding = len(largest), len(largest) * state.block - num_values
    if padding:
        codes = torch.cat([codes, codes.new_zeros(num_blocks * state.block // 2 - len(codes))])

    def decode(start: int, stop: int) -> Tensor:
        values = paired(codes[start * state.block // 2 : stop * state.block // 2], table)
        return values.view(stop - start, state.block).mul_(largest[start:stop, None].float())

    values = by_rows((num_blocks, state.block), dtype, decode, device=codes.device)
    return values.flatten()[:num_values].reshape(state.shape)
