"""Joins between shots found in films that were made of known ones: ours, TransNetV2, both, and PySceneDetect.

    python benchmarks/shots.py --make                # the films, resumable: repeat until it says that all are there
    pip install --no-deps --target PEERS scenedetect==0.7.2
    python benchmarks/shots.py --ask 200 --no-report # TransNetV2, resumable: as many films as it sees in 200 s
    PYTHONPATH=PEERS python benchmarks/shots.py      # the claims: 50 films, 1,000 joins, 350 traps
    python benchmarks/shots.py --part tune --no-report --list

PySceneDetect asks for opencv-python, which would overwrite our opencv-python-headless: hence --no-deps, in a folder of
its own. Its detectors run with their defaults, TransNetV2 with its authors' threshold of 0.5. Films are 128x72 px, 24
frames/s, H.264. A join is found where a reported one lies within two frames of it, or overlaps its transition; each
report finds one join at most. What detectors say is kept beside the films. Writes
benchmarks/reports/shots_HARDWARE_DATE.md; exit code 1 below a target.
"""

import argparse
import datetime
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402
from shot_films import JOINS_PER_FILM, KINDS, MOTIONS, TRAPS, Event, Part, film, hurried  # noqa: E402

from muybridge.core.env import cache_folder  # noqa: E402
from muybridge.curation.clip import SourceFile  # noqa: E402
from muybridge.curation.shots.agreement import agreed, network_joins  # noqa: E402
from muybridge.curation.shots.footage import footage  # noqa: E402
from muybridge.curation.shots.joins import Join, JoinSearch, Thumbnails, thumbnail  # noqa: E402
from muybridge.curation.shots.ours import find_joins  # noqa: E402
from muybridge.curation.shots.splitter import ShotSplitter  # noqa: E402
from muybridge.curation.shots.transnet import load, probabilities  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402

NUM_FILMS: dict[Part, int] = {"tune": 14, "test": 50}
NUM_HURRIED = 40
NEAR = 2  # frames
TARGET = 0.95
MAKING_S = 200.0  # of one call

Found = Sequence[Join]


def main() -> int:
    options = parse()
    folder = options.folder or cache_folder() / "benchmark-shots"
    folder.mkdir(parents=True, exist_ok=True)
    if options.make:
        return make(options.part, folder)
    if options.ask:
        ask(options.part, folder, seconds=options.ask)
    films = [film(options.part, number, folder) for number in range(NUM_FILMS[options.part])]
    scores = {name: scored(name, films, lists=options.list and name == "ours") for name in DETECTORS}
    scores = {name: counts for name, counts in scores.items() if counts}
    lines = report(scores, options)
    print("\n".join(lines))
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"shots_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    return 0 if f1(scores["ours"]) >= TARGET else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=NUM_FILMS, default="test")
    parser.add_argument("--make", action="store_true", help=f"make films for {MAKING_S:g} s")
    parser.add_argument("--ask", type=float, default=0, metavar="S", help="have TransNetV2 look at films for S seconds")
    parser.add_argument("--list", action="store_true", help="name each join that ours misses or makes up")
    parser.add_argument("--folder", type=Path, default=None, help="where the films are kept")
    parser.add_argument("--source", type=Path, nargs="*", default=[], help="also cut these films, and say how fast")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def make(part: Part, folder: Path) -> int:
    """Films until the time is over."""
    start = time.monotonic()
    for number in range(NUM_FILMS[part]):
        film(part, number, folder)
        if time.monotonic() - start > MAKING_S and number + 1 < NUM_FILMS[part]:
            print(f"{number + 1} of {NUM_FILMS[part]} films are there; call again.")
            return 1
    print("all films are there.")
    return 0


def thumbnails(path: Path) -> Thumbnails:
    """Of every frame of a film, kept beside it."""
    kept = path.with_suffix(".halved.npy")
    if not kept.exists():
        with footage(path, side_px=256, max_fps=60) as film:
            np.save(kept, np.stack([thumbnail(picture) for picture in film.frames]))
    return np.load(kept)


