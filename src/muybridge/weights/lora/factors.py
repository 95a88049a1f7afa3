"""Factors from the tensors of a file, and what becomes of them when fused layers are split or joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.ops.lora import Delta, Dense, Factors, Hadamard, Kronecker, LowRank
from muybridge.weights.lora.groups import Group

T = TypeVar("T", Tensor, Delta)


@dataclass(frozen=True, slots=True)
class Family:
    """One way to write a change: the roles of its tensors, in the order of the factors' constructor."""

    name: str
    roles: tuple[str, ...]
    factors: type[Factors]


FAMILIES: tuple[Family, ...] = (
    Family("LoRA", ("down", "up"), LowRank),
    Family("LoHa", ("hada_up1", "hada_down1", "hada_up2", "hada_down2"), Hadamard),
    Family("difference", ("diff",), Dense),
)
LOKR = "LoKr"
_SIDES = ("left", "right")


def factors_of(group: Group) -> Factors | None:
    """The factors of a module; None where the file has none for it.

    Raises WeightsError where a half is missing, two families are mixed or shapes do not fit.
    """
    matrices = {role: tensor if tensor.ndim < 2 else tensor.flatten(1) for role, tensor in group.tensors.items()}
    present = [family for family in FAMILIES if any(role in matrices for role in family.roles)]
    has_kronecker = any(role.startswith(_SIDES) for role in matrices)
    if len(present) + has_kronecker > 1:
        names = [family.name for family in present] + [LOKR] * has_kronecker
        first = next(iter(group.keys.values()))
        raise WeightsError(f"{group.file}: {first!r} and others mix {' and '.join(names)} in one module; keep one.")
    for role in matrices.keys() - {"alpha", "magnitude", "bias", "up_bias", "value", "value_bias"}:
        if matrices[role].ndim != 2 or not matrices[role].numel():
            shape = tuple(group.tensors[role].shape)
            raise WeightsError(f"{group.at(role)} has shape {shape}, which is no matrix; use another save.")
    if has_kronecker:
        return Kronecker(*(_side(group, matrices, side) for side in _SIDES))
    return present[0].factors(*_fitting(group, present[0].roles, matrices)) if present else None


def _side(group: Group, matrices: Mapping[str, Tensor], side: str) -> LowRank | Dense:
    """One side of a Kronecker product, whole or low-rank."""
    given = [role for role in matrices if role.startswith(side)]
    if side not in given:
        return LowRank(*_fitting(group, (f"{side}_down", f"{side}_up"), matrices))
    if len(given) > 1:
        raise WeightsError(f"{group.at(given[0])} and {group.keys[given[1]]!r} are both its {side} side; keep one.")
    return Dense(matrices[side])


def _fitting(group: Group, roles: Sequence[str], matrices: Mapping[str, Tensor]) -> list[Tensor]:
    """The matrices of these roles. Raises WeightsError where one is missing or two do not fit."""
    missing = [role for role in roles if role not in matrices]
    if missing:
        role = next((role for role in roles if role in matrices), next(iter(matrices)))
        raise WeightsError(f"{group.at(role)} lacks its other half ({missing[0]}); use the complete file.")
    downs = [role for role in roles if "down" in role]
    ups = [role for role in roles if "up" in role]
    for down, up in zip(downs, ups, strict=True):
        if matrices[up].shape[1] != matrices[down].shape[0]:
            raise WeightsError(
                f"{group.at(up)} has rank {matrices[up].shape[1]}, {group.keys[down]!r} has {matrices[down].shape[0]}; "
                "use a file whose halves belong together."
            )
    if len({(matrices[up].shape[0], matrices[down].shape[1]) for down, up in zip(downs, ups, strict=True)}) > 1:
        raise WeightsError(f"{group.at(ups[1])} and {group.keys[ups[0]]!r} differ in shape; use another save.")
    if len({matrices[role].dtype for role in roles}) > 1:
        rule = "and its other half differ in dtype; save the LoRA in one"
        raise WeightsError(f"{group.file}: {group.keys[roles[0]]!r} {rule}.")
    return [matrices[role] for role in roles]


