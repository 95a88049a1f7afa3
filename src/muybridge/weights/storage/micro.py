"""A scale for every few values of a row: nvfp4 (16 values of four bits) and mxfp8 (32 of eight), of Blackwell's units.

nvfp4: two e2m1 codes to a byte, an e4m3 scale per 16, a float32 one over all. mxfp8: e4m3, an exponent per 32 (e8m0).
ModelOpt lays scales out by rows and the first code low; ComfyUI as the units read them: the first code high, scales in
tiles of 128 rows by 4, in a tile first by row modulo 32, then by row over 32, then by column.
Sources: OCP Microscaling Formats 1.0, cuBLAS's layout of block scaling factors, and what the two programs write.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.ops.codes import paired, widened
from muybridge.weights.storage.companions import REMEDY, by_rows
from muybridge.weights.storage.scales import COMPUTE
from muybridge.weights.stored import Packed, StoredTensor

E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0)
E4M3 = torch.float8_e4m3fn
TILE = (128, 4)  # rows and columns of scales
BIAS = 127  # of the exponents


@dataclass(frozen=True, kw_only=True, slots=True)
class Micro:
    """One of the two formats. run: values under one scale; per_byte: how many stand in a byte of the weight."""

    name: str
    run: int
    per_byte: int
    weight: torch.dtype
    scale: torch.dtype
    has_outer: bool


NVFP4 = Micro(name="nvfp4", run=16, per_byte=2, weight=torch.uint8, scale=E4M3, has_outer=True)
MXFP8 = Micro(name="mxfp8", run=32, per_byte=1, weight=E4M3, scale=torch.uint8, has_outer=False)
MICRO = {form.name: form for form in (NVFP4, MXFP8)}


def form_of(parts: Mapping[str, StoredTensor], recipe: Mapping[str, Any] | None) -> Micro | None:
    """Which format a weight and what lies beside it are in: ComfyUI's recipe says so, ModelOpt's dtypes do."""
    if recipe is not None:
        name = recipe.get("format")
        return MICRO.get(name) if isinstance(name, str) else None
    dtypes = parts["weight"].dtype, parts["scale"].dtype if "scale" in parts else None
    return next((form for form in MICRO.values() if dtypes == (form.weight, form.scale)), None)


def micro_tensor(key: str, parts: Mapping[str, StoredTensor], form: Micro, *, is_tiled: bool) -> StoredTensor:
    """The weight `key`, in bfloat16, decoded when it is read. Raises WeightsError on parts that do not fit."""
    weight, wanted = parts["weight"], {"weight", "scale"} | ({"outer_scale"} if form.has_outer else set())
    known = {role: part for role, part in parts.items() if role != "input_scale"}
    is_typed = known.keys() == wanted and (weight.dtype, parts["scale"].dtype) == (form.weight, form.scale)
    if not is_typed or len(weight.shape) != 2 or any(size == 0 for size in weight.shape):
        raise WeightsError(f"{weight.file}: the parts of {key!r} are not those of {form.name}; {REMEDY}.")
    shape = (weight.shape[0], weight.shape[1] * form.per_byte)
    grid = (shape[0], shape[1] // form.run)
    stored = _padded(grid) if is_tiled else grid
    if shape[1] % form.run or prod(parts["scale"].shape) != prod(stored):
        given = f"{weight.file}: the scale of {key!r} has shape {parts['scale'].shape}"
        raise WeightsError(f"{given}, {form.name} of {shape} needs {stored}; {REMEDY}.")
    if form.has_outer and prod(parts["outer_scale"].shape) != 1:
        raise WeightsError(f"{weight.file}: the outer scale of {key!r} is no single number; {REMEDY}.")

    def decode(read: Mapping[str, Tensor], dtype: torch.dtype) -> Tensor:
        rows = len(read["weight"])
        scale = _untiled(read["scale"], grid) if is_tiled else read["scale"].reshape(rows, grid[1])
        return _decoded(read, _factors(scale, read.get("outer_scale")), dtype, is_tiled=is_tiled)

    row_parts = frozenset() if is_tiled else frozenset({"weight", "scale"})
    return Packed(scheme=form.name, parts=known, decode=decode, row_parts=row_parts).stored(shape, COMPUTE)


def _decoded(read: Mapping[str, Tensor], scale: Tensor, dtype: torch.dtype, *, is_tiled: bool) -> Tensor:
    """Values times the scale (rows, runs) of their run."""
    codes = read["weight"]
    is_paired = codes.dtype == torch.uint8
    table = torch.tensor(E2M1, device=codes.device)

    def rows(start: int, stop: int) -> Tensor:
        some = codes[start:stop]
        values = paired(some, table, high_first=is_tiled) if is_paired else widened(some, torch.float32)
        return values.unflatten(1, (scale.shape[1], -1)).mul_(scale[start:stop, :, None]).flatten(1)

    return by_rows((len(codes), codes.shape[1] * (1 + is_paired)), dtype, rows, device=codes.device)


def _factors(scale: Tensor, outer: Tensor | None) -> Tensor:
    """Scales as float32: exponents of two, or e4m3 times the one over all."""
    if scale.dtype == torch.uint8:
        return torch.exp2(scale.float() - BIAS)
    factors = widened(scale, torch.float32)
    return factors if outer is None else factors * outer.float().reshape(())


def _padded(grid: tuple[int, int]) -> tuple[int, int]:
    rows, columns = (-(-size // tile) * tile for size, tile in zip(grid, TILE, strict=True))
    return rows, columns


def _untiled(scale: Tensor, grid: tuple[int, int]) -> Tensor:
    """Scales by rows from tiles."""
    down = _padded(grid)[0] // TILE[0]
    tiles = scale.view(torch.uint8).reshape(down, -1, 32, 4, 4)
    plain = rearrange(tiles, "down along low high column -> (down high low) (along column)")
    return plain[: grid[0], : grid[1]].contiguous().view(scale.dtype)
