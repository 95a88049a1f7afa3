"""LoRA files of every layout into the one form, every key accounted for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.ops.adapted import Shift
from muybridge.ops.lora import Delta, Factors
from muybridge.weights.files import open_checkpoint
from muybridge.weights.header import DATA_DIGEST, HEADER_DIGEST
from muybridge.weights.lora.alphas import AlphaRule, alpha_rule, checked_alpha
from muybridge.weights.lora.factors import factors_of, merged_parts, swapped_rows
from muybridge.weights.lora.form import Lora
from muybridge.weights.lora.groups import Group, grouped
from muybridge.weights.lora.keys import SUFFIXES, UNREAD, Key, split, understand
from muybridge.weights.lora.tucker import without_cores
from muybridge.weights.stored import StoredTensor

TextKeys = Literal["refuse", "ignore"]
_PLAIN_ROLES = {"value", "value_bias"}  # whose keys a model's own file has too
_NORM_ENDS = ("_norm", ".norm1", ".norm2")


def is_lora(entries: Mapping[str, StoredTensor]) -> bool:
    """Whether keys are those of a LoRA of any network: a model's own file has none that end so."""
    ends = (split(key)[2] for key in entries)
    return any(end in UNREAD or SUFFIXES.get(end, "value") not in _PLAIN_ROLES for end in ends)


def is_lora_file(path: str | Path) -> bool:
    """Whether a path is a file that holds a LoRA. Raises WeightsError where it is damaged."""
    path = Path(path).expanduser()
    return path.is_file() and is_lora(open_checkpoint(path).entries)


