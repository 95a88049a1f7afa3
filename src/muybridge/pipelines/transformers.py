"""A transformer from its checkpoint as `RunSettings` say: resident, quantised, packed as its file has it, or streamed.

Whatever the way, no weight is in memory twice, but for the one at hand.
"""

from pathlib import Path

import torch
from torch import nn

from muybridge.acceleration.modulation import moved_without_modulation
from muybridge.acceleration.network import WithBlocks
from muybridge.acceleration.plan import check_quantised
from muybridge.acceleration.quantise import keep_packed, quantise, settle
from muybridge.acceleration.settings import RunSettings
from muybridge.acceleration.stream import BlockStream, host_sources, move_present, stream_blocks, streamed
from muybridge.transformer import Transformer
from muybridge.weights.load import open_transformer
from muybridge.weights.stored import StoredTensor

Tensors = dict[str, StoredTensor]


def transformer_from(
    path: Path, *, dtype: torch.dtype | None, device: torch.device, run: RunSettings
) -> tuple[Transformer, BlockStream | None]:
    """The transformer in a file or folder, computing on `device`; and where its blocks are streamed, the stream.

    Blocks that wait on the disk are read as their file has them: quantised ones stay so, as all that is streamed does.
    Raises WeightsError, and InvalidInput where the run wants them quantised on their way from the disk.
    """
    check_quantised(run)
    model, entries = open_transformer(path, dtype=dtype)
    tensors = _packed(model, entries) if run.is_streamed else entries
    if run.quantise is not None:
        tensors = _quantised(model, tensors, run.quantise)
    away = streamed(model, tensors) if run.weights == "disk" else {}
    here = {name: tensor for name, tensor in tensors.items() if name not in away}
    _assign(model, here, is_mapped=run.weights != "disk")
    if not _waits(run, device):
        return _in_place(model, device, run), None
    stream = stream_blocks(model, away.items() or host_sources(model, device=device), device=device)
    move_present(model, device)
    return model, stream


def _in_place(model: Transformer, device: torch.device, run: RunSettings) -> Transformer:
    """All of it where it computes, but for modulation that is put away for a run."""
    moved = moved_without_modulation(model, device) if run.evicts_modulation else model.to(device)
    settle(moved)
    return moved


def _waits(run: RunSettings, device: torch.device) -> bool:
    """Whether blocks are elsewhere than where they compute; the host's memory is where a processor computes."""
    return run.weights == "disk" or (run.weights == "host" and device.type != "cpu")


def _packed(model: Transformer, entries: Tensors) -> Tensors:
    """What to read into the model once its blocks keep quantised weights as the file has them."""
    packed = {name: entry.packed for name, entry in streamed(model, entries).items() if entry.packed is not None}
    left = {name: entry for name, entry in entries.items() if name not in packed}
    keep_packed(model, packed)
    for name, weight in packed.items():
        layer = name.rpartition(".")[0]
        left |= {f"{layer}.{role}": part for role, part in weight.parts.items()}
    return left


def _quantised(model: Transformer, tensors: Tensors, scheme: str) -> Tensors:
    """What is left to read once the blocks have been read and quantised, one after the other."""
    left = dict(tensors)
    for path, block in [(path, module) for path, module in model.named_modules() if module in set(model.blocks())]:
        own = {name: left.pop(name) for name in tensors if name.startswith(f"{path}.")}
        _assign(model, own)
        quantise(WithBlocks(block, [block]), scheme)
    return left


def _assign(model: nn.Module, tensors: Tensors, *, is_mapped: bool = True) -> None:
    """Read them into the model; mapped where that is possible, unless its file is to be read by position anyway."""
    state = {name: tensor.read() if is_mapped else tensor.loaded() for name, tensor in tensors.items()}
    model.load_state_dict(state, strict=False, assign=True)
