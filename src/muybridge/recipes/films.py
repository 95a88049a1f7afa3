"""A user's films as what a VAE's stage learns from."""

import json
from pathlib import Path

from muybridge.core.env import cache_folder
from muybridge.core.files import atomic_path
from muybridge.data.file_clips import FileFootage, open_footage
from muybridge.data.probes import PROBES_FILE, ProbeCache
from muybridge.data.report import Report
from muybridge.data.sources import open_source
from muybridge.recipes.sources import Say
from muybridge.training.stages import VAEStage

REPORT_FILE = "films.json"


def find_films(films: Path, settings: VAEStage) -> tuple[FileFootage, Report]:
    """The films and pictures in `films` that are large and long enough for the stage, and where each went.

    Raises InvalidInput where fewer than two films are left.
    """
    return open_footage(
        open_source(films),
        size_px=settings.clips.size_px,
        num_frames=max(settings.clips.num_frames, settings.held_out_frames),
        probes=ProbeCache(cache_folder() / PROBES_FILE),
    )


def open_films(films: Path, settings: VAEStage, *, folder: Path, say: Say) -> FileFootage:
    """As `find_films`; where each went is written to `folder`/films.json."""
    footage, report = find_films(films, settings)
    path = folder / REPORT_FILE
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report.to_dict(), indent=1), encoding="utf-8")
    used, apart = f"{report.num_taken:,} of {len(report.rows):,} inputs are used", len(footage.held_out_films)
    say(f"{used}, {apart:,} of them held out; {path} says where each went")
    return footage
