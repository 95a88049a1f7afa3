"""What a checkpoint is: kind, layout, config, and its entries checked against the model it claims to be."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from muybridge.core.errors import WeightsError
from muybridge.transformer import Transformer, TransformerConfig
from muybridge.vae import VAEConfig, VideoVAE
from muybridge.weights.accounting import check_entries, expected_entries
from muybridge.weights.configs import own_config, transformer_config, vae_config
from muybridge.weights.files import Checkpoint
from muybridge.weights.layouts import Entries, Kind, Layout, detect, stripped, to_diffusers, to_official

Config = TransformerConfig | VAEConfig
_DIFFUSERS_VAE = "AutoencoderKLHunyuanVideo"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recognised:
    """A checkpoint whose every key is known; `entries` are in its own layout, `official()` in ours."""

    path: Path
    kind: Kind
    layout: Layout
    config: Config
    entries: Entries

    def official(self) -> Entries:
        """Entries under the official names."""
        return to_official(self.entries) if self._is_translated() else self.entries

    def diffusers(self) -> Entries:
        """Entries under diffusers' names."""
        if isinstance(self.config, VAEConfig) or self._is_translated():
            return self.entries
        return to_diffusers(self.entries, hidden_size=self.config.hidden_size)

    def _is_translated(self) -> bool:
        return self.kind == "transformer" and self.layout == "diffusers"


def recognise(checkpoint: Checkpoint, *, config: Config | None = None) -> Recognised:
    """Kind, layout and config of a checkpoint, every key, shape and dtype checked.

    config: used instead of what the file says. Raises WeightsError with file, key and nearest match.
    """
    path, entries = checkpoint.path, stripped(checkpoint.entries)
    kind, layout = identify(checkpoint, entries)
    config = config or own_config(checkpoint.metadata, kind, path)
    if kind == "transformer":
        config = config or transformer_config(entries, layout, beside=checkpoint.config, path=path)
    else:
        config = config or vae_config(entries, beside=checkpoint.config, path=path)
    if isinstance(config, VAEConfig) is not (kind == "vae"):
        raise WeightsError(
            f"{path}: holds a {kind}, which {type(config).__name__} does not describe; give its own config."
        )
    expected = expected_entries(build(config), path)
    if isinstance(config, TransformerConfig) and layout == "diffusers":
        expected = to_diffusers(expected, hidden_size=config.hidden_size)
    check_entries(entries, expected, path)
    return Recognised(path=path, kind=kind, layout=layout, config=config, entries=entries)


def identify(checkpoint: Checkpoint, entries: Entries) -> tuple[Kind, Layout]:
    """Kind and layout by keys, without checking them. Raises WeightsError where they are of no known model."""
    if not entries:
        raise WeightsError(f"{checkpoint.path}: holds no tensors; give a transformer or a VAE.")
    found = detect(entries)
    if found is None:
        first = next(iter(entries))
        raise WeightsError(
            f"{checkpoint.path}: keys such as {first!r} are of no known model; give a transformer or a VAE."
        )
    kind, layout = found
    if kind == "vae" and (checkpoint.config or {}).get("_class_name") == _DIFFUSERS_VAE:
        layout = "diffusers"
    return kind, layout


def build(config: Config) -> nn.Module:
    """The module of a config on the meta device: shapes without memory."""
    with torch.device("meta"):
        return VideoVAE(config) if isinstance(config, VAEConfig) else Transformer(config)
