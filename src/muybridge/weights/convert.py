"""One layout into another, lossless both ways, one tensor in memory at a time."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from muybridge.core.errors import InvalidInput, invalid
from muybridge.transformer import TransformerConfig
from muybridge.vae import VAEConfig
from muybridge.weights.files import Component, open_checkpoint
from muybridge.weights.layouts import Entries, Kind, Layout
from muybridge.weights.recognise import Config, recognise
from muybridge.weights.save import own_metadata, write_safetensors
from muybridge.weights.stored import cast

MAX_SHARD_BYTES = 5 * 2**30  # what diffusers and the hub use
_STEMS: dict[Layout, str] = {"official": "model", "diffusers": "diffusion_pytorch_model"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """What was written."""

    source: Path
    destination: Path
    kind: Kind
    source_layout: Layout
    layout: Layout
    num_tensors: int
    num_parameters: int
    files: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        plain = asdict(self)
        return plain | {
            "source": str(self.source),
            "destination": str(self.destination),
            "files": list(map(str, self.files)),
        }


def convert(
    source: str | Path,
    destination: str | Path,
    *,
    layout: Layout,
    dtype: torch.dtype | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    component: Component | None = None,
    key: str = "module",
) -> Conversion:
    """Write the model at `source` to `destination` in a layout, every key accounted for.

    destination: a name ending in .safetensors gives that one file (official layout only); anything else a new folder,
    in shards of at most `max_shard_bytes` with an index, for diffusers with its config.json. An error leaves nothing.
    dtype: None keeps every tensor's own, bit for bit. component, key: as `open_checkpoint`.
    Raises WeightsError on a bad source, InvalidInput on a destination that is taken or a model the layout cannot hold.
    """
    source, destination = Path(source).expanduser(), Path(destination).expanduser()
    _check_request(destination, layout, max_shard_bytes)
    checkpoint = open_checkpoint(source, component=component, key=key, verify=True)
    found = recognise(checkpoint)
    config_json = diffusers_config(found.config, checkpoint.config) if layout == "diffusers" else None
    entries = found.diffusers() if layout == "diffusers" else found.official()
    if dtype is not None:
        entries = {name: cast(entry, dtype) for name, entry in entries.items()}
    metadata = own_metadata(found.config)
    if destination.suffix == ".safetensors":
        write_safetensors(destination, entries, metadata=metadata)
        files = (destination,)
    else:
        with _new_folder(destination) as folder:
            names = _write_folder(folder, entries, _STEMS[layout], metadata=metadata, max_shard_bytes=max_shard_bytes)
            if config_json is not None:
                (folder / "config.json").write_text(json.dumps(config_json, indent=2) + "\n")
                names.append("config.json")
        files = tuple(destination / name for name in names)
    return Conversion(
        source=source,
        destination=destination,
        kind=found.kind,
        source_layout=found.layout,
        layout=layout,
        num_tensors=len(entries),
        num_parameters=sum(entry.num_elements for entry in entries.values()),
        files=files,
    )


def diffusers_config(config: Config, source_config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The config.json that diffusers reads for a model of ours.

    source_config: a diffusers config.json that this model came with; what it says beyond our config is kept.
    Raises InvalidInput where diffusers' class cannot express the model.
    """
    if isinstance(config, VAEConfig):
        return _diffusers_vae(config)
    t, h, w = config.patch_size
    if h != w:
        raise invalid(f"patch_size={config.patch_size}", "diffusers has square patches only", "use layout official")
    conditioned = {33: "latent_concat"}.get(config.in_channels)
    return {
        "_class_name": "HunyuanVideoTransformer3DModel",
        **_transformer_fields(config),
        "patch_size": h,
        "patch_size_t": t,
        "qk_norm": "rms_norm",
        "image_condition_type": (source_config or {}).get("image_condition_type", conditioned),
    }


