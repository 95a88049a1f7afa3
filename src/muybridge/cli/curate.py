"""Turn raw footage into training shards: cut, measure, tell apart, decide by a table, caption, and report.

SOURCES are folders, films, pictures, globs, tables (.csv .jsonl .parquet with `path` or `url`, `licence`, `consent`),
lists of addresses (.txt) or addresses (https:// s3:// gs://). OUT/report/index.html shows what was left out and why,
OUT/shards/TIER is what `muybridge encode` and `train` read. An interrupted run continues by the same command; nothing
is fetched but what --with names: `--with faces` blurs the faces of people who have not consented.

Examples:

  muybridge curate footage/ --dry-run
  muybridge curate footage/ --out curated --workers 4
  muybridge curate footage/ --out curated --size 720p --with faces,transnet
  muybridge curate footage/ --out curated --captioner http://localhost:8000/v1 --caption-model qwen2.5-vl-7b
  muybridge curate --show-thresholds > mine.toml
  muybridge curate curated --retier --thresholds mine.toml
  muybridge curate curated --erase holiday/beach.mp4
  muybridge encode curated/shards/256p --dry-run
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from muybridge.cli import curate_options as options
from muybridge.cli import rooms
from muybridge.cli.curated import as_dict, as_table, planned_table, show
from muybridge.cli.outputs import check_writable
from muybridge.cli.progress import StepBars
from muybridge.core.errors import InvalidInput, RunFailed, invalid

if TYPE_CHECKING:
    from muybridge.recipes.curation.results import Curated
    from muybridge.recipes.curation.settings import CurationSettings


def command(
    sources: options.Sources = None,
    *,
    out: options.Out = None,
    size: options.Size = "256p",
    max_clip_s: options.MaxClip = 10.0,
    even: options.Even = None,
    stages: options.Stages = None,
    without: options.Without = "",
    extras: options.Extras = "",
    dover: options.Dover = None,
    captioner: options.WhichCaptioner = None,
    caption_model: options.CaptionModel = None,
    thresholds: options.TableFile = None,
    show_thresholds: options.ShowTable = False,
    require_blurred_faces: options.SafeFaces = False,
    tiers: options.Tiers = None,
    retier: options.Retier = False,
    report_only: options.ReportOnly = False,
    erase: options.Erase = None,
    replay: options.Replay = None,
    sample: options.Sample = 0,
    retry: options.Retry = False,
    workers: options.Workers = None,
    executor: options.Executor = options.ExecutorName.local,
    dry_run: options.DryRun = False,
    is_json: options.IsJson = False,
) -> None:
    """Curate, or work on what was curated; print the funnel and where things lie."""
    if show_thresholds:
        print(rooms.written(rooms.DEFAULT_THRESHOLDS), end="")
        return
    words = {"--retier": retier, "--report-only": report_only, "--erase": erase, "--replay": replay}
    on_results = [word for word, given in words.items() if given]
    places = sources or []
    folder = _folder(places, out, on_results=on_results, dry_run=dry_run)
    table = rooms.thresholds_of(folder) if report_only or erase is not None else rooms.DEFAULT_THRESHOLDS
    if thresholds is not None:
        table = rooms.read_thresholds(thresholds)
    if require_blurred_faces:
        table = rooms.with_safe_faces(table)
    settings = rooms.CurationSettings(
        out=folder,
        size_px=_side(size),
        max_clip_s=max_clip_s,
        even_s=even,
        stages=None if stages is None else _names(stages),
        without=_names(without),
        extras=_extras(extras),
        dover=dover,
        captioner=captioner,
        caption_model=caption_model,
        thresholds=table,
        tiers=rooms.check_tiers(_names(tiers)) if tiers is not None else rooms.TIERS,
        num_workers=workers if workers is not None else _num_workers(executor),
        executor=executor.value,
        retries_quarantine=retry,
        num_samples=sample,
    )
    if dry_run:
        show(rooms.planned(places, settings), planned_table, is_json=is_json)
        return
    if replay is not None:
        _replay(replay, settings, is_json=is_json)
        return
    done = _done(places, settings, is_new=not on_results, erased=erase)
    if not on_results:
        _say_what_stays(settings)
    show(as_dict(done) if is_json else done, as_table, is_json=is_json)


def _folder(places: list[str], out: Path | None, *, on_results: list[str], dry_run: bool) -> Path:
    """The folder of the results. Raises InvalidInput where it is not clear which."""
    if len(on_results) > 1:
        raise invalid(" with ".join(on_results), "each is a command of its own", "give one of them")
    if on_results:
        given = [*places, *([] if out is None else [str(out)])]
        if len(given) != 1:
            said = f"{on_results[0]} with {len(given)} folders"
            raise invalid(said, "it works on the folder of one curation", f"muybridge curate OUT {on_results[0]}")
        return Path(given[0])
    if not places:
        raise invalid("no sources", "a curation needs footage", "name a folder, a film or an address")
    if out is None and not dry_run:
        raise invalid("no --out", "results need a place", "name a folder, or ask for --dry-run")
    if out is not None and not dry_run:
        check_writable(out / "manifest.parquet")
    return out or Path("curated")


def _done(places: list[str], settings: "CurationSettings", *, is_new: bool, erased: str | None) -> "Curated":
    """Do the work under bars."""
    try:
        with StepBars(Console(stderr=True)) as bars:

            def on_step(what: str, done: int, total: int, figures: Mapping[str, float]) -> None:
                bars.show(what, done, total, dict(figures))

            if erased is not None:
                return rooms.erase_source(erased, settings, on_step=on_step)
            if is_new:
                return rooms.curate(places, settings, on_step=on_step)
            return rooms.retier(settings, on_step=on_step)
    except KeyboardInterrupt:
        print("the same command continues where it was", file=sys.stderr)
        raise


def _say_what_stays(settings: "CurationSettings") -> None:
    stages = {stage.name for stage in settings.plan.stages}
    if "privacy" in stages and "faces" not in settings.extras:
        print("faces stay as they are: --with faces blurs those of people who have not consented", file=sys.stderr)


def _replay(stage: str, settings: "CurationSettings", *, is_json: bool) -> None:
    """Compare; different results are a failure."""
    found = rooms.replay_stage(stage, settings)
    if is_json:
        print(json.dumps({"stage": stage, "samples": found.num_samples, "differences": dict(found.columns)}))
    else:
        print(f"{stage}: {found.num_samples} samples, {len(found.differences)} differences")
    if found.differences:
        said = ", ".join(f"{column} of {count}" for column, count in found.columns.items())
        raise RunFailed(f"{stage}: gives other values than in the run ({said}); was it changed without a new version?")


def _names(given: str) -> tuple[str, ...]:
    return tuple(name for part in given.split(",") if (name := part.strip()))


def _extras(given: str) -> tuple[str, ...]:
    """Those named beside `ocr`, or with `none` those alone."""
    named = _names(given)
    return tuple(name for name in dict.fromkeys(named if "none" in named else ("ocr", *named)) if name != "none")


def _num_workers(executor: options.ExecutorName) -> int:
    """Of Ray one of each stage, which are a dozen processes."""
    return 1 if executor is options.ExecutorName.ray else os.cpu_count() or 1


def _side(given: str) -> int:
    """`256p` or `256`."""
    digits = given.lower().removesuffix("p")
    if not digits.isascii() or not digits.isdigit():
        raise InvalidInput(f"size {given}: is the short side in px; write 256p.")
    return int(digits)
