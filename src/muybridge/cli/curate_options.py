"""The options of `curate`, each with its help, by the groups in which the help lists them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from muybridge.recipes.curation.names import EXTRA_SUMMARIES, STAGE_SUMMARIES

_EXTRAS = "; ".join(f"{name}: {said}" for name, said in EXTRA_SUMMARIES.items())


class ExecutorName(StrEnum):
    """What runs the stages."""

    local = "local"
    ray = "ray"


Sources = Annotated[
    list[str] | None, typer.Argument(metavar="SOURCES", help="Footage; or OUT itself for what works on results.")
]
Out = Annotated[Path | None, typer.Option(metavar="OUT", help="Where results go.")]
Size = Annotated[
    str, typer.Option(metavar="PX", help="Short side of the clips, never enlarged.", rich_help_panel="Clips")
]
MaxClip = Annotated[float, typer.Option(metavar="S", help="Longest clip, in seconds.", rich_help_panel="Clips")]
Even = Annotated[
    float | None, typer.Option(metavar="S", help="Cut every S seconds, not at shots.", rich_help_panel="Clips")
]
Stages = Annotated[
    str | None,
    typer.Option(metavar="NAMES", help=f"Only these, of {', '.join(STAGE_SUMMARIES)}.", rich_help_panel="Stages"),
]
Without = Annotated[str, typer.Option(metavar="NAMES", help="All but these.", rich_help_panel="Stages")]
Extras = Annotated[
    str,
    typer.Option(
        "--with",
        metavar="NAMES",
        help=f"More: {_EXTRAS}. ocr is taken unless `none` is named.",
        rich_help_panel="Stages",
    ),
]
Dover = Annotated[
    Path | None,
    typer.Option(metavar="ONNX", help="DOVER, or what else judges films, in a file.", rich_help_panel="Stages"),
]
WhichCaptioner = Annotated[
    str | None,
    typer.Option(
        metavar="WHICH",
        help="tags, small (clips of our worlds), none, a model's folder, or http://... Default: tags.",
        rich_help_panel="Stages",
    ),
]
CaptionModel = Annotated[
    str | None, typer.Option(metavar="NAME", help="Model of the server.", rich_help_panel="Stages")
]
TableFile = Annotated[
    Path | None, typer.Option(metavar="TOML", help="The table that decides.", rich_help_panel="Decisions")
]
ShowTable = Annotated[
    bool, typer.Option("--show-thresholds", help="Print the default table and stop.", rich_help_panel="Decisions")
]
SafeFaces = Annotated[
    bool,
    typer.Option(
        "--require-blurred-faces", help="Leave out clips with faces not blurred and no consent.",
        rich_help_panel="Decisions",
    ),
]  # fmt: skip
Tiers = Annotated[
    str | None, typer.Option(metavar="NAMES", help="Write shards of these tiers only.", rich_help_panel="Decisions")
]
Retier = Annotated[
    bool, typer.Option("--retier", help="Decide anew, measure nothing.", rich_help_panel="Work on results")
]
ReportOnly = Annotated[
    bool, typer.Option("--report-only", help="Write the report anew.", rich_help_panel="Work on results")
]
Erase = Annotated[
    str | None,
    typer.Option(metavar="URI", help="Remove a source and all made from it.", rich_help_panel="Work on results"),
]
Replay = Annotated[
    str | None,
    typer.Option(metavar="STAGE", help="Run a stage on its samples, compare.", rich_help_panel="Work on results"),
]
Sample = Annotated[
    int,
    typer.Option(
        metavar="N",
        help="Keep samples of N sources for --replay: frames before blurring.",
        rich_help_panel="Stages",
    ),
]
Retry = Annotated[bool, typer.Option("--retry", help="Try sources in quarantine again.")]
Workers = Annotated[
    int | None, typer.Option(help="Processes. Default: one for each core; with ray one for each stage.")
]
Executor = Annotated[ExecutorName, typer.Option(help="What runs the stages.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="List the sources and what would run.")]
IsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
