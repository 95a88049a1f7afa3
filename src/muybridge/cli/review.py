"""Look at curated clips in the browser, approve or reject them, and mend their captions.

OUT is the folder of `muybridge curate`. Every verdict is kept at once in OUT/review/NAME.jsonl. A second reviewer works
with another name and does not see the first one's verdicts. --apply writes verdicts and captions into the manifest and
makes shards and report anew: a rejected clip leaves all tiers, an approved clip that the table left out enters the
tiers that its size and length allow, disputed clips stay as they are until --resolve settles them.

Examples:

  muybridge review curated
  muybridge review curated --reviewer ann --only rejected --sample 200
  muybridge review curated --where 'technical<0.4' --where 'motion_kind=camera'
  muybridge review curated --agreement
  muybridge review curated --only disputed --resolve
  muybridge review curated --suggest
  muybridge review curated --apply
"""

import getpass
import json
import re
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from muybridge.cli import rooms
from muybridge.cli.curated import show
from muybridge.cli.progress import StepBars
from muybridge.core.errors import invalid

if TYPE_CHECKING:
    from muybridge.curation.review.agreement import Agreement
    from muybridge.curation.review.suggest import Suggestion

_CLIPS, _RESULTS = "Which clips", "Instead of the page"


def command(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of a curation.")],
    *,
    reviewer: Annotated[str | None, typer.Option(metavar="NAME", help="Who judges; else the user's name.")] = None,
    port: Annotated[int, typer.Option(help="Of the page; 0 is any free one.")] = 0,
    only: Annotated[
        str, typer.Option(help="all, kept, rejected, disputed, or tier=256p.", rich_help_panel=_CLIPS)
    ] = "all",
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", help="As 'technical<0.4'; more than one: all hold.", rich_help_panel=_CLIPS),
    ] = None,
    sample: Annotated[
        int, typer.Option(metavar="N", help="N of them, the same each time; 0: all.", rich_help_panel=_CLIPS)
    ] = 0,
    resolve: Annotated[bool, typer.Option("--resolve", help="This reviewer decides where others disagree.")] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the address, open no browser.")] = False,
    agreement: Annotated[
        bool, typer.Option("--agreement", help="Say how far reviewers agree.", rich_help_panel=_RESULTS)
    ] = False,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Say which limits would agree with them.", rich_help_panel=_RESULTS)
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write verdicts and captions back.", rich_help_panel=_RESULTS)
    ] = False,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Serve the page until interrupted, or do what is asked instead."""
    asked = [word for word, given in (("--agreement", agreement), ("--suggest", suggest), ("--apply", apply)) if given]
    if len(asked) > 1:
        raise invalid(" with ".join(asked), "each is a command of its own", "give one of them")
    if agreement:
        found = rooms.agreement_of(folder)
        show(found.as_mapping() if is_json else found, _agreement_table, is_json=is_json)
    elif suggest:
        cuts = rooms.suggestions(folder)
        show([asdict(each) for each in cuts] if is_json else cuts, _suggestion_table, is_json=is_json)
    elif apply:
        show(_apply(folder), _applied_table, is_json=is_json)
    else:
        clips = rooms.QueueConfig(only=only, where=tuple(where or ()), num_sampled=sample)
        name = reviewer if reviewer is not None else _user()
        config = rooms.DeskConfig(reviewer=name, queue=clips, is_settling=resolve)
        _serve(folder, config, port=port, is_opening=not no_open, is_json=is_json)


def _serve(folder: Path, config: Any, *, port: int, is_opening: bool, is_json: bool) -> None:
    """Until Ctrl-C, which is how a sitting ends."""
    with rooms.open_review(folder, config, port=port) as server:
        num_clips = len(server.desk.queue)
        if is_json:
            print(json.dumps({"address": server.address, "reviewer": config.reviewer, "clips": num_clips}), flush=True)
        else:
            print(f"{num_clips:,} clips for {config.reviewer}: {server.address}", flush=True)
            print("Ctrl-C ends; every verdict is kept at once.", flush=True)
        if is_opening:
            webbrowser.open(server.address)
        with suppress(KeyboardInterrupt):
            server.serve_forever(poll_interval=0.2)


def _apply(folder: Path) -> Mapping[str, Any]:
    with StepBars(Console(stderr=True)) as bars:

        def on_step(what: str, done: int, total: int, figures: Mapping[str, float]) -> None:
            bars.show(what, done, total, dict(figures))

        return rooms.apply_reviews(folder, on_step=on_step).as_mapping()


def _user() -> str:
    """The name of who is logged in, as far as it can name a file."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user id without a name, as in containers
        name = ""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:40].rstrip("-") or "reviewer"


def _applied_table(done: Mapping[str, Any]) -> Group:
    said = ", ".join(f"{done[name]:,} {name}" for name in ("approved", "rejected", "captions", "disputed"))
    tiers = ", ".join(f"{tier} {count:,}" for tier, count in done["tiers"].items())
    lines = [said, f"{done['kept']:,} of {done['clips']:,} clips are kept: {tiers}", done["manifest"], done["report"]]
    return Group(*map(Text, lines))


def _agreement_table(found: "Agreement") -> Group:
    if not found.num_clips:
        return Group(Text("no clip was judged by two reviewers yet; the second one gives another --reviewer"))
    rows = _table("", "value", "95 %")
    said = {
        "equal verdicts": (found.percent, found.percent_interval),
        "Cohen's kappa": (found.kappa, found.kappa_interval),
        "Krippendorff's alpha": (found.alpha, found.alpha_interval),
    }
    for name, (value, ends) in said.items():
        if value is not None and ends is not None:
            rows.add_row(name, f"{value:.3f}", f"{ends[0]:.2f} to {ends[1]:.2f}")
    first = f"{found.num_clips:,} clips judged by {', '.join(found.reviewers)}; {len(found.disputed):,} disputed"
    return Group(Text(first), rows)


def _suggestion_table(cuts: "list[Suggestion]") -> Group:
    rows = _table("column", "would keep", "accuracy", "now", "accuracy now", "approved", "rejected")
    for each in cuts:
        rows.add_row(
            each.column,
            f"{each.kind.replace('_', ' ')} {each.limit:.3g}",
            f"{each.accuracy:.2f}",
            "" if each.limit_now is None else f"{each.limit_now:g}",
            "" if each.now is None else f"{each.now:.2f}",
            f"{each.num_approved:,}",
            f"{each.num_rejected:,}",
        )
    note = "Balanced accuracy, on the same clips that the limits were fitted to: of few verdicts it flatters."
    return Group(rows, Text(note))


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(names):
        table.add_column(name, justify="left" if not place else "right", no_wrap=True)
    return table
