"""Where features wait between two layers: in memory, in the memory of the host, or in a file."""

import os
import tempfile
import weakref
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor

Held = Callable[[], Tensor]  # gives the tensor back, once
Keep = Callable[[Tensor], Held]
Place = Literal["memory", "outside"]


def keeper(place: Place) -> Keep:
    """How tensors are set aside: as they are; or outside, a GPU's on the host, a CPU's in a temporary file.

    The file lies where TMPDIR says and is gone when the last tensor is back, or the process ends.
    """
    if place == "memory":
        return lambda x: lambda: x
    file = _File()
    return lambda x: file.keep(x) if x.device.type == "cpu" else _on_host(x)


def _on_host(x: Tensor) -> Held:
    device, host = x.device, x.cpu()
    return lambda: host.to(device)


class _File:
    """Tensors one after the other in a temporary file, which is closed when nobody can ask for them any more."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 (closed below)
        weakref.finalize(self, self.file.close)

    def keep(self, x: Tensor) -> Held:
        """Write it."""
        start = self.file.seek(0, os.SEEK_END)
        self.file.write(_bytes_of(x.contiguous()))
        return partial(self._give_back, start, x.shape, x.dtype)

    def _give_back(self, start: int, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        self.file.seek(start)
        result = torch.empty(shape, dtype=dtype)
        self.file.readinto(_bytes_of(result))
        return result


def _bytes_of(x: Tensor) -> memoryview:
    return x.view(-1).view(torch.uint8).numpy().data
