"""Joins between shots found in films that were made of known ones: ours, TransNetV2, both, and PySceneDetect.

    python benchmarks/shots.py --make                # the films, resumable: repeat until it says that all are there
    pip install --no-deps --target PEERS scenedetect==0.7.2
    PYTHONPATH=PEERS python benchmarks/shots.py      # the claims: 50 films, 1,000 joins, 350 traps
    python benchmarks/shots.py --part tune --no-report

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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402
from shot_films import JOINS_PER_FILM, KINDS, TRAPS, Event, film  # noqa: E402

from muybridge.core.env import cache_folder  # noqa: E402
from muybridge.curation.clip import SourceFile  # noqa: E402
from muybridge.curation.shots.agreement import agreed, network_joins  # noqa: E402
from muybridge.curation.shots.footage import footage  # noqa: E402
from muybridge.curation.shots.joins import Join, JoinSearch, Thumbnails, thumbnail  # noqa: E402
from muybridge.curation.shots.ours import find_joins  # noqa: E402
from muybridge.curation.shots.splitter import ShotSplitter  # noqa: E402
from muybridge.curation.shots.transnet import load, probabilities  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402

NUM_FILMS = {"tune": 14, "test": 50}
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
    films = [film(options.part, number, folder) for number in range(NUM_FILMS[options.part])]
    found = {name: [joins for joins in detector(films, folder)] for name, detector in DETECTORS.items()}
    truths = [events for _, events in films]
    scores = {name: score(truths, joins) for name, joins in found.items() if joins}
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
    parser.add_argument("--folder", type=Path, default=None, help="where the films are kept")
    parser.add_argument("--source", type=Path, nargs="*", default=[], help="also cut these films, and say how fast")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def make(part: str, folder: Path) -> int:
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
    kept = path.with_suffix(".npy")
    if not kept.exists():
        with footage(path, side_px=256, max_fps=60) as film:
            np.save(kept, np.stack([thumbnail(picture) for picture in film.frames]))
    return np.load(kept)


def searched(frames: Thumbnails) -> Found:
    """As the splitter does, window after window."""
    search = JoinSearch(find_joins)
    return [*(join for frame in frames for join in search.look(frame)), *search.finish()]


def ours(films: Sequence[tuple[Path, list[Event]]], _folder: Path) -> Iterator[Found]:
    for path, _ in films:
        yield searched(thumbnails(path))


def network_says(films: Sequence[tuple[Path, list[Event]]]) -> Iterator[np.ndarray]:
    """TransNetV2's probabilities, kept beside the films."""
    network = load(ensure("transnetv2"))
    for path, _ in films:
        kept = path.with_suffix(".transnet.npy")
        if not kept.exists():
            np.save(kept, probabilities(network, thumbnails(path)))
        yield np.load(kept)


def transnet(films: Sequence[tuple[Path, list[Event]]], _folder: Path) -> Iterator[Found]:
    for says in network_says(films):
        yield network_joins(says)


def both(films: Sequence[tuple[Path, list[Event]]], _folder: Path) -> Iterator[Found]:
    for (path, _), says in zip(films, network_says(films), strict=True):
        yield agreed(searched(thumbnails(path)), says)


def scenedetect(name: str) -> Callable[[Sequence[tuple[Path, list[Event]]], Path], Iterator[Found]]:
    """One of PySceneDetect's detectors; nothing where it is not installed."""

    def detect(films: Sequence[tuple[Path, list[Event]]], _folder: Path) -> Iterator[Found]:
        try:
            import scenedetect as peer
        except ImportError:
            return
        for path, _ in films:
            kept = path.with_suffix(f".{name}.json")
            if not kept.exists():
                scenes = peer.detect(str(path), getattr(peer, name)())
                kept.write_text(json.dumps([scene[0].frame_num for scene in scenes[1:]]))
            yield [Join(first=at, end=at, kind="cut") for at in json.loads(kept.read_text())]

    return detect


DETECTORS = {
    "ours": ours,
    "TransNetV2": transnet,
    "both": both,
    "PySceneDetect content": scenedetect("ContentDetector"),
    "PySceneDetect adaptive": scenedetect("AdaptiveDetector"),
}


def score(truths: Sequence[list[Event]], found: Sequence[Found]) -> Counter[str]:
    """Counts: "found" and "missed" joins, also by kind; "false" ones, also by the trap that they lie in."""
    counts: Counter[str] = Counter()
    for events, joins in zip(truths, found, strict=True):
        left = list(joins)
        for event in (event for event in events if event.kind in KINDS):
            hit = next((join for join in left if touches(join, event)), None)
            left = [join for join in left if join is not hit]
            word = "missed" if hit is None else "found"
            counts.update([word, f"{word} {event.kind}"])
            if hit is not None:
                counts[f"named {event.kind}"] += hit.kind == event.kind
        for join in left:
            inside = next((event.kind for event in events if event.kind in TRAPS and touches(join, event)), "elsewhere")
            counts.update(["false", f"false {inside}"])
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
    return [
        "# Joins between shots",
        "",
        f"`python {' '.join(['benchmarks/shots.py', *sys.argv[1:]])}` at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}; Python {platform.python_version()}. {num_films} films of part {options.part!r}, "
        f"{num_films * JOINS_PER_FILM} joins, {num_films * 7} traps.",
        "",
        f"| detector | F1 | precision | recall | {' | '.join(KINDS)} | false in {' | '.join(TRAPS)} | elsewhere |",
        "|---|---|---|---|" + "---|" * (len(KINDS) + len(TRAPS) + 1),
        *(
            f"| {name} | **{f1(counts):.3f}** | {precision(counts):.3f} | {recall(counts):.3f} | "
            + " | ".join(f"{recall(counts, kind):.3f}" for kind in KINDS)
            + " | "
            + " | ".join(str(counts[f"false {trap}"]) for trap in (*TRAPS, "elsewhere"))
            + " |"
            for name, counts in scores.items()
        ),
        "",
        f"Columns of kinds are recall. Ours is to reach F1 {TARGET:g}. Ours names the kind rightly of "
        + ", ".join(
            f"{scores['ours'][f'named {kind}'] / max(1, scores['ours'][f'found {kind}']):.0%} of {kind}s"
            for kind in KINDS
        )
        + " that it finds.",
        "",
        *cutting(options.source),
    ]


def cutting(sources: Sequence[Path]) -> list[str]:
    """How films are cut, and how fast, decoding, scaling and sound included: one thread."""
    if not sources:
        return []
    lines = ["| film | shots begin at s | clips | frames/s | clips/s |", "|---|---|---|---|---|"]
    for path in sources:
        splitter = ShotSplitter()
        splitter.setup()
        start = time.perf_counter()
        clips = list(splitter.clips(SourceFile(path=path, uri=path.name)))
        wall_s = time.perf_counter() - start
        frames = sum(len(clip.frames) for clip in clips)
        firsts = {clip.values["shot"]: clip for clip in reversed(clips)}
        begins = " ".join(f"{clip.start_s:.1f}" for clip in sorted(firsts.values(), key=lambda clip: clip.start_s))
        lines.append(f"| {path.name} | {begins} | {len(clips)} | {frames / wall_s:.0f} | {len(clips) / wall_s:.1f} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
