"""Say what a checkpoint holds: kind, layout, size, precision and config of every model in a file or folder.

Examples:

  muybridge inspect model.safetensors
  muybridge inspect ckpts/hunyuan-video-t2v-720p --json
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from muybridge.weights.report import CheckpointReport, describe_all


def command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A checkpoint file, or a model folder.")],
    *,
    key: Annotated[str, typer.Option(help="The entry of a released .pt to read: module or ema.")] = "module",
    quick: Annotated[bool, typer.Option("--quick", help="Do not compare the files with their checksums.")] = False,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Print the reports."""
    reports = describe_all(path, key=key, verify=not quick)
    if is_json:
        print(json.dumps([report.to_dict() for report in reports], indent=2, default=str))
        return
    print("\n\n".join(map(_text, reports)))


def _text(report: CheckpointReport) -> str:
    dtypes = ", ".join(f"{count:,} {name}" for name, count in report.dtypes.items())
    rows = {
        "kind": report.kind or "unknown",
        "layout": report.layout or "unknown",
        "parameters": f"{report.num_parameters:,} in {report.num_tensors:,} tensors ({dtypes})",
        "size": f"{report.num_bytes / 2**20:,.1f} MiB in {len(report.files)} file{'s' * (len(report.files) != 1)}",
        "sha256": report.sha256,
        "config": ", ".join(f"{name}={value}" for name, value in (report.config or {}).items()) or None,
        "problem": report.problem,
    }
    lines = [f"  {name:<11} {value}" for name, value in rows.items() if value]
    return "\n".join([report.path, *lines])