def searched(frames: Thumbnails) -> Found:
    """As the splitter does, window after window."""
    search = JoinSearch(find_joins)
    return [*(join for frame in frames for join in search.look(frame)), *search.finish()]


def ours(path: Path) -> Found:
    return searched(thumbnails(path))


def answer(path: Path) -> Path:
    """Where TransNetV2's probabilities of a film are kept."""
    return path.with_suffix(".transnet.npy")


def ask(part: Part, folder: Path, *, seconds: float) -> None:
    """Have TransNetV2 look at films that it has not seen yet, until the time is over."""
    start = time.monotonic()
    network = load(ensure("transnetv2"))
    for number in range(NUM_FILMS[part]):
        path, _ = film(part, number, folder)
        if not answer(path).exists() and time.monotonic() - start < seconds:
            np.save(answer(path), probabilities(network, thumbnails(path)))


def transnet(path: Path) -> Found | None:
    return network_joins(np.load(answer(path))) if answer(path).exists() else None


def both(path: Path) -> Found | None:
    return agreed(ours(path), np.load(answer(path))) if answer(path).exists() else None


def ours_there(path: Path) -> Found | None:
    return ours(path) if answer(path).exists() else None


def scenedetect(name: str) -> Callable[[Path], Found | None]:
    """One of PySceneDetect's detectors; nothing where it is not installed."""

    def detect(path: Path) -> Found | None:
        kept = path.with_suffix(f".{name}.json")
        if not kept.exists():
            try:
                import scenedetect as peer  # pyright: ignore[reportMissingImports]
            except ImportError:
                return None
            scenes = peer.detect(str(path), getattr(peer, name)())
            kept.write_text(json.dumps([scene[0].frame_num for scene in scenes[1:]]))
        return [Join(first=at, end=at, kind="cut") for at in json.loads(kept.read_text())]

    return detect


DETECTORS: dict[str, Callable[[Path], Found | None]] = {
    "ours": ours,
    "PySceneDetect content": scenedetect("ContentDetector"),
    "PySceneDetect adaptive": scenedetect("AdaptiveDetector"),
    "TransNetV2": transnet,
    "both": both,
    "ours, of these films": ours_there,
}


def scored(name: str, films: Sequence[tuple[Path, list[Event]]], *, lists: bool) -> Counter[str]:
    """Counts of a detector over the films that it has an answer to."""
    counts: Counter[str] = Counter()
    for path, events in films:
        found = DETECTORS[name](path)
        if found is not None:
            counts += score(events, found, listed=f"{name}: {path.name}" if lists else "")
    return counts


def score(events: Sequence[Event], found: Found, *, listed: str = "") -> Counter[str]:
    """Counts: "found" and "missed" joins, also by kind; "false" ones, also by the trap that they lie in."""
    counts: Counter[str] = Counter()
    left = list(found)
    for event in (event for event in events if event.kind in KINDS):
        hit = next((join for join in left if touches(join, event)), None)
        left = [join for join in left if join is not hit]
        word = "missed" if hit is None else "found"
        counts.update([word, f"{word} {event.kind}"])
        if hit is not None:
            counts[f"named {event.kind}"] += hit.kind == event.kind
        elif listed:
            print(f"{listed} missed {event}")
    for join in left:
        inside = next((event.kind for event in events if event.kind in TRAPS and touches(join, event)), "elsewhere")
        counts.update(["false", f"false {inside}"])
        if listed:
            print(f"{listed} false {join} in {inside}")
    return counts


def touches(join: Join, event: Event) -> bool:
    return join.first <= event.end + NEAR and join.end >= event.first - NEAR


def precision(counts: Counter[str]) -> float:
    return counts["found"] / max(1, counts["found"] + counts["false"])


def recall(counts: Counter[str], kind: str = "") -> float:
    found, missed = counts[f"found {kind}".strip()], counts[f"missed {kind}".strip()]
    return found / max(1, found + missed)


