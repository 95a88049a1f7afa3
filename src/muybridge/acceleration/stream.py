"""Blocks that wait on the disk or the host and come to the device in turn, the next one while one computes.

Applied from outside (DESIGN law 5): modules stay what they are, and the matrices in the blocks are away (on the meta
device) until their block is called. Two lanes of memory take turns; a thread fills the one that is free. What is in the
block at that moment is brought: fewer matrices where modulation is put away, and adapters were never away. A layer that
is called by itself, outside its block, brings its own matrices.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from muybridge.acceleration.lanes import Lane, OnHost, Source, carrier_to, room_bytes
from muybridge.acceleration.network import Network
from muybridge.acceleration.slots import Load, Slot
from muybridge.core.errors import RunFailed
from muybridge.ops.adapted import Adapted

S = TypeVar("S", bound=Source)


def is_streamed(tensor: Source | Tensor) -> bool:
    """Whether a block's tensor is worth being away: matrices are; vectors, such as norms and biases, stay."""
    return len(tensor.shape) > 1


def streamed(model: Network, tensors: Mapping[str, S]) -> dict[str, S]:
    """Those of a model's tensors, by their names in its state dict, that are in blocks and worth being away."""
    blocks = set(model.blocks())
    prefixes = tuple(f"{path}." for path, module in model.named_modules() if module in blocks)
    return {name: tensor for name, tensor in tensors.items() if is_streamed(tensor) and name.startswith(prefixes)}


def stream_blocks(model: Network, sources: Iterable[tuple[str, Source]], *, device: torch.device) -> "BlockStream":
    """Take these tensors of the model's blocks away and bring them to `device` whenever their block is called.

    sources: by their names in the model's state dict; each is taken away, if it is not yet, before the next is asked
    for. Errors of reading come out of the forward pass that needs the block; the next one tries again.
    """
    slots: dict[nn.Module, list[Slot]] = defaultdict(list)
    for key, source in sources:
        path, _, name = key.rpartition(".")
        module = _plain(model.get_submodule(path))
        slots[module].append(Slot(module, name, source))
    return BlockStream(list(model.blocks()), slots, device=device)


def host_sources(model: Network, *, device: torch.device) -> Iterator[tuple[str, Source]]:
    """The matrices of the model's blocks as they are, for `stream_blocks`; pinned where `device` is an accelerator.

    One of them at a time is in memory twice.
    """
    inside = {module for block in model.blocks() for module in block.modules()}
    beside = {part for module in inside if isinstance(module, Adapted) for part in module.deltas.modules()}
    for path, module in [(path, module) for path, module in model.named_modules() if module in inside - beside]:
        for name, tensor in _own_tensors(module).items():
            if is_streamed(tensor):
                waiting = tensor.detach().cpu()
                yield f"{path}.{name}", OnHost(waiting.pin_memory() if device.type == "cuda" else waiting)


def move_present(model: nn.Module, device: torch.device) -> None:
    """Bring to the device what is not away."""
    for tensor in (*model.parameters(), *model.buffers()):
        if not tensor.is_meta:
            tensor.data = tensor.data.to(device)


