"""Clips a second from raw footage to shards, and whether all of it is accounted for.

    python examples/fetch_footage.py footage/
    python benchmarks/curate.py footage/                             # on two cores, 256p: the claim
    python benchmarks/curate.py footage/ --groups cut free --no-report
    python benchmarks/curate.py footage/ --steady more/              # and how fast many longer films go

Into an empty folder come links to the films given, rendered clips, and damaged or strange files: a film cut short, one
with bytes turned over, an empty one, text called .mp4, a name with a line break and markup, a loop of links. The same
is curated once for each group of stages, each time from nothing, by two workers. Clips a second are of the stages, from
the first source to the last clip written; the rest (gathering, decisions, captions from measurements, shards, report)
is timed apart. Writes benchmarks/reports/curate_HARDWARE_DATE.md; exit code 1 below a target or where a source or a
clip is not accounted for. The films of `--steady` are curated as they are, weight-free, all of them; how many clips
that makes depends on how long their shots are, so frames and seconds of footage are counted too.
"""

import argparse
import datetime
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402

from muybridge.curation.engine.run import run_stages  # noqa: E402
from muybridge.curation.output.manifest import read_manifest  # noqa: E402
from muybridge.curation.sources.find import find_sources  # noqa: E402
from muybridge.media.probe import FILM_SUFFIXES  # noqa: E402
from muybridge.media.writer import write_video  # noqa: E402
from muybridge.recipes.curation.results import Curated, finish, gathered  # noqa: E402
from muybridge.recipes.curation.settings import CurationSettings  # noqa: E402
from muybridge.worlds.drawn import drawn_library  # noqa: E402
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld  # noqa: E402

FREE = ("borders", "subtitles", "blur", "motion")
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "cut": {"stages": ()},
    "free": {"stages": FREE},
    "networks": {},
    "ocr": {"extras": ("ocr",)},
    "transnet": {"extras": ("transnet",)},
}
SAID = {
    "cut": "cut and written alone",
    "free": f"weight-free: {', '.join(FREE)}",
    "networks": "all default stages, with the shipped networks",
    "ocr": "the same, text found and read by RapidOCR",
    "transnet": "the same, TransNetV2 beside our shots",
}
MIN_CLIPS_PER_S = 8.0  # of the weight-free stages on two cores
NUM_WORKERS = 2
STEADY = "free"
RENDERED_PX, RENDERED_FRAMES, NUM_RENDERED = 256, 49, 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """A group of stages over a folder. `lengths_s` and `num_frames` are of its clips."""

    group: str
    seconds: float
    rest_s: float
    busiest: str
    lengths_s: tuple[float, ...]
    num_frames: int
    done: Curated
    failures: tuple[str, ...]

    @property
    def clips_per_s(self) -> float:
        """Of the stages."""
        return len(self.lengths_s) / self.seconds


def main() -> int:
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        footage = Path(name) / "footage"
        num_films = gather_footage(options.footage, footage, limit=options.films)
        timed = [curated(group, [footage], Path(name) / group) for group in options.groups]
        steady = [curated(STEADY, options.steady, Path(name) / "steady")] if options.steady else []
        failures = [failure for each in (*timed, *steady) for failure in each.failures]
        failures += [
            f"weight-free: {each.clips_per_s:.2f} clips/s"
            for each in timed
            if each.group == "free" and each.clips_per_s < MIN_CLIPS_PER_S
        ]
        lines = report(timed, steady, num_films=num_films, failures=failures)
    print("\n".join(lines))
    if options.report:
        place = ROOT / "benchmarks" / "reports" / f"curate_{hardware()}_{datetime.date.today()}.md"
        place.write_text("\n".join(lines))
    return int(bool(failures))


def curated(group: str, footage: Sequence[Path], out: Path) -> Timed:
    """Run a group of stages over folders, into an empty one."""
    settings = CurationSettings(out=out, num_workers=NUM_WORKERS, **GROUPS[group])
    items = find_sources([str(place) for place in footage])
    summary = run_stages(settings.plan, items, executor=settings.opened_executor())
    start = time.perf_counter()
    done = finish(gathered(settings), settings)
    rest_s = time.perf_counter() - start
    rows = read_manifest(done.folder).rows()
    busiest = [f"{stage} {figures['busy_percent']:.0f} %" for stage, figures in list(summary.stages.items())[:4]]
    return Timed(
        group=group,
        seconds=summary.seconds,
        rest_s=rest_s,
        busiest=", ".join(busiest),
        lengths_s=tuple(row["end_s"] - row["start_s"] for row in rows),
        num_frames=sum(row["num_frames"] for row in rows),
        done=done,
        failures=tuple(unaccounted(done, len(items))),
    )


