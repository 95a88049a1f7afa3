"""How many people are counted in frames of natural films, by faces, by bodies, and by both.

    python benchmarks/people.py --films FOLDER --sheet found.png

`people_truth.json` names frames of films and how many people can be seen in each, counted by eye in enlarged frames:
whoever is cut off by the edge or half hidden counts, a lone hand does not. Frames are looked at as curation does it, at
a short side of 256 px, and larger where the film is. The limit of the detector's score was chosen on the frames with
even places in the list; the others are those of the report. Writes benchmarks/reports/people_HARDWARE_DATE.md.
"""

import argparse
import datetime
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402

from muybridge.curation.measures.looks import shrunk  # noqa: E402
from muybridge.curation.people.centerface import CenterFace  # noqa: E402
from muybridge.curation.people.counting import num_people  # noqa: E402
from muybridge.curation.people.faces import Body, FloatBox  # noqa: E402
from muybridge.curation.people.nanodet import NanoDetBodies  # noqa: E402
from muybridge.curation.people.tracks import SURE  # noqa: E402
from muybridge.media.frames import Picture  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402

TRUTH = Path(__file__).with_name("people_truth.json")
SIDES_PX = (256, 720)  # short sides at most
WAYS = ("faces", "bodies", "both")


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A frame: how many people are in it, and what was found."""

    film: str
    truth: int
    picture: Picture
    faces: tuple[FloatBox, ...]
    bodies: tuple[Body, ...]

    def count(self, way: str) -> int:
        """By faces, bodies or both."""
        if way == "both":
            return num_people(self.bodies, self.faces)
        return len(self.bodies if way == "bodies" else self.faces)


def main() -> int:
    options = parse()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    faces, bodies = CenterFace(), NanoDetBodies()
    for each in (faces, bodies):
        each.prepare()
        each.setup()
    frames = list(marked([ensure("natural-films"), *options.films]))
    lines = [
        "# People counted", "", f"`python benchmarks/people.py` at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}; CenterFace and NanoDet.", "",
    ]  # fmt: skip
    for side_px in SIDES_PX:
        found = [counted(frame, faces, bodies, side_px=side_px) for frame in frames]
        lines += [f"## Short side at most {side_px} px", "", *tables(found[1::2]), ""]
        lines += [f"On the {len(found[::2])} frames that the limit was chosen on: {agreement(found[::2], 'both')}.", ""]
        if options.sheet and side_px == SIDES_PX[0]:
            draw(found, options.sheet)
    lines.append(timing(bodies, frames[0][2]))
    print("\n".join(lines))
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"people_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=Path, action="append", default=[], help="a folder of more films")
    parser.add_argument("--sheet", type=Path, default=None, help="write what was found as a picture")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def marked(folders: Sequence[Path]) -> list[tuple[str, int, Picture]]:
    """Film, truth and picture of every frame that is there."""
    paths = {path.name: path for folder in folders for path in folder.rglob("*.*")}
    found = []
    for name, counts in json.loads(TRUTH.read_text()).items():
        if name not in paths:
            continue
        capture, number = cv2.VideoCapture(str(paths[name])), 0
        while number <= max(map(int, counts)) and capture.grab():
            if str(number) in counts:
                found.append((name, counts[str(number)], capture.retrieve()[1][..., ::-1]))
            number += 1
    return found


def counted(frame: tuple[str, int, Picture], faces: CenterFace, bodies: NanoDetBodies, *, side_px: int) -> Counted:
    """What is found in a frame no larger than curation has it."""
    film, truth, whole = frame
    picture = np.ascontiguousarray(shrunk(whole, side_px))
    sure = tuple(face.box for face in faces.detect(picture) if face.score >= SURE[0])
    return Counted(film=film, truth=truth, picture=picture, faces=sure, bodies=bodies.bodies(picture))


def tables(found: Sequence[Counted]) -> list[str]:
    """By way of counting, and by film."""
    lines = ["| by | exact | within one | none, one or more told apart | mean error |", "|---|--:|--:|--:|--:|"]
    lines += [f"| {way} | " + " | ".join(f"{value:.2f}" for value in figures(found, way)) + " |" for way in WAYS]
    lines += ["", "| film | frames | people | counted by faces | by bodies | by both |", "|---|--:|--:|--:|--:|--:|"]
    for film in dict.fromkeys(each.film for each in found):
        rows = [each for each in found if each.film == film]
        sums = [sum(each.count(way) for each in rows) for way in WAYS]
        lines.append(f"| {film} | {len(rows)} | {sum(each.truth for each in rows)} | {' | '.join(map(str, sums))} |")
    return lines


def figures(found: Sequence[Counted], way: str) -> tuple[float, float, float, float]:
    """Shares exact, within one, and of the right of none, one and more; the mean error."""
    counts, truth = np.array([each.count(way) for each in found]), np.array([each.truth for each in found])
    apart = np.abs(counts - truth)
    is_kind = np.minimum(counts, 2) == np.minimum(truth, 2)
    return float((apart == 0).mean()), float((apart <= 1).mean()), float(is_kind.mean()), float(apart.mean())


def agreement(found: Sequence[Counted], way: str) -> str:
    exact, near, kind, error = figures(found, way)
    return f"exact {exact:.2f}, within one {near:.2f}, none, one or more {kind:.2f}, mean error {error:.2f}"


def timing(bodies: NanoDetBodies, picture: Picture) -> str:
    small = np.ascontiguousarray(shrunk(picture, 256))
    spent = []
    for _ in range(5):
        start = time.process_time()
        bodies.bodies(small)
        spent.append(1000 * (time.process_time() - start))
    return f"A look for bodies in {small.shape[1]}x{small.shape[0]}: {min(spent):.0f} ms of one core, least of 5."


def draw(found: Sequence[Counted], path: Path) -> None:
    """Every frame with its boxes, truth and count, eight in a row."""
    tiles = []
    for each in found:
        tile = np.zeros((190, 240, 3), np.uint8)
        scale = min(240 / each.picture.shape[1], 170 / each.picture.shape[0])
        shown = cv2.resize(each.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for box, colour in [
            *((body.box, (255, 210, 0)) for body in each.bodies),
            *((f, (0, 255, 160)) for f in each.faces),
        ]:
            corners = [round(value * scale) for value in box]
            cv2.rectangle(shown, tuple(corners[:2]), tuple(corners[2:]), colour, 1)
        tile[: shown.shape[0], : shown.shape[1]] = shown
        said = f"{each.truth}: {each.count('both')} (b{len(each.bodies)} f{len(each.faces)})"
        cv2.putText(tile, said, (4, 185), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1)
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 8)
    rows = [np.hstack(tiles[first : first + 8]) for first in range(0, len(tiles), 8)]
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


if __name__ == "__main__":
    sys.exit(main())
