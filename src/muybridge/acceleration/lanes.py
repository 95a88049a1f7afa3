"""How tensors that wait on the disk or the host come to a device: into memory kept for them, beside its work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Protocol

import torch
from torch import Tensor

ALIGNMENT = 64  # bytes, as torch allocates: kernels then round alike


class Source(Protocol):
    """A tensor that waits elsewhere; what `muybridge.weights` opens is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Known without reading."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Known without reading."""
        ...

    def read_into(self, out: Tensor) -> None:
        """Fill `out`, contiguous memory of the processor with this shape and dtype."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class OnHost:
    """A tensor that waits in the host's memory; pinned, an accelerator fetches it by itself."""

    tensor: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        return tuple(self.tensor.shape)

    @property
    def dtype(self) -> torch.dtype:
        """Of the tensor."""
        return self.tensor.dtype

    def read_into(self, out: Tensor) -> None:
        """Copy it; `out` may be on an accelerator, which then does not wait for the copy."""
        out.copy_(self.tensor, non_blocking=True)


class Lane:
    """Memory for the tensors of one block at a time, kept from block to block; it grows with the largest."""

    def __init__(self, allocate: Callable[[int], Tensor]) -> None:
        self._allocate = allocate
        self._memory = allocate(0)

    def arranged(self, sources: Sequence[Source]) -> list[Tensor]:
        """Places for these tensors; what was there before is lost."""
        needed = room_bytes(sources)
        if needed > len(self._memory):
            self.clear()  # before the larger one is there
            self._memory = self._allocate(needed)
        rooms = self._memory[:needed].split([room_bytes([source]) for source in sources])
        return [
            room[: prod(source.shape) * source.dtype.itemsize].view(source.dtype).view(source.shape)
            for room, source in zip(rooms, sources, strict=True)
        ]

    def clear(self) -> None:
        """Give the memory back."""
        self._memory = self._allocate(0)


class HostCarrier:
    """Brings tensors to the processor: straight to their place."""

    def lane(self) -> Lane:
        """Memory of the processor."""
        return Lane(lambda count: torch.empty(count, dtype=torch.uint8))

    def now(self) -> None:
        """The processor has done what it was told."""

    def bring(self, sources: Sequence[Source], places: Sequence[Tensor], *, after: None) -> None:
        """Fill the places; returns when they are filled."""
        for source, place in zip(sources, places, strict=True):
            source.read_into(place)

    def arrive(self, arrival: None) -> None:
        """Nothing is on its way any more."""

    def settle(self) -> None:
        """Nothing is on its way."""


class CudaCarrier:
    """Brings tensors to a CUDA device on a stream of its own, from files through one pinned lane."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._staged: torch.cuda.Event | None = None

    @cached_property
    def _stream(self) -> torch.cuda.Stream:
        return torch.cuda.Stream(self._device)

    @cached_property
    def _staging(self) -> Lane:
        return Lane(lambda count: torch.empty(count, dtype=torch.uint8, pin_memory=count > 0))

    def lane(self) -> Lane:
        """Memory of the device, of this stream: what it held before is written over in the stream's order."""
        return Lane(self._allocated)

    def now(self) -> torch.cuda.Event:
        """The point that the device's work has been told to reach."""
        return _recorded(torch.cuda.current_stream(self._device))

    def bring(
        self, sources: Sequence[Source], places: Sequence[Tensor], *, after: torch.cuda.Event
    ) -> torch.cuda.Event:
        """Fill the places once the device's work is past `after`; returns before that, with when they are filled."""
        far = [(source, place) for source, place in zip(sources, places, strict=True) if not isinstance(source, OnHost)]
        near = [(source, place) for source, place in zip(sources, places, strict=True) if isinstance(source, OnHost)]
        staged = self._read([source for source, _ in far])
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(after)
            for source, place in near:
                source.read_into(place)
            for (_, place), tensor in zip(far, staged, strict=True):
                place.copy_(tensor, non_blocking=True)
            arrival = _recorded(self._stream)
        self._staged = arrival if far else None
        return arrival

    def arrive(self, arrival: torch.cuda.Event) -> None:
        """Make the device's further work wait for what was brought; the processor does not."""
        torch.cuda.current_stream(self._device).wait_event(arrival)

    def settle(self) -> None:
        """Wait until nothing is on its way or in use, and give the pinned memory back."""
        torch.cuda.synchronize(self._device)
        self._staging.clear()

    def _allocated(self, count: int) -> Tensor:
        with torch.cuda.stream(self._stream):
            return torch.empty(count, dtype=torch.uint8, device=self._device)

    def _read(self, sources: Sequence[Source]) -> list[Tensor]:
        """The tensors in pinned memory, which the last ones have left."""
        if self._staged is not None:
            self._staged.synchronize()
        staged = self._staging.arranged(sources)
        for source, place in zip(sources, staged, strict=True):
            source.read_into(place)
        return staged


Carrier = HostCarrier | CudaCarrier


def carrier_to(device: torch.device) -> Carrier:
    """What brings tensors to this device."""
    if device.type != "cuda":
        return HostCarrier()
    index = torch.cuda.current_device() if device.index is None else device.index  # each thread has its own current one
    return CudaCarrier(torch.device("cuda", index))


def _recorded(stream: torch.cuda.Stream) -> torch.cuda.Event:
    event = torch.cuda.Event()
    event.record(stream)
    return event


def room_bytes(sources: Sequence[Source]) -> int:
    """What these tensors take in a lane."""
    sizes = (prod(source.shape) * source.dtype.itemsize for source in sources)
    return sum(-(-size // ALIGNMENT) * ALIGNMENT for size in sizes)
