"""Models from checkpoints of any known layout, without a second copy in memory."""

import logging
from collections import Counter
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from muybridge.core.errors import WeightsError
from muybridge.transformer import Transformer, TransformerConfig
from muybridge.vae import VAEConfig, VideoVAE
from muybridge.weights.files import Component, open_checkpoint
from muybridge.weights.layouts import Entries
from muybridge.weights.recognise import Config, recognise
from muybridge.weights.stored import StoredTensor, cast

M = TypeVar("M", bound=nn.Module)
_LOG = logging.getLogger(__name__)


def load_transformer(
    path: str | Path,
    *,
    dtype: torch.dtype | None = None,
    config: TransformerConfig | None = None,
    key: str = "module",
    verify: bool = True,
) -> Transformer:
    """The transformer in a file or folder, on the CPU, in eval mode, its parameters frozen.

    Parameters stay memory-mapped where layout and dtype allow (a private mapping: writing to one touches no file),
    others are read and converted one at a time. dtype: None keeps the stored one, where mixed the commonest.
    config: for files that do not tell theirs. key: `module` or `ema` of a released `.pt`.
    verify: compare with the checksums that the file carries. Raises WeightsError.
    """
    model = load_model(path, kind="transformer", dtype=dtype, config=config, key=key, verify=verify)
    return _checked(Transformer, model, path)


def load_vae(
    path: str | Path, *, dtype: torch.dtype | None = None, config: VAEConfig | None = None, verify: bool = True
) -> VideoVAE:
    """The VAE in a file or folder, on the CPU, in eval mode, its parameters frozen; otherwise as `load_transformer`."""
    return _checked(VideoVAE, load_model(path, kind="vae", dtype=dtype, config=config, verify=verify), path)


def load_model(
    path: str | Path,
    *,
    kind: Component,
    dtype: torch.dtype | None = None,
    config: Config | None = None,
    key: str = "module",
    verify: bool = True,
) -> nn.Module:
    """Whichever network of this kind is in a file or folder, also HunyuanVideo-1.5's VAE; as `load_transformer`."""
    model, entries = open_model(path, kind=kind, dtype=dtype, config=config, key=key, verify=verify)
    state = {name: entry.read() for name, entry in entries.items()}
    model.load_state_dict(state, strict=True, assign=True)
    return model


def open_transformer(
    path: str | Path, *, dtype: torch.dtype | None = None, verify: bool = True
) -> tuple[Transformer, dict[str, StoredTensor]]:
    """As `open_model`, for what brings a transformer's weights to it otherwise than all at once."""
    model, entries = open_model(path, kind="transformer", dtype=dtype, verify=verify)
    return _checked(Transformer, model, path), entries


def open_model(
    path: str | Path,
    *,
    kind: Component,
    dtype: torch.dtype | None = None,
    config: Config | None = None,
    key: str = "module",
    verify: bool = True,
) -> tuple[nn.Module, dict[str, StoredTensor]]:
    """The network on the meta device, and what to read into it by the names of its state dict; as `load_transformer`.

    Nothing is read yet. The network is in eval mode, its parameters frozen; assigning to them keeps that.
    """
    checkpoint = open_checkpoint(path, component=kind, key=key, verify=verify)
    found = recognise(checkpoint, kind=kind, config=config)
    dtype = dtype or _commonest_dtype(found.entries, checkpoint.path)
    entries = {name: cast(entry, dtype) for name, entry in found.entries.items()}
    return found.network.on_meta(found.config).requires_grad_(False).eval(), entries


def _checked(cls: type[M], model: nn.Module, path: str | Path) -> M:
    if isinstance(model, cls):
        return model
    rule = f"holds a {type(model).__name__}, where a {cls.__name__} is needed"
    raise WeightsError(f"{path}: {rule}; give another file, or open it with load_model.")


def _commonest_dtype(entries: Entries, path: Path) -> torch.dtype:
    counts: Counter[torch.dtype] = Counter()
    for entry in entries.values():
        counts[entry.dtype] += entry.num_elements
    dtype = counts.most_common(1)[0][0]
    if len(counts) > 1:
        _LOG.info("path=%s mixed_dtypes=%s loaded_as=%s", path, sorted(map(str, counts)), dtype)
    return dtype
