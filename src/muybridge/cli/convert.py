"""Write a checkpoint in another layout or precision, every tensor accounted for, one in memory at a time.

Examples:

  muybridge convert mp_rank_00_model_states.pt transformer.safetensors
  muybridge convert HunyuanVideo/transformer converted/ --layout official --dtype bfloat16
  muybridge convert transformer.safetensors for-diffusers/ --layout diffusers
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer

from muybridge.weights.convert import convert


class LayoutName(StrEnum):
    """The layouts that can be written."""

    official = "official"
    diffusers = "diffusers"


class DtypeName(StrEnum):
    """The precisions that can be written."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class Part(StrEnum):
    """The networks of a model folder."""

    transformer = "transformer"
    vae = "vae"


def command(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A checkpoint file or folder.")],
    destination: Annotated[Path, typer.Argument(metavar="DESTINATION", help="A new folder, or a .safetensors file.")],
    *,
    layout: Annotated[LayoutName, typer.Option(help="The names of the tensors.")] = LayoutName.official,
    dtype: Annotated[DtypeName | None, typer.Option(help="Left out, every tensor keeps its own.")] = None,
    part: Annotated[Part | None, typer.Option(help="Which network, where the folder holds several.")] = None,
    key: Annotated[str, typer.Option(help="The entry of a released .pt to read: module or ema.")] = "module",
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Convert and say what was written."""
    done = convert(
        source,
        destination,
        layout=layout.value,
        dtype=None if dtype is None else getattr(torch, dtype.value),
        component=None if part is None else part.value,
        key=key,
    )
    if is_json:
        print(json.dumps(done.to_dict(), indent=2))
        return
    print(f"{done.kind}: {done.num_parameters:,} parameters, {done.source_layout} to {done.layout}")
    print("\n".join(map(str, done.files)))
