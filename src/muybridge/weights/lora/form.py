"""The one form that every LoRA file is read into."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from muybridge.ops.adapted import Shift
from muybridge.ops.lora import Delta


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lora:
    """What a file changes, by the official names of modules (DESIGN law 3).

    deltas: of linear layers, several where a file keeps a fused one in parts. shifts: plain changes of other layers,
    such as norms. values: parameters that the file replaces, by full official name. kernels: the shape behind the rows
    of a layer that is a convolution. text_keys: keys of a text encoder, left aside by the reader's explicit choice.
    """

    path: Path
    format: str
    deltas: Mapping[str, tuple[Delta, ...]]
    shifts: Mapping[str, Shift] = field(default_factory=dict)
    values: Mapping[str, Tensor] = field(default_factory=dict)
    kernels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    text_keys: tuple[str, ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        """The official names of all modules that it changes, in order."""
        names = (*self.deltas, *self.shifts, *(key.rpartition(".")[0] for key in self.values))
        return tuple(dict.fromkeys(names))