class BlockStream:
    """The blocks of one network on their way; the network's own hooks call it. Made by `stream_blocks`.

    One forward at a time, and none that records gradients: otherwise the block raises RunFailed. Nothing counts on a
    forward having ended well: an interrupt may have cut it short anywhere.
    """

    def __init__(
        self, blocks: Sequence[nn.Module], slots: Mapping[nn.Module, list[Slot]], *, device: torch.device
    ) -> None:
        self._blocks, self._slots = blocks, slots
        self._carrier: Any = carrier_to(device)
        self._lanes: tuple[Lane, Lane] = (self._carrier.lane(), self._carrier.lane())
        self._spare: Lane = self._carrier.lane()  # of a layer called by itself
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="blocks")
        self._here: Load | None = None
        self._alone: Load | None = None
        self._ahead: _Ahead | None = None
        self._turn = _Turn()
        for index, block in enumerate(blocks):
            block.register_forward_pre_hook(lambda *_, index=index: self._enter(index))
            block.register_forward_hook(lambda *_: self._turn.end(), always_call=True)
        for module in slots:
            module.register_forward_pre_hook(lambda module, _: self._enter_alone(module))

    @property
    def num_bytes(self) -> int:
        """What the lanes take: twice the largest block."""
        blocks = ([slot.source for slot in self._slots_of(index)] for index in range(len(self._blocks)))
        return len(self._lanes) * max(map(room_bytes, blocks), default=0)

    def release(self) -> None:
        """Give the memory of the lanes back; the next forward takes it anew."""
        self._turn.begin()
        self._settle()
        self._leave_alone()
        if self._here is not None:
            self._here.leave()
        self._here = self._ahead = None
        self._carrier.settle()
        for lane in (*self._lanes, self._spare):
            lane.clear()
        self._turn.end()

    def _enter(self, index: int) -> None:
        """Bring the block's tensors to their places, then start to read the next block's into the other lane."""
        self._begin()
        self._leave_alone()
        here, wanted = self._here, self._slots_of(index)
        if here is None or not _has(here, wanted):
            here = self._here = self._arrived(wanted)
        here.bind()
        if self._ahead is None:
            self._ahead = self._start(self._slots_of((index + 1) % len(self._blocks)))

    def _arrived(self, wanted: list[Slot]) -> Load:
        """What is wanted, in the lane that was free; the other is free now. Raises what the thread did."""
        ahead = self._ahead
        if ahead is None or not _has(ahead, wanted):
            self._settle()
            ahead = self._ahead = self._start(wanted)
        self._settle()
        self._ahead = None
        load = ahead.future.result()
        self._carrier.arrive(load.arrival)
        if self._here is not None:
            self._here.leave()
        return load

    def _slots_of(self, index: int) -> list[Slot]:
        """What the block holds now: its layers may have been exchanged since."""
        return [slot for module in self._blocks[index].modules() for slot in self._slots.get(module, ())]

    def _start(self, slots: list[Slot]) -> "_Ahead":
        """Let the thread fill the lane that no block computes from."""
        used = None if self._here is None else self._here.lane
        lane = next(lane for lane in self._lanes if lane is not used)
        return _Ahead(slots, self._reader.submit(self._fill, slots, lane, self._carrier.now()))

    def _fill(self, slots: list[Slot], lane: Lane, after: Any) -> Load:
        """In the thread: the tensors in their lane, once the device's work so far, which may use it, is done."""
        sources = [slot.source for slot in slots]
        places = lane.arranged(sources)
        return Load(slots, places, lane, self._carrier.bring(sources, places, after=after))

    def _settle(self) -> None:
        """Wait for the thread; an interrupt here changes nothing."""
        if self._ahead is not None:
            wait([self._ahead.future])

    def _enter_alone(self, module: nn.Module) -> None:
        """Bring what a layer lacks that is called by itself; it stays until something else is called."""
        slots = [slot for slot in self._slots[module] if slot.is_away]
        if not slots:
            return
        is_new = self._begin()
        self._leave_alone()
        load = self._reader.submit(self._fill, slots, self._spare, self._carrier.now()).result()
        self._carrier.arrive(load.arrival)
        load.bind()
        self._alone = load
        if is_new:  # else a block is at work, which ends it
            self._turn.end()

    def _begin(self) -> bool:
        """As `_Turn.begin`, unless a backward pass would find other weights in the lanes than there were."""
        if torch.is_grad_enabled():
            raise RunFailed(
                "a streamed network: keeps no weights for gradients; use torch.no_grad(), or do not stream."
            )
        return self._turn.begin()

    def _leave_alone(self) -> None:
        if self._alone is not None:
            self._alone.leave()
            self._alone = None


@dataclass(frozen=True, slots=True, eq=False)
class _Ahead:
    """What the thread reads, or has read."""

    slots: list[Slot]
    future: Future[Load]


class _Turn:
    """One thread's at a time. It may begin again without having ended: an interrupt skips what ends it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: threading.Thread | None = None

    def begin(self) -> bool:
        """Whether it was not this thread's already. Raises RunFailed where it is that of another, still alive."""
        own = threading.current_thread()
        with self._lock:
            before = self._owner
            if before not in (None, own) and before.is_alive():
                raise RunFailed("a streamed network: another thread computes with it; let one request end first.")
            self._owner = own
        return before is not own

    def end(self) -> None:
        """Let others, if it is this thread's."""
        with self._lock:
            if self._owner is threading.current_thread():
                self._owner = None


def _has(held: Load | _Ahead, wanted: list[Slot]) -> bool:
    """Whether all that is wanted is there, or on its way."""
    return set(wanted) <= set(held.slots)


def _plain(module: nn.Module) -> nn.Module:
    """The layer itself, where adapters are beside it."""
    return module.base if isinstance(module, Adapted) else module


def _own_tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters(recurse=False)), **dict(module.named_buffers(recurse=False))}
