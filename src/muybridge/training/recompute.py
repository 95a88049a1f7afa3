"""Recompute activations in the backward pass instead of keeping them, applied from outside. arXiv 1604.06174."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

from muybridge.core.errors import invalid
from muybridge.training.config import Recompute

_ATEN = torch.ops.aten
DEAR = frozenset(  # kept by "selective": matrix products, convolutions and attention, where the time goes
    packet.default
    for packet in (
        _ATEN.mm, _ATEN.addmm, _ATEN.bmm, _ATEN.baddbmm, _ATEN.convolution,
        _ATEN._scaled_dot_product_flash_attention, _ATEN._scaled_dot_product_flash_attention_for_cpu,
        _ATEN._scaled_dot_product_efficient_attention, _ATEN._scaled_dot_product_cudnn_attention,
    )
)  # fmt: skip


def apply_recompute(model: nn.Module, mode: Recompute) -> None:
    """Make the blocks of `model` keep less for the backward pass; results and gradients stay the same.

    "full" keeps a block's input alone, for a third more time; "selective" keeps the results of its matrix products and
    attention too and recomputes what is cheap. `model.blocks()` says what the blocks are; the names in its state dict
    stay. Raises InvalidInput for a model without blocks.
    """
    if mode == "none":
        return
    blocks = getattr(model, "blocks", None)
    if blocks is None:
        raise invalid(f"recompute={mode}", f"{type(model).__name__} names no blocks", "use recompute=none")
    chosen = {id(block) for block in _listed(blocks())}
    for name in [name for name, module in model.named_modules() if id(module) in chosen]:
        model.set_submodule(name, _wrapped(model.get_submodule(name), mode))


def _listed(blocks: Iterable[nn.Module]) -> list[nn.Module]:
    return list(blocks)


def _wrapped(block: nn.Module, mode: Recompute) -> nn.Module:
    options: dict[str, Any] = {"preserve_rng_state": False}  # nothing random happens inside a network (DESIGN law 4)
    if mode == "selective":
        options["context_fn"] = partial(create_selective_checkpoint_contexts, _policy)
    return checkpoint_wrapper(block, **options)


def _policy(context: Any, operation: Any, *inputs: Any, **options: Any) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if operation in DEAR else CheckpointPolicy.PREFER_RECOMPUTE
