"""Blocks compiled by torch, once for all sizes, prompts and adapters.

What is compiled are the two halves of a block that go token by token (`make_heads`, `finish`): they depend on the
number of tokens alone, which stays open. Attention between them is a kernel already, whichever it is, and modulation is
a row for each frame, from its layer or from a table. So one graph serves every block of a kind and stream: six for the
network, and as many again for the first batch, the first held frames and the first LoRA. Another size, prompt,
attention or strength, and a LoRA beside the same layers, compile nothing; one of another rank compiles once more.
Layers that are quantised or streamed break the graphs: the result is right, but sizes compile anew.
"""

import importlib.util
import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from muybridge.acceleration.network import HasBlocks
from muybridge.core.errors import RunFailed, invalid
from muybridge.transformer.blocks import SingleBlock

HALVES = ("make_heads", "finish")
MAX_GRAPHS = 64  # of one half: streams x (clip, batch) x (held or not) x adapters; torch gives up after 8

Backend = str | Callable[..., Any]


def compile_blocks(network: HasBlocks, *, backend: Backend = "inductor") -> None:
    """Compile the halves of the network's blocks when they are first called without recording gradients.

    To be called after whatever swaps their layers (adapters may also come later). Results differ from the uncompiled by
    rounding. backend: torch.compile's. Raises InvalidInput where this machine cannot compile.
    """
    blocks = list(network.blocks())
    if backend == "inductor":
        _check_compiler(next(weight.device for weight in blocks[0].parameters() if not weight.is_meta))
    for block in blocks:
        for name in HALVES:
            half = getattr(block, name)
            setattr(block, name, half if isinstance(half, CompiledHalf) else CompiledHalf(half, backend=backend))
        if isinstance(block, SingleBlock):
            block.always_halves = True


class CompiledHalf:
    """A method of a block, compiled for every number of tokens; plain where gradients are recorded."""

    def __init__(self, half: Callable[..., Any], *, backend: Backend) -> None:
        self._plain = half
        self._compiled: Callable[..., Any] = torch.compile(  # type: ignore[call-overload]
            half, dynamic=True, backend=backend, recompile_limit=MAX_GRAPHS
        )

    def __call__(self, *given: Any) -> Any:
        """What the method gives. Raises RunFailed, in one line, where the compiler does not finish."""
        if torch.is_grad_enabled():
            return self._plain(*given)
        try:
            return self._compiled(*map(_plain_layout, given))
        except torch._dynamo.exc.BackendCompilerFailed as error:  # type: ignore[attr-defined]
            cause = str(error.inner_exception).strip().splitlines() or [type(error.inner_exception).__name__]
            raise RunFailed(f"compile: {cause[0]}; run without it, or mend the compiler.") from error


def _plain_layout(given: Any) -> Any:
    """A tensor as the compiler likes it: complex ones as their parts, which have code, and of the strides of its shape.

    Pieces of a sequence have others, which would be a graph of their own; of a single sample nothing is copied.
    """
    if not isinstance(given, Tensor):
        return given
    parts = torch.view_as_real(given) if given.is_complex() else given
    return parts.contiguous().flatten().view(parts.shape)


def _check_compiler(device: torch.device) -> None:
    """Raises InvalidInput where the compiler that inductor calls for this device is not there."""
    if device.type == "cuda":
        if importlib.util.find_spec("triton") is None:
            raise invalid("compile", "needs the package triton on CUDA", "pip install triton, or leave it out")
        return
    names = [name for name in torch._inductor.config.cpp.cxx if name]  # type: ignore[attr-defined]
    if not any(map(shutil.which, names)):
        raise invalid("compile", f"needs a C++ compiler ({' or '.join(names)})", "install one, or leave it out")
