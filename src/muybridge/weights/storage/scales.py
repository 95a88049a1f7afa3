"""A weight times its scale: one for the tensor, one per row, or one per block of columns or square block."""

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.ops.codes import widened
from muybridge.weights.storage.companions import REMEDY, by_rows
from muybridge.weights.stored import Packed, StoredTensor

COMPUTE = torch.bfloat16  # what HunyuanVideo computes in; fp8 and int8 weights do not say


def scale_grid(scale: tuple[int, ...], weight: tuple[int, ...]) -> tuple[int, int] | None:
    """Rows and columns of the grid of scales over a weight of this shape; None where the scale does not fit.

    Known are one value, (n,) or (n, 1) per row, (n, b) or (n, b, 1) per block of columns, and square blocks.
    """
    if prod(scale) == 1:
        return 1, 1
    n, k = (*weight, 1)[0], prod(weight[1:])
    while scale and scale[-1] == 1:
        scale = scale[:-1]
    if scale == (n,):
        return n, 1
    if len(scale) != 2 or 0 in scale:
        return None
    r, c = scale
    is_grid = n % r == 0 and k % c == 0 and (r == n or n // r == k // c)
    return (r, c) if is_grid else None


def is_factor(scale: StoredTensor) -> bool:
    """Whether a scale is of a dtype that scales have."""
    return scale.dtype in (torch.float32, torch.float16, torch.bfloat16)


def scaled_tensor(
    key: str, parts: Mapping[str, StoredTensor], *, scheme: str, dtype: torch.dtype = COMPUTE
) -> StoredTensor:
    """The weight `key` that is `weight * scale` of its parts, times `outer_scale` and per column `column_scale`.

    Differs from the released code, which rounds the scale to bfloat16 and the product again: here float32, rounded
    once. Raises WeightsError where a scale does not fit the weight, and when it is read where it is no number.
    """
    weight, scale = parts["weight"], parts["scale"]
    grid = scale_grid(scale.shape, weight.shape)
    if grid is None or not is_factor(scale):
        given = f"{weight.file}: the scale of {key!r} has shape {scale.shape} and {scale.dtype}"
        raise WeightsError(f"{given}, which does not fit {weight.shape}; {REMEDY}.")
    for role, shape in (("outer_scale", ()), ("column_scale", weight.shape[1:])):
        if role in parts and prod(parts[role].shape) != prod(shape):
            given = f"{weight.file}: the {role} of {key!r} has shape {parts[role].shape}"
            raise WeightsError(f"{given}, which does not fit {weight.shape}; {REMEDY}.")

    def decode(read: Mapping[str, Tensor], dtype: torch.dtype) -> Tensor:
        return _product(read, dtype, where=f"{weight.file}: the scale of {key!r}")

    packed = Packed(scheme=scheme, parts=parts, decode=decode, row_parts=_row_parts(grid, weight.shape))
    return packed.stored(weight.shape, dtype)


def _row_parts(grid: tuple[int, int], weight: tuple[int, ...]) -> frozenset[str]:
    """What rows are taken from: one scale serves any rows, one per row goes with them, square blocks cut across."""
    if grid == (1, 1):
        return frozenset({"weight"})
    return frozenset({"weight", "scale"} if grid[:1] == weight[:1] else ())


def _product(read: Mapping[str, Tensor], dtype: torch.dtype, *, where: str) -> Tensor:
    weight = read["weight"]
    r, c = scale_grid(tuple(read["scale"].shape), tuple(weight.shape)) or (1, 1)
    scale = read["scale"].float().reshape(r, c, 1)
    if "outer_scale" in read:
        scale = scale * read["outer_scale"].float().reshape(())
    if not scale.isfinite().all():
        raise WeightsError(f"{where} holds values that are no finite numbers; {REMEDY}.")
    shape = ((*weight.shape, 1)[0], prod(weight.shape[1:]))
    matrix = weight.reshape(shape)
    columns = read["column_scale"].float().reshape(1, -1) if "column_scale" in read else None

    def decode(start: int, stop: int) -> Tensor:
        block = torch.arange(start, stop, device=weight.device) // (shape[0] // r)
        some = widened(matrix[start:stop], torch.float32).reshape(stop - start, c, -1)
        values = some.mul_(scale[block]).reshape(stop - start, -1)
        return values if columns is None else values * columns

    return by_rows(shape, dtype, decode, device=weight.device).reshape(weight.shape)