def f1(counts: Counter[str]) -> float:
    p, r = precision(counts), recall(counts)
    return 2 * p * r / max(p + r, 1e-9)


def report(scores: dict[str, Counter[str]], options: argparse.Namespace) -> list[str]:
    num_films = NUM_FILMS[options.part]
    given = " ".join(Path(each).name for each in sys.argv[1:])
    return [
        "# Joins between shots",
        "",
        f"`python benchmarks/shots.py {given}` at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}; Python {platform.python_version()}. {num_films} films of part {options.part!r}, "
        f"{num_films * JOINS_PER_FILM} joins, {num_films * 7} traps.",
        "",
        *table(scores),
        "",
        "Columns of kinds are recall. TransNetV2 takes a minute or two of one core for a film: its rows are of the "
        "films "
        "that it has looked at so far.",
        "",
        f"Ours is to reach F1 {TARGET:g}. Ours names the kind rightly of "
        + ", ".join(
            f"{scores['ours'][f'named {kind}'] / max(1, scores['ours'][f'found {kind}']):.0%} of {kind}s"
            for kind in KINDS
        )
        + " that it finds.",
        "",
        "## Hurried cameras",
        "",
        f"False joins in {NUM_HURRIED} films of one shot each, part {options.part!r}:",
        "",
        *hurries(options.part, options.folder or cache_folder() / "benchmark-shots"),
        "",
        *cutting(options.source),
    ]


def hurries(part: Part, folder: Path) -> list[str]:
    """What detectors find where a camera hurries and nothing is joined."""
    films = [hurried(part, number, folder) for number in range(NUM_HURRIED)]
    lines = [f"| detector | {' | '.join(MOTIONS)} |", "|---" * (1 + len(MOTIONS)) + "|"]
    for name in ("ours", "PySceneDetect content", "PySceneDetect adaptive"):
        false: Counter[str] = Counter()
        for path, motion in films:
            false[motion] += len(DETECTORS[name](path) or ())
        if any(false.values()) or name == "ours":
            lines.append(f"| {name} | {' | '.join(str(false[motion]) for motion in MOTIONS)} |")
    return lines


def table(scores: dict[str, Counter[str]]) -> list[str]:
    heads = ["detector", "joins", "F1", "precision", "recall", *KINDS, f"false in {' | '.join(TRAPS)}", "elsewhere"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * (len(heads) + len(TRAPS) - 1)]
    for name, counts in scores.items():
        cells = [name, str(counts["found"] + counts["missed"]), f"**{f1(counts):.3f}**"]
        cells += [
            f"{precision(counts):.3f}",
            f"{recall(counts):.3f}",
            *(f"{recall(counts, kind):.3f}" for kind in KINDS),
        ]
        cells += [str(counts[f"false {trap}"]) for trap in (*TRAPS, "elsewhere")]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def cutting(sources: Sequence[Path]) -> list[str]:
    """How films are cut, and how fast by the time of one core: decoding, scaling and sound included."""
    if not sources:
        return []
    lines = [
        "| film | size of clips | shots | begin at s | clips | frames/s | clips/s |",
        "|---|---|---|---|---|---|---|",
    ]
    for path in sources:
        splitter = ShotSplitter()
        splitter.setup()
        start = time.process_time()
        clips = list(splitter.clips(SourceFile(path=path, uri=path.name)))
        cpu_s = time.process_time() - start
        frames = sum(len(clip.frames) for clip in clips)
        firsts = {clip.values["shot"]: clip for clip in reversed(clips)}
        begins = " ".join(f"{clip.start_s:.1f}" for clip in sorted(firsts.values(), key=lambda clip: clip.start_s))
        size = f"{clips[0].frames.shape[2]}x{clips[0].frames.shape[1]}"
        rates = f"{frames / cpu_s:.0f} | {len(clips) / cpu_s:.1f}"
        lines.append(f"| {path.name} | {size} | {len(firsts)} | {begins} | {len(clips)} | {rates} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