def swapped_rows(value: T) -> T:
    """The two halves of the rows exchanged: diffusers keeps the last modulation that way."""
    if isinstance(value, Tensor):
        return value.roll(value.shape[0] // 2, 0)
    factors = value.factors
    if isinstance(factors, Kronecker) and factors.left.shape[0] % 2:
        factors = Dense(factors.matrix())
    return Delta(
        None if factors is None else factors.map_rows(swapped_rows),
        scale=value.scale,
        first_row=value.first_row,
        magnitude=value.magnitude if _is_by_column(value) else _mapped(value.magnitude),
        bias=_mapped(value.bias),
    )


def merged_parts(parts: Sequence[Delta], *, num_parts: int) -> tuple[Delta, ...]:
    """One delta of the fused layer where all its parts share one `down`, as a split fused LoRA does; else the parts.

    Exact: the rows of `up` come to stand one below the other again.
    """
    if num_parts == 1 or len(parts) < num_parts:
        return tuple(parts)
    ordered = sorted(parts, key=lambda part: part.first_row or 0)
    first = ordered[0].factors
    for part in ordered:
        is_alike = part.scale == ordered[0].scale and (part.magnitude is None) is (ordered[0].magnitude is None)
        is_alike = is_alike and (part.bias is None) is (ordered[0].bias is None) and not _is_by_column(part)
        if not (is_alike and isinstance(part.factors, LowRank) and isinstance(first, LowRank)):
            return tuple(parts)
        if not torch.equal(part.factors.down, first.down):
            return tuple(parts)
    if not isinstance(first, LowRank):
        return tuple(parts)
    ups = [part.factors.up for part in ordered if isinstance(part.factors, LowRank)]
    return (
        Delta(
            LowRank(first.down, torch.cat(ups)),
            scale=ordered[0].scale,
            magnitude=_joined([part.magnitude for part in ordered]),
            bias=_joined([part.bias for part in ordered]),
        ),
    )


def split_rows(delta: Delta, sizes: Sequence[int]) -> tuple[Delta, ...]:
    """A fused layer's delta as those of its parts: `down` shared, the rows of `up` divided.

    Ranks that act on no row of a part, as those of a joined LoRA, are left out of it. Raises WeightsError where rows
    cannot be divided: DoRA over columns, or LoKr whose blocks cross the parts.
    """
    if _is_by_column(delta):
        raise WeightsError("DoRA over the columns of a fused layer cannot be split; choose a layout with fused layers.")
    parts, start = [], 0
    for size in sizes:
        parts.append(_slice(delta, start, start + size))
        start += size
    return tuple(parts)


def joined_parts(parts: Sequence[Delta], num_rows: int) -> Delta:
    """The parts of a fused layer as one low-rank delta: `up` block-diagonal, `down` stacked, the ranks added up.

    Exact where the parts have one scale; else the others' `up` is multiplied by the ratio. Raises WeightsError for
    DoRA and for what is not low-rank.
    """
    if len(parts) == 1 and parts[0].first_row is None:
        return parts[0]
    lows = [part.factors for part in parts if isinstance(part.factors, LowRank) and part.magnitude is None]
    if len(lows) < len(parts):
        raise WeightsError(
            "parts of a fused layer that are not plain LoRA cannot be joined; choose the diffusers layout."
        )
    ups, bias = [], None
    for part, low in zip(parts, lows, strict=True):
        up = low.up.new_zeros(num_rows, low.up.shape[1])
        start = part.first_row or 0
        ratio = part.scale / parts[0].scale
        up[start : start + len(low.up)] = low.up if ratio == 1 else low.up * ratio
        ups.append(up)
        if part.bias is not None:
            bias = part.bias.new_zeros(num_rows) if bias is None else bias
            bias[start : start + len(part.bias)] = part.bias
    factors = LowRank(torch.cat([low.down for low in lows]), torch.cat(ups, 1))
    return Delta(factors, scale=parts[0].scale, bias=bias)


def _slice(delta: Delta, start: int, stop: int) -> Delta:
    factors = delta.factors
    if isinstance(factors, Kronecker):
        height = factors.right.shape[0]
        if start % height or stop % height:
            raise WeightsError("LoKr blocks cross the parts of a fused layer; choose a layout with fused layers.")
        sliced = factors.map_rows(lambda tensor: tensor[start // height : stop // height])
    else:
        sliced = None if factors is None else factors.map_rows(lambda tensor: tensor[start:stop])
    return Delta(
        _without_idle(sliced) if isinstance(sliced, LowRank) else sliced,
        scale=delta.scale,
        first_row=start,
        magnitude=None if delta.magnitude is None else delta.magnitude[start:stop],
        bias=None if delta.bias is None else delta.bias[start:stop],
    )


def _without_idle(factors: LowRank) -> LowRank:
    """Without the ranks whose column of `up` is zero, unless all are."""
    acts = factors.up.any(0)
    return LowRank(factors.down[acts], factors.up[:, acts]) if bool(acts.any()) and not bool(acts.all()) else factors


def _is_by_column(delta: Delta) -> bool:
    return delta.magnitude is not None and delta.magnitude.shape[0] != delta.num_rows


def _mapped(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else swapped_rows(tensor.detach())


def _joined(tensors: Sequence[Tensor | None]) -> Tensor | None:
    present = [tensor for tensor in tensors if tensor is not None]
    return torch.cat(present) if present else None
