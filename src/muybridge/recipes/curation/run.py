"""From footage to shards in one call: what is cut, measured, gathered, decided, captioned and written, composed.

OUT/manifest.parquet       every clip, kept or not, with all that is known of it
OUT/shards/TIER/           the clips of each tier as WebDataset tars; OUT/tiers/TIER.parquet lists the same clips
OUT/report/index.html      the funnel
OUT/thresholds.toml        the table that decided
OUT/sources.parquet        what became of each source
OUT/review                 what reviewers said: `recipes.curation.review`
OUT/clips, OUT/captions, OUT/sources   what these are made from
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from muybridge.captioning.answers import ANSWERS, forget_answers
from muybridge.core.env import cache_folder
from muybridge.core.errors import invalid
from muybridge.core.processes import alone_in
from muybridge.curation.engine.erase import erase
from muybridge.curation.engine.figures import Figures
from muybridge.curation.engine.journal import Journal
from muybridge.curation.engine.replay import Replay, replay
from muybridge.curation.engine.run import run_stages
from muybridge.curation.output.manifest import read_manifest
from muybridge.curation.output.table import check_pyarrow
from muybridge.curation.sources.find import find_sources
from muybridge.curation.threshold_files import read_thresholds
from muybridge.curation.thresholds import Thresholds
from muybridge.recipes.curation.names import STAGE_SUMMARIES
from muybridge.recipes.curation.results import THRESHOLDS, Curated, OnStep, finish, gathered
from muybridge.recipes.curation.settings import CurationSettings
from muybridge.recipes.curation.stages import check_names
from muybridge.recipes.curation.verdicts import forget_reviews

_log = logging.getLogger(__name__)


def curate(given: Sequence[str], settings: CurationSettings, *, on_step: OnStep | None = None) -> Curated:
    """Curate the footage in the places given into `settings.out`, or go on where an earlier call was interrupted.

    More places may be given later: what is done stays, until it is erased. Raises InvalidInput, MissingExtra,
    AssetError before any work, RunFailed where the folder is in use or full; footage that cannot be read is accounted
    for, and never raises.
    """
    check_pyarrow()

    def on_progress(done: int, total: int, figures: Figures) -> None:
        if on_step is not None:
            on_step("sources", done, total, {"clips_per_s": figures.clips_per_s})

    items = find_sources(given)
    run_stages(
        settings.plan,
        items,
        executor=settings.opened_executor(),
        on_progress=on_progress,
        retries_quarantine=settings.retries_quarantine,
    )
    with alone_in(settings.out):
        done = finish(gathered(settings), settings, on_step=on_step)
    if stays := sorted({source.uri for source in done.sources} - {item.uri for item in items}):
        _log.warning("sources=%d of earlier runs were not given and stay, %s first", len(stays), stays[0])
    return done


def retier(settings: CurationSettings, *, on_step: OnStep | None = None) -> Curated:
    """Decide anew, by another table, what an earlier curation measured. Raises RunFailed where there is none."""
    table = read_manifest(settings.out)
    with alone_in(settings.out):
        return finish(table, settings, on_step=on_step)


def erase_source(uri: str, settings: CurationSettings, *, on_step: OnStep | None = None) -> Curated:
    """Remove a source and all that was made from it, and keep it out of later runs.

    Shards and report are made anew, and answers of caption endpoints about its clips are forgotten.

    Raises InvalidInput where the folder never held it, RunFailed where anything still names it.
    """
    results: list[Curated] = []

    def rebuild(folder: Path) -> None:
        table = gathered(settings)
        forget_reviews(folder, table)
        results.append(finish(table, settings, on_step=on_step))

    erase(settings.out, uri, forget=partial(forget_answers, cache_folder() / ANSWERS), rebuild=rebuild)
    return results[0]


def replay_stage(name: str, settings: CurationSettings) -> Replay:
    """Run one stage again on what it got in an earlier run that kept samples, and compare.

    Raises InvalidInput where the stage is not of these settings, or was run with others.
    """
    check_names([name], [])
    plan = settings.plan
    found = next((stage for stage in plan.stages if stage.name == name), None)
    if found is None:
        raise invalid(f"stage {name}", "is none of this run's", "ask for it by --stages")
    (now,) = (each["settings"] for each in plan.settings["stages"] if each["name"] == name)
    before = Journal(settings.out).stage_settings().get(name, now)
    if before != now:
        raise invalid(f"stage {name} with {now}", f"it was run with {before}", "give the options of that run")
    return replay(settings.out, found)


def thresholds_of(folder: Path) -> Thresholds:
    """The table of thresholds by which a folder was decided. Raises InvalidInput where there is none."""
    return read_thresholds(folder / THRESHOLDS)


def planned(given: Sequence[str], settings: CurationSettings) -> Mapping[str, Any]:
    """What `curate` would look at and run, JSON-ready; nothing is fetched but listings. Raises as `curate` does."""
    plan = settings.plan
    items = find_sources(given)
    return {
        "sources": [{"uri": item.uri, "bytes": item.num_bytes, "problem": item.problem} for item in items],
        "stages": {
            each.name: STAGE_SUMMARIES.get(each.name, "cut into clips") for each in (plan.splitter, *plan.stages)
        },
        "extras": list(settings.extras),
        "captioner": settings.captioner,
        "thresholds": settings.thresholds.digest,
        "tiers": list(settings.tiers),
        "workers": settings.num_workers,
    }
