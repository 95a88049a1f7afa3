"""Write a checkpoint in another layout or precision, every tensor accounted for, two in memory at a time.

What was written is read back and compared. Until all of it is there, it stands in DESTINATION.partial, and the same
command continues after an interruption.

Examples:

  muybridge convert mp_rank_00_model_states.pt transformer.safetensors
  muybridge convert HunyuanVideo/transformer converted/ --layout official --dtype bfloat16
  muybridge convert transformer.safetensors for-diffusers/ --layout diffusers --max-shard 2GB
  muybridge convert transformer.safetensors for-diffusers/ --layout diffusers --dry-run
  muybridge convert comfyui-all-in-one.safetensors vae.safetensors --part vae
  muybridge convert transformer.safetensors small.safetensors --quantise fp8-scaled --layout comfy
  muybridge convert transformer.safetensors small.safetensors --quantise int8
  muybridge convert transformer.safetensors small.gguf --quantise q4_0
  muybridge convert HunyuanVideo-1.5 t2v.safetensors --part 480p_t2v
  muybridge convert gallop transformer.safetensors --part transformer
  muybridge convert small.gguf plain.safetensors --dtype float32
  muybridge convert my-lora.safetensors for-comfyui.safetensors --layout comfy

--quantise rounds the linear layers of the blocks, nine tenths of a transformer; all else keeps its precision. What was
lost is measured and said. Which to take: fp8-scaled for ComfyUI, int8 for the least loss in half the bytes (both are
nearly invisible), q5_1 or q4_0 for programs that read GGUF, nf4 for diffusers with bitsandbytes. fp8, int8 and nf4 go
into .safetensors, q8_0 to f32 into .gguf. k-quants (q4_k and others) are read, not written.

A LoRA of any format is written as diffusers, kohya (musubi-tuner), comfy (diffusion-pipe too) or i2v (Tencent's).
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from typing import cast as typed

import typer
from rich.console import Console

from muybridge.cli import rooms
from muybridge.cli.models import PARTS, located
from muybridge.cli.outputs import check_writable
from muybridge.cli.progress import ByteBars, amount
from muybridge.core.errors import invalid
from muybridge.weights.names import LAYOUTS, MAX_SHARD_BYTES, PRECISION_NAMES, Layout

if TYPE_CHECKING:
    import torch

    from muybridge.weights.convert import Conversion
    from muybridge.weights.lora import LoraLayout, LoraReport


class DtypeName(StrEnum):
    """The precisions that can be written."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


def command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A checkpoint file or folder, or a model's name.")],
    destination: Annotated[
        Path, typer.Argument(metavar="DESTINATION", help="A new folder, or a .safetensors or .gguf file.")
    ],
    *,
    layout: Annotated[
        str, typer.Option(metavar="NAME", help=f"How the tensors are named: {', '.join(LAYOUTS)}.")
    ] = "official",
    dtype: Annotated[DtypeName | None, typer.Option(help="Left out, every tensor keeps its own.")] = None,
    quantise: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"How to store the blocks' linear layers: {', '.join(PRECISION_NAMES)}."),
    ] = None,
    part: Annotated[
        str | None, typer.Option(help=f"Which network of a whole system: {PARTS}, or a folder's name.")
    ] = None,
    key: Annotated[str, typer.Option(help="The entry of a released .pt to read: module or ema.")] = "module",
    max_shard: Annotated[
        str, typer.Option(metavar="AMOUNT", help="The largest file of a folder, such as 2GB.")
    ] = f"{MAX_SHARD_BYTES >> 30}GiB",
    ignores_lora_text: Annotated[
        bool, typer.Option("--ignore-lora-text", help="Convert a LoRA without its changes of a text encoder.")
    ] = False,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written; write nothing.")] = False,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Convert and say what was written."""
    check_writable(destination.parent / f"{destination.name}.partial")
    written = None if dtype is None else rooms.DTYPES[dtype]
    place, kind = located(source, part)
    if rooms.is_lora_file(place):
        if quantise is not None:
            raise invalid(f"--quantise {quantise}", "a LoRA is not quantised", "leave it out, or use --dtype")
        report = _converted_lora(
            place, destination, layout=layout, dtype=written, ignores_text=ignores_lora_text, is_dry_run=is_dry_run
        )
        print(json.dumps(report.to_dict(), indent=2) if is_json else _lora_text(report, destination, is_dry_run))
        return
    target = rooms.Target(
        layout=typed(Layout, layout),
        dtype=written,
        quantise=quantise,
        max_shard_bytes=rooms.parse_bytes(max_shard, name="max-shard"),
    )
    with ByteBars(Console(stderr=True)) as bars:
        done = rooms.convert(
            place,
            destination,
            target=target,
            kind=kind,
            key=key,
            is_dry_run=is_dry_run,
            on_progress=bars.show,
        )
    print(json.dumps(done.to_dict(), indent=2) if is_json else _text(done))


def _converted_lora(
    source: Path, destination: Path, *, layout: str, dtype: "torch.dtype | None", ignores_text: bool, is_dry_run: bool
) -> "LoraReport":
    """What was written; of a dry run, what was read."""
    rooms.convert_lora(
        source,
        destination,
        layout=typed("LoraLayout", layout),
        dtype=dtype,
        text_encoder="ignore" if ignores_text else "refuse",
        is_dry_run=is_dry_run,
    )
    return rooms.describe(source if is_dry_run else destination)


def _lora_text(report: "LoraReport", destination: Path, is_dry_run: bool) -> str:
    size = f"{report.num_parameters:,} parameters in {report.num_modules} modules"
    return f"lora: {size}, {report.format}\n{'would write' if is_dry_run else 'wrote'} {destination}"


def _text(done: "Conversion") -> str:
    verb = "would write" if done.is_dry_run else "wrote"
    kept = f", {amount(done.kept_bytes)} of it by an earlier run" if done.kept_bytes else ""
    return "\n".join(
        [
            f"{done.kind}: {done.num_parameters:,} parameters, {done.source_layout} to {done.layout}",
            f"{verb} {amount(done.num_bytes)} in {done.num_tensors:,} tensors{kept}",
            *(f"lost: {each}" for each in done.lost),
            *map(str, done.files),
        ]
    )
