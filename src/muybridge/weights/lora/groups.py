"""The tensors of a LoRA file, gathered by what they change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.weights.lora.keys import Key
from muybridge.weights.lora.names import Place
from muybridge.weights.stored import StoredTensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The tensors of one module, or of one part of it, by role; `keys` are their names in the file."""

    name: str
    place: Place
    file: Path
    tensors: dict[str, Tensor] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def at(self, role: str) -> str:
        """Where a tensor is, for messages."""
        return f"{self.file}: {self.keys[role]!r}"


def grouped(understood: Mapping[str, Key], entries: Mapping[str, StoredTensor]) -> list[Group]:
    """Tensors by module and part. Raises WeightsError where two keys mean the same, or a tensor is unusable."""
    groups: dict[tuple[str, int | None], Group] = {}
    for key, found in understood.items():
        entry = entries[key]
        place = (found.place.official, found.place.part)
        group = groups.setdefault(place, Group(name=found.name, place=found.place, file=entry.file))
        if found.role in group.keys:
            raise WeightsError(f"{group.at(found.role)} and {key!r} both mean the same; keep one of them.")
        group.keys[found.role] = key
        group.tensors[found.role] = _tensor(key, entry)
    split = {official for official, part in groups if part is not None}
    for (official, part), group in groups.items():
        if part is None and official in split:
            first = next(iter(group.keys.values()))
            rule = f"changes the whole of {official!r} and other keys its parts"
            raise WeightsError(f"{group.file}: {first!r} {rule}; keep one of them.")
    return list(groups.values())


def _tensor(key: str, entry: StoredTensor) -> Tensor:
    tensor = entry.read()
    if not tensor.is_floating_point():
        raise WeightsError(f"{entry.file}: {key!r} is {tensor.dtype}, not floating point; save the LoRA in bfloat16.")
    tensor = tensor.to(torch.bfloat16) if tensor.element_size() == 1 else tensor
    if not bool(torch.isfinite(tensor).all()):
        raise WeightsError(f"{entry.file}: {key!r} holds NaN or infinity; the LoRA is broken, use an earlier save.")
    return tensor