def read_lora(path: str | Path, *, text_encoder: TextKeys = "refuse") -> Lora:
    """The LoRA in a file, its tensors memory-mapped where the file allows.

    Every module's change is scaled by alpha over rank. alpha comes from its own tensor, else from the metadata that
    diffusers writes or the `adapter_config.json` of peft; where nothing says it, the scale is 1. (Tencent's own loader
    leaves alpha out; its trainer sets alpha to the rank, so for its files both are the same.)
    text_encoder: what to do with keys of a text encoder, which this package does not change.
    Raises WeightsError, naming file, key, nearest module and remedy, unless every key is understood.
    """
    checkpoint = open_checkpoint(path)
    if not is_lora(checkpoint.entries):
        raise WeightsError(f"{checkpoint.path}: holds no LoRA; look into it with `muybridge inspect`.")
    understood = {key: understand(key, file=checkpoint.path) for key in checkpoint.entries}
    text_keys = tuple(key for key, found in understood.items() if found is None)
    if text_keys and text_encoder == "refuse":
        raise WeightsError(
            f"{checkpoint.path}: {len(text_keys)} keys such as {text_keys[0]!r} are of a text encoder, "
            "which is not changed here; leave them aside with --ignore-lora-text, in Python with ignores_text=True."
        )
    groups = grouped({key: found for key, found in understood.items() if found is not None}, checkpoint.entries)
    if not groups:
        raise WeightsError(f"{checkpoint.path}: all its keys are of a text encoder; use a LoRA of the transformer.")
    rule = alpha_rule(checkpoint.path, checkpoint.metadata)
    found = _form(groups, rule)
    return Lora(
        path=checkpoint.path,
        format=_format([key for key in understood.values() if key is not None]),
        deltas=found.deltas,
        shifts=found.shifts,
        values=found.values,
        kernels=found.kernels,
        metadata={key: text for key, text in checkpoint.metadata.items() if key not in (DATA_DIGEST, HEADER_DIGEST)},
        text_keys=text_keys,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    deltas: dict[str, tuple[Delta, ...]] = field(default_factory=dict)
    shifts: dict[str, Shift] = field(default_factory=dict)
    values: dict[str, Tensor] = field(default_factory=dict)
    kernels: dict[str, tuple[int, ...]] = field(default_factory=dict)


def _form(groups: Sequence[Group], rule: AlphaRule) -> _Found:
    found = _Found()
    parts: dict[str, list[Delta]] = {}
    for group in map(without_cores, groups):
        official, tensors = group.place.official, group.tensors
        found.values.update(_values(group))
        if official.endswith(_NORM_ENDS):
            if changes := _norm_changes(group):
                found.shifts[official] = Shift(changes)
            continue
        kernel = next((tuple(t.shape[1:]) for t in tensors.values() if t.ndim == 5 and t.shape[2:] != (1, 1, 1)), None)
        if kernel is not None:
            found.kernels[official] = kernel
        if delta := _delta(group, rule):
            parts.setdefault(official, []).append(delta)
    whole = {group.place.official: group.place.num_parts for group in groups}
    found.deltas.update({name: merged_parts(deltas, num_parts=whole[name]) for name, deltas in parts.items()})
    return found


def _values(group: Group) -> dict[str, Tensor]:
    """Parameters that are replaced as a whole."""
    result = {}
    for role, name in (("value", "weight"), ("value_bias", "bias")):
        if role in group.tensors:
            if group.place.part is not None:
                raise WeightsError(f"{group.at(role)} replaces a part of a fused layer; save the LoRA as a difference.")
            tensor = group.tensors[role]
            result[f"{group.place.official}.{name}"] = swapped_rows(tensor) if group.place.is_swapped else tensor
    return result


def _norm_changes(group: Group) -> dict[str, Tensor]:
    changes = {}
    for role, tensor in group.tensors.items():
        if role in _PLAIN_ROLES:
            continue
        if role not in ("diff", "bias") or tensor.ndim != 1:
            raise WeightsError(f"{group.at(role)} is no plain difference, which a norm needs; remove it.")
        changes["weight" if role == "diff" else "bias"] = tensor
    return changes


def _delta(group: Group, rule: AlphaRule) -> Delta | None:
    """The change of a linear layer, or of a part of it; None where its parameters are replaced and nothing more."""
    if not group.tensors.keys() - _PLAIN_ROLES:
        return None
    factors = factors_of(group)
    scale = _scale(group, factors, rule)
    magnitude, bias = group.tensors.get("magnitude"), group.tensors.get("bias")
    if "up_bias" in group.tensors:
        if bias is not None:
            raise WeightsError(f"{group.at('bias')} and {group.keys['up_bias']!r} both change the bias; keep one.")
        bias = group.tensors["up_bias"] * scale
    if factors is None and bias is None:
        role = next(iter(group.tensors.keys() - _PLAIN_ROLES))
        raise WeightsError(f"{group.at(role)} stands alone: no factors beside it; use the complete file.")
    delta = Delta(
        factors,
        scale=scale,
        first_row=_first_row(group, factors, bias),
        magnitude=None if magnitude is None else _magnitude(group, factors, magnitude),
        bias=bias,
    )
    if bias is not None and bias.shape != (delta.num_rows,):
        first = group.at("bias" if "bias" in group.keys else "up_bias")
        raise WeightsError(f"{first} has shape {tuple(bias.shape)}, not ({delta.num_rows},); use another save.")
    return swapped_rows(delta) if group.place.is_swapped else delta


def _scale(group: Group, factors: Factors | None, rule: AlphaRule) -> float:
    """alpha / rank. Where LyCORIS has no rank (whole matrices), alpha says nothing."""
    rank = None if factors is None else factors.rank
    if "alpha" not in group.tensors:
        return rule.scale(group.name, rank)
    alpha = group.tensors["alpha"]
    if alpha.numel() != 1:
        raise WeightsError(f"{group.at('alpha')} has shape {tuple(alpha.shape)}, not one number; use another save.")
    checked = checked_alpha(alpha.item(), group.at("alpha"))
    return 1.0 if rank is None else checked / rank


def _first_row(group: Group, factors: Factors | None, bias: Tensor | None) -> int | None:
    """Where a part of a fused layer begins: queries, keys, values of the layer's width each, then the rest."""
    part = group.place.part
    if part is None:
        return None
    width = len(bias) if factors is None and bias is not None and part < 3 else None
    if factors is not None:
        rows, width = factors.shape
        if part < 3 and rows != width:
            first = next(iter(group.keys.values()))
            raise WeightsError(f"{group.file}: {first!r} has {rows} rows for a width of {width}; use another save.")
    if width is None:
        raise WeightsError(f"{group.at('bias')} stands alone, so its place in the fused layer is unknown; remove it.")
    return part * width


def _magnitude(group: Group, factors: Factors | None, magnitude: Tensor) -> Tensor:
    """(o, 1) of rows, or (1, i) of columns, as LyCORIS has both; peft writes (o,)."""
    if factors is None:
        raise WeightsError(f"{group.at('magnitude')} stands alone: no factors beside it; use the complete file.")
    rows, columns = factors.shape
    flat = magnitude[:, None] if magnitude.ndim == 1 else magnitude.flatten(1)
    if flat.shape not in ((rows, 1), (1, columns)):
        raise WeightsError(
            f"{group.at('magnitude')} has shape {tuple(magnitude.shape)}, not ({rows}, 1) or (1, {columns}); "
            "use another save."
        )
    return flat


def _format(keys: Sequence[Key]) -> str:
    """Who writes such keys and whose names they use, the commonest of each."""
    writer = Counter(key.writer for key in keys).most_common(1)[0][0]
    layout = Counter(key.place.layout for key in keys).most_common(1)[0][0]
    return f"{writer}; {layout} names"
