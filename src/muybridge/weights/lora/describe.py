"""What a LoRA file is, for people and for `--json`."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from muybridge.ops.lora import Delta, Dense, Hadamard, Kronecker
from muybridge.weights.lora.form import Lora
from muybridge.weights.lora.read import read_lora

_BLOCK = re.compile(r"(.*blocks)\.(\d+)\.")
_FAMILIES = {Hadamard: "LoHa", Kronecker: "LoKr", Dense: "difference"}


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraReport:
    """families: how many modules by LoRA, DoRA, LoHa, LoKr or difference. ranks and scales (alpha / rank): how many
    modules by each. targets: the lists of blocks and their indices, and single modules, that it changes."""

    path: str
    format: str
    families: Mapping[str, int]
    ranks: Mapping[int, int]
    scales: Mapping[float, int]
    num_modules: int
    num_parameters: int
    targets: Mapping[str, str]
    num_text_keys: int
    metadata: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def describe(path: str | Path) -> LoraReport:
    """The report on a LoRA file, keys of a text encoder counted and left aside. Raises WeightsError as `read_lora`."""
    lora = read_lora(path, text_encoder="ignore")
    deltas = [delta for parts in lora.deltas.values() for delta in parts]
    families = Counter(_family(delta) for delta in deltas)
    families["difference"] += len(lora.shifts)
    families["replaced"] += len(lora.values)
    ranks = [delta.factors.rank for delta in deltas if delta.factors is not None]
    return LoraReport(
        path=str(lora.path),
        format=lora.format,
        families={name: count for name, count in families.items() if count},
        ranks=dict(sorted(Counter(rank for rank in ranks if rank is not None).items())),
        scales=dict(sorted(Counter(delta.scale for delta in deltas).items())),
        num_modules=len(lora.modules),
        num_parameters=_num_parameters(lora),
        targets=_targets(lora.modules),
        num_text_keys=len(lora.text_keys),
        metadata=lora.metadata,
    )


def _family(delta: Delta) -> str:
    name = "bias" if delta.factors is None else _FAMILIES.get(type(delta.factors), "LoRA")
    return name if delta.magnitude is None else name.replace("LoRA", "DoRA")


def _num_parameters(lora: Lora) -> int:
    modules = [*(delta for parts in lora.deltas.values() for delta in parts), *lora.shifts.values()]
    return sum(p.numel() for m in modules for p in m.parameters()) + sum(v.numel() for v in lora.values.values())


def _targets(modules: tuple[str, ...]) -> dict[str, str]:
    """`double_blocks: 0-19`; a module outside the blocks stands by its name."""
    blocks: dict[str, set[int]] = {}
    for name in modules:
        found = _BLOCK.match(name)
        blocks.setdefault(found[1] if found else name, set()).update([int(found[2])] if found else [])
    return {name: _ranges(sorted(indices)) for name, indices in blocks.items()}


def _ranges(indices: list[int]) -> str:
    """[0, 1, 2, 5] as 0-2,5."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
