"""How much memory a piece of code takes, counted operation by operation; also of tensors that exist only as shapes."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Allocations(TorchDispatchMode):
    """Counts the bytes that operations inside the `with` allocate and have not given back: `live_bytes`, `peak_bytes`.

    What was there before is not counted, nor what a kernel takes and gives back while it runs. With
    `FakeTensorMode` outside of it nothing is computed and nothing is allocated.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live_bytes = 0
        self.peak_bytes = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Callable[..., Any], types: Any, *call: Any) -> Any:
        """The operation's result, its memory counted; `call` is what it is given by position and by name."""
        by_position, by_name = call[0] if call else (), (call[1] if len(call) > 1 else None) or {}
        for tensor in _tensors((by_position, by_name)):
            self._see(tensor, is_new=False)
        result = func(*by_position, **by_name)
        for tensor in _tensors(result):
            self._see(tensor, is_new=True)
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        return result

    def _see(self, tensor: Tensor, *, is_new: bool) -> None:
        storage = tensor.untyped_storage()
        identity = storage._cdata
        if identity in self._known:
            return
        self._known.add(identity)
        num_bytes = storage.nbytes() if is_new else 0
        self.live_bytes += num_bytes
        weakref.finalize(storage, self._forget, identity, num_bytes)

    def _forget(self, identity: int, num_bytes: int) -> None:
        self._known.discard(identity)
        self.live_bytes -= num_bytes


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]
