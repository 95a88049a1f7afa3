"""Where features wait between two layers: in memory, in the memory of the host, or in a file."""

import os
import tempfile
from collections.abc import Callable
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
    in_file = _in_file()
    return lambda x: in_file(x) if x.device.type == "cpu" else _on_host(x)


def _on_host(x: Tensor) -> Held:
    device, host = x.device, x.cpu()
    return lambda: host.to(device)


def _in_file() -> Keep:
    file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the last tensor that is in it)

    def keep(x: Tensor) -> Held:
        start, shape, dtype = file.seek(0, os.SEEK_END), x.shape, x.dtype
        file.write(_bytes_of(x.contiguous()))

        def give_back() -> Tensor:
            file.seek(start)
            result = torch.empty(shape, dtype=dtype)
            file.readinto(_bytes_of(result))
            return result

        return give_back

    return keep


def _bytes_of(x: Tensor) -> memoryview:
    return x.view(-1).view(torch.uint8).numpy().data
