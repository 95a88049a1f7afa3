"""From the stages' results to a model folder that `muybridge.load` and the catalogue take."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from muybridge.core.errors import invalid
from muybridge.weights.convert import convert
from muybridge.weights.target import Target

SHARD_BYTES = 15 * 2**20  # repositories and mail take files of 16 MiB


def publish(sources: dict[str, Path], text: Path, target: Path, *, about: dict[str, Any]) -> Path:
    """Write transformer/, vae/, text.safetensors and model.json as a new folder `target`, weights in bfloat16.

    sources: the files of "transformer" and "vae". about: name, title, licence, defaults, native_sizes.
    Raises InvalidInput if `target` exists.
    """
    if target.exists():
        raise invalid(str(target), "a published model is not overwritten", "move it away first")
    temporary = target.with_name(f".{target.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for part, source in sources.items():
        convert(source, temporary / part, target=Target(dtype=torch.bfloat16, max_shard_bytes=SHARD_BYTES))
    shutil.copyfile(text, temporary / "text.safetensors")
    (temporary / "model.json").write_text(json.dumps(about, indent=2) + "\n")
    temporary.rename(target)
    return target
