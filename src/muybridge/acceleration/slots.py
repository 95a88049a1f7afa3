"""Tensors that come and go: their places in modules, and what is in a lane for these places."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from muybridge.acceleration.lanes import Lane, Source


class Slot:
    """A tensor's place in its module, and where the tensor waits. It leaves its place at once."""

    def __init__(self, module: nn.Module, name: str, source: Source) -> None:
        self.module, self.name, self.source = module, name, source
        self._is_parameter = name in dict(module.named_parameters(recurse=False))
        self._away = self._made(torch.empty(source.shape, dtype=source.dtype, device="meta"))
        self.leave()

    @property
    def is_away(self) -> bool:
        """Whether its tensor is not there."""
        return getattr(self.module, self.name) is self._away

    def bind(self, tensor: Tensor) -> None:
        """Put the tensor in its place."""
        setattr(self.module, self.name, self._made(tensor))

    def leave(self) -> None:
        """Leave shape and dtype in its place."""
        setattr(self.module, self.name, self._away)

    def _made(self, tensor: Tensor) -> Tensor:
        return nn.Parameter(tensor, requires_grad=False) if self._is_parameter else tensor


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """Tensors in a lane, by their slots, and when they arrive there."""

    slots: list[Slot]
    tensors: list[Tensor]
    lane: Lane
    arrival: Any

    def bind(self) -> None:
        """Put the tensors in their places."""
        for slot, tensor in zip(self.slots, self.tensors, strict=True):
            slot.bind(tensor)

    def leave(self) -> None:
        """Take them away again."""
        for slot in self.slots:
            slot.leave()