def _transformer_fields(config: TransformerConfig) -> dict[str, Any]:
    return {
        "in_channels": config.in_channels,
        "out_channels": config.out_channels,
        "num_attention_heads": config.num_heads,
        "attention_head_dim": config.head_dim,
        "num_layers": config.num_double_blocks,
        "num_single_layers": config.num_single_blocks,
        "num_refiner_layers": config.num_refiner_blocks,
        "mlp_ratio": config.mlp_ratio,
        "guidance_embeds": config.has_guidance,
        "text_embed_dim": config.text_dim,
        "pooled_projection_dim": config.pooled_dim,
        "rope_theta": config.rope_theta,
        "rope_axes_dim": list(config.rope_axes_dim),
    }


def _diffusers_vae(config: VAEConfig) -> dict[str, Any]:
    num_blocks = len(config.block_channels)
    is_plain = config.stem_patch == (1, 1, 1) and not config.has_linear_path and not config.has_own_decoder
    if config.norm != "clip" or not is_plain or num_blocks != 4:
        rule = "diffusers has norm clip, no stem, no linear path, a mirrored decoder and four blocks only"
        raise invalid(f"VAE with norm={config.norm}, stem_patch={config.stem_patch}", rule, "use layout official")
    return {
        "_class_name": "AutoencoderKLHunyuanVideo",
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": config.latent_channels,
        "block_out_channels": list(config.block_channels),
        "layers_per_block": config.layers_per_block,
        "down_block_types": ["HunyuanVideoDownBlock3D"] * num_blocks,
        "up_block_types": ["HunyuanVideoUpBlock3D"] * num_blocks,
        "act_fn": "silu",
        "norm_num_groups": config.norm_groups,
        "scaling_factor": config.scaling_factor,
        "spatial_compression_ratio": 8,
        "temporal_compression_ratio": 4,
        "mid_block_add_attention": config.has_mid_attention,
    }


def _check_request(destination: Path, layout: str, max_shard_bytes: int) -> None:
    if layout not in _STEMS:
        raise invalid(f"layout={layout!r}", f"known are {', '.join(_STEMS)}", "choose one")
    if max_shard_bytes < 1:
        raise invalid(f"max_shard_bytes={max_shard_bytes}", "must be positive", f"use {MAX_SHARD_BYTES}")
    if destination.suffix == ".safetensors":
        if layout != "official":
            raise invalid(f"{destination}", "the diffusers layout is a folder", "name a new folder")
    elif destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise invalid(f"{destination}", "is there already", "name a new folder, or remove it first")


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` if the block succeeds and vanishes if not."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written ({error.strerror}); choose a folder you may write to.") from None
    try:
        yield temporary
        temporary.chmod(0o755)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_folder(
    folder: Path, entries: Entries, stem: str, *, metadata: Mapping[str, str], max_shard_bytes: int
) -> list[str]:
    """Names of the files written."""
    shards = _shards(entries, max_shard_bytes)
    if len(shards) == 1:
        write_safetensors(folder / f"{stem}.safetensors", entries, metadata=metadata)
        return [f"{stem}.safetensors"]
    weight_map: dict[str, str] = {}
    for number, keys in enumerate(shards, start=1):
        name = f"{stem}-{number:05d}-of-{len(shards):05d}.safetensors"
        write_safetensors(folder / name, {key: entries[key] for key in keys}, metadata=metadata)
        weight_map |= dict.fromkeys(keys, name)
    total = sum(entry.num_bytes for entry in entries.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    name = f"{stem}.safetensors.index.json"
    (folder / name).write_text(json.dumps(index, indent=2) + "\n")
    return [*sorted(set(weight_map.values())), name]


def _shards(entries: Entries, max_shard_bytes: int) -> list[list[str]]:
    """Keys in order, filled up to the limit; a tensor over the limit stands alone."""
    shards: list[list[str]] = [[]]
    room = max_shard_bytes
    for key, entry in entries.items():
        if shards[-1] and entry.num_bytes > room:
            shards.append([])
            room = max_shard_bytes
        shards[-1].append(key)
        room -= entry.num_bytes
    return shards