def report(timed: Sequence[Timed], steady: Sequence[Timed], *, num_films: int, failures: Sequence[str]) -> list[str]:
    done = timed[-1].done
    states = sorted({source.state for source in done.sources})
    return [
        "# From raw footage to shards",
        "",
        f"`python {' '.join(['benchmarks/curate.py', *sys.argv[1:]])}` at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}, {os.cpu_count()} cores, {NUM_WORKERS} workers; torch {torch.__version__}, "
        f"Python {platform.python_version()}. {num_films} real films, {NUM_RENDERED} rendered, and damaged and strange "
        "files; clips of at most 10 s, 256 px on the short side.",
        "",
        *table(timed),
        f"Target: {MIN_CLIPS_PER_S:g} clips/s with the weight-free stages.",
        "",
        *(
            [f"Whole folders of {len(steady[0].done.sources)} files, weight-free:", "", *table(steady)]
            if steady
            else []
        ),
        "Of the last run of the first table, sources: "
        + ", ".join(f"{sum(each.state == state for each in done.sources)} {state}" for state in states)
        + f". Tiers: {', '.join(f'{tier} {count}' for tier, count in done.decisions.counts().items())}.",
        "",
        "| source that gave trouble | what became of it |",
        "|---|---|",
        *(f"| {each.uri!r} | {each.state}: {each.remarks} |" for each in done.sources if each.remarks),
        "",
        f"Not accounted for or below a target: {'; '.join(failures) or 'nothing'}.",
        "",
    ]


def table(timed: Sequence[Timed]) -> list[str]:
    """Each group's speed and what its clips are like."""
    return [
        "| stages | clips | median s | seconds | clips/s | frames/s | footage s/s | the rest, s | workers' time |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {SAID[each.group]} | {len(each.lengths_s)} | {np.median(each.lengths_s):.1f} | {each.seconds:.1f} | "
            f"{each.clips_per_s:.2f} | {each.num_frames / each.seconds:.0f} | "
            f"{sum(each.lengths_s) / each.seconds:.1f} | {each.rest_s:.1f} | {each.busiest} |"
            for each in timed
        ),
        "",
    ]


def unaccounted(done: Curated, num_sources: int) -> list[str]:
    """What the manifest or the list of sources lacks."""
    rows = read_manifest(done.folder).rows()
    missing = [f"{row['id']}: no file" for row in rows if not (done.folder / row["clip"]).is_file()]
    silent = [
        f"{row['id']}: neither kept nor told why" for row in rows if not row["tiers"] and not row["rejected_stage"]
    ]
    counted = [] if len(done.sources) == num_sources else [f"{len(done.sources)} of {num_sources} sources"]
    return missing + silent + counted


def gather_footage(places: Sequence[Path], folder: Path, *, limit: int) -> int:
    """Films to curate, in one folder; how many of them are real."""
    folder.mkdir()
    films = sorted(path for place in places for path in place.rglob("*") if path.suffix.lower() in FILM_SUFFIXES)
    films = films[:: max(1, len(films) // limit)][:limit]
    for number, film in enumerate(films):
        (folder / f"{number:03d}-{film.name}").symlink_to(film.resolve())
    world = SpritesWorld(
        SpritesConfig(width_px=RENDERED_PX, height_px=RENDERED_PX, num_frames=RENDERED_FRAMES), drawn_library()
    )
    for number in range(NUM_RENDERED):
        frames = world.render(world.scene(number), size_px=RENDERED_PX, num_frames=RENDERED_FRAMES)
        write_video(folder / f"rendered-{number}.mp4", frames, fps=world.fps)
    damage(folder, folder / "rendered-0.mp4")
    return len(films)


def damage(folder: Path, film: Path) -> None:
    """Files that a run has to live with."""
    content = film.read_bytes()
    rng = np.random.default_rng(0)
    turned = bytearray(content)
    for place in rng.integers(len(content) // 3, len(content), 200).tolist():
        turned[place] ^= 0xFF
    (folder / "cut-short.mp4").write_bytes(content[: len(content) // 2])
    (folder / "turned-over.mp4").write_bytes(bytes(turned))
    (folder / "empty.mp4").touch()
    (folder / "words.mp4").write_text("not a film")
    (folder / "line\nbreak <b>.mp4").write_bytes(content)
    (folder / "loop").symlink_to(folder)
    (folder / "gone.mp4").symlink_to(folder / "nowhere.mp4")
    (folder / "notes.txt").write_text("where and when")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("footage", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--films", type=int, default=24, help="real films, evenly chosen")
    parser.add_argument("--groups", nargs="+", choices=list(GROUPS), default=list(GROUPS))
    parser.add_argument("--steady", type=Path, nargs="*", default=[], metavar="FOLDER", help="films that are all taken")
    parser.add_argument("--no-report", dest="report", action="store_false")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
