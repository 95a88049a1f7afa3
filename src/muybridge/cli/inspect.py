"""Say what a checkpoint or a LoRA file is, in which layout, how it is stored, and what it needs to run.

Examples:

  muybridge inspect model.safetensors
  muybridge inspect my-lora.safetensors
  muybridge inspect gallop
  muybridge inspect HunyuanVideo-1.5 --part 480p_t2v
  muybridge inspect ckpts/hunyuan-video-t2v-720p --json
  muybridge inspect mp_rank_00_model_states.pt --quick --hash
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from muybridge.cli import rooms
from muybridge.cli.models import PARTS, located
from muybridge.cli.progress import ByteBars, amount
from muybridge.core.config import from_dict
from muybridge.core.shapes import latent_frames
from muybridge.weights.catalog import CatalogueEntry, catalogue

if TYPE_CHECKING:
    from muybridge.acceleration.facts import Model
    from muybridge.pipelines.request import GenerationRequest
    from muybridge.transformer import TransformerConfig
    from muybridge.weights.report import CheckpointReport

_DTYPES = {"float32": 4, "bfloat16": 2, "8 bits": 1}  # bytes a parameter
_TEXT_TOKENS = 256  # released: the longest prompt
_METADATA_CHARACTERS = 100  # of each value; all of it is in --json


def command(
    name: Annotated[
        str, typer.Argument(metavar="PATH", help="A checkpoint or LoRA file, a model folder, or a model's name.")
    ],
    *,
    part: Annotated[
        str | None, typer.Option(help=f"Only one network of a system: {PARTS}, or a folder's name.")
    ] = None,
    key: Annotated[str, typer.Option(help="The entry of a released .pt to read: module or ema.")] = "module",
    quick: Annotated[bool, typer.Option("--quick", help="Do not compare the files with their checksums.")] = False,
    is_hashed: Annotated[bool, typer.Option("--hash", help="Compute every file's SHA-256.")] = False,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Print the reports."""
    path, kind = located(name, part)
    with ByteBars(Console(stderr=True)) as bars:
        reports = rooms.describe_all(
            path, kind=kind, key=key, verify=not quick, on_hash=bars.of_file if is_hashed else None
        )
    if is_json:
        print(json.dumps([report.to_dict() | {"needs": _needs(report)} for report in reports], indent=2, default=str))
        return
    print("\n\n".join(map(_text, reports)))


def _text(report: "CheckpointReport") -> str:
    rows = [(name, value) for name, value in _rows(report) if value]
    width = max(len(name) for name, _ in rows)
    return "\n".join([report.path, *(f"  {name:<{width}}  {value}" for name, value in rows)])


def _rows(report: "CheckpointReport") -> Iterator[tuple[str, str | None]]:
    yield "what", report.what
    yield "kind", report.kind or "unknown"
    yield "layout", report.layout or "unknown"
    dtypes = ", ".join(f"{count:,} {name}" for name, count in report.dtypes.items())
    yield "parameters", f"{report.num_parameters:,} in {report.num_tensors:,} tensors ({dtypes})"
    yield "quantised", ", ".join(f"{count:,} tensors {scheme}" for scheme, count in report.quantisation.items())
    yield "size", f"{amount(report.num_bytes)} in {len(report.files)} file{'s' * (len(report.files) != 1)}"
    yield from _lora_rows(report.lora or {})
    for name, value in (_needs(report) or {}).items():
        yield name, value
    yield "config", _listed(report.config or {})
    for name, value in report.metadata.items():
        yield name, value if len(value) <= _METADATA_CHARACTERS else f"{value[:_METADATA_CHARACTERS]}..."
    yield "sha256 of data", report.sha256
    for file, digest in report.hashes.items():
        yield "sha256", f"{digest}  {Path(file).name}"
    yield "problem", report.problem


def _lora_rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not found:
        return
    yield "modules", f"{found['num_modules']}: {_listed(found['targets'], of=' ')}"
    yield "rank", ", ".join(f"{rank} ({count} modules)" for rank, count in found["ranks"].items())
    yield "scale", ", ".join(f"{scale:g} ({count} modules)" for scale, count in found["scales"].items())
    yield "text encoder", f"{found['num_text_keys']} keys, left aside" if found["num_text_keys"] else ""


def _needs(report: "CheckpointReport") -> dict[str, str] | None:
    """What running it takes, from closed forms; None for what cannot be run by itself."""
    if report.config is None or report.kind == "lora":
        return None
    weights = ", ".join(f"{amount(report.num_parameters * size)} {name}" for name, size in _DTYPES.items())
    needs = {"weights need": weights}
    entry = _known(report)
    if entry is None or report.network != "hunyuanvideo":
        return needs
    request = rooms.GenerationRequest(prompt="any", **{name: entry.defaults[name] for name in ("width", "height")},
                                      num_frames=entry.defaults["frames"])  # fmt: skip
    place = f"at {request.width}x{request.height}, {request.num_frames} frames, bfloat16"
    config = from_dict(rooms.TransformerConfig, report.config)
    run = rooms.RunSettings(dtype="bfloat16", evicts_modulation=True, vae_mode="spill")
    work = rooms.work_bytes(_model(config), request, run)
    needs["work needs"] = f"about {amount(work)} beside the weights {place}; `muybridge plan` says more"
    needs["one step"] = f"{_flops(config, request) / 1e15:.2f} PFLOP {place}"
    needs["text needs"] = "the released text encoders (text_encoder, text_encoder_2), not at the same time"
    return needs


def _known(report: "CheckpointReport") -> CatalogueEntry | None:
    """The first model of the catalogue with as many parameters."""
    return next((entry for entry in catalogue().values() if entry.num_parameters == report.num_parameters), None)


def _model(config: "TransformerConfig") -> "Model":
    """With the released VAE beside it."""
    return rooms.Model(name="", transformer=config, vae=rooms.VAEConfig(), text=rooms.TextFacts(num_parameters=0))


def _flops(config: "TransformerConfig", request: "GenerationRequest") -> int:
    rows, columns = (side // rooms.SIZE_MULTIPLE_PX for side in (request.height, request.width))
    tokens = latent_frames(request.num_frames) * rows * columns
    return rooms.forward_flops(config, num_visual_tokens=tokens, num_text_tokens=_TEXT_TOKENS)


def _listed(values: Mapping[str, Any], *, of: str = "=") -> str:
    return ", ".join(f"{name}{of}{value}" for name, value in values.items())
