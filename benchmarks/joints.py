"""Joints that should not show: where a loop begins anew, and where a film goes over into its continuation.

    python benchmarks/joints.py                      # gallop, 128 px, 33 frames, 16 steps: the claims
    python benchmarks/joints.py --steps 8 --no-report --sheet joints.png

Differences are means over all pixels, in levels of 255. Of a loop: of its last frame from its first, against the mean
of all other neighbours; and the largest anywhere as a multiple of this mean, beside that of a film of the same prompt:
a seam that lay elsewhere would show there. Of a continuation: the mean over the overlap, from the last frame that was
given to the first that is new alone, against the median elsewhere.
Writes benchmarks/reports/joints_HARDWARE_DATE.md; exit code 1 above a target.
"""

import argparse
import datetime
import os
import platform
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402

import muybridge  # noqa: E402
from muybridge.media.sheet import contact_sheet  # noqa: E402

PROMPTS = (
    "a brown horse gallops to the right over green grass",
    "a penguin hops over snow",
    "a whale swims in the sea",
)
OVERLAP = 9
MAX_SEAM, MAX_JOINT = 1.0, 1.2  # of the mean difference, of the median difference
SHOWN = 6  # frames on each side of a joint


def main() -> int:
    options = parse()
    chosen = {
        "pipe": muybridge.load("gallop"),
        "size": options.size,
        "frames": options.frames,
        "steps": options.steps,
        "seed": options.seed,
    }
    loops = [film_of(prompt, loop=True, **chosen).pixels for prompt in PROMPTS]
    films = [film_of(prompt, **chosen) for prompt in PROMPTS]
    going_on = {
        direction: [
            film_of(
                prompt, extend=film, direction=direction, overlap=OVERLAP, **chosen | {"seed": options.seed + 1}
            ).pixels
            for prompt, film in zip(PROMPTS, films, strict=True)
        ]
        for direction in ("forwards", "backwards")
    }
    seams = [seam(loop, film.pixels) for loop, film in zip(loops, films, strict=True)]
    joints = {word: [joint(film, at(word, options.frames)) for film in made] for word, made in going_on.items()}
    lines = [
        "# Loops and continued films, where they are joined",
        "",
        f"`python {' '.join(['benchmarks/joints.py', *sys.argv[1:]])}` at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}, {os.cpu_count()} cores; torch {torch.__version__}, Python {platform.python_version()}. "
        f"gallop, {options.size}, {options.frames} frames, {options.steps} steps, overlap {OVERLAP}.",
        "",
        "| loop | last to first | other neighbours | ratio | largest, of the mean | of a plain film |",
        "|---|---|---|---|---|---|",
        *(
            f"| {prompt} | {a:.2f} | {b:.2f} | {a / b:.2f} | {c:.2f} | {d:.2f} |"
            for prompt, (a, b, c, d) in zip(PROMPTS, seams, strict=True)
        ),
        "",
        f"Each loop is to be at most {MAX_SEAM:g}.",
        "",
        "| film | continued | over the overlap | median elsewhere | ratio |",
        "|---|---|---|---|---|",
        *(
            f"| {prompt} | {word} | {a:.2f} | {b:.2f} | {a / b:.2f} |"
            for word, found in joints.items()
            for prompt, (a, b) in zip(PROMPTS, found, strict=True)
        ),
        "",
        f"Each joint is to be at most {MAX_JOINT:g}.",
    ]
    print("\n".join(lines))
    if options.sheet is not None:
        draw(loops, going_on, options)
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"joints_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    is_met = all(a <= MAX_SEAM * b for a, b, *_ in seams)
    return 0 if is_met and all(a <= MAX_JOINT * b for found in joints.values() for a, b in found) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="128x128")
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--sheet", type=Path, default=None, help="also write the frames around each joint as a picture")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def film_of(prompt: str, *, pipe: muybridge.Pipeline, **chosen: Any) -> muybridge.Video:
    """One film."""
    film = pipe(prompt, **chosen)
    assert isinstance(film, muybridge.Video)
    return film


def differences(film: np.ndarray) -> np.ndarray:
    """Of each frame from the next one; of the last from the first."""
    levels = film.astype(np.float32)
    return np.abs(np.roll(levels, -1, 0) - levels).mean((1, 2, 3))


def seam(loop: np.ndarray, film: np.ndarray) -> tuple[float, float, float, float]:
    """Last to first, the mean of other neighbours, and the largest of this mean: of the loop, and of a plain film."""
    found, plain = differences(loop), differences(film)[:-1]
    mean = float(found[:-1].mean())
    return float(found[-1]), mean, float(found.max()) / mean, float(plain.max() / plain.mean())


def at(direction: str, num_frames: int) -> slice:
    """The differences over the overlap, in a film that is continued by one as long."""
    first = num_frames - OVERLAP - 1
    return slice(first, first + OVERLAP + 1)


def joint(film: np.ndarray, overlap: slice) -> tuple[float, float]:
    """The mean difference over the overlap, and the median elsewhere."""
    found = differences(film)[:-1]
    return float(found[overlap].mean()), float(np.median(np.delete(found, np.r_[overlap])))


def draw(loops: list[np.ndarray], going_on: dict[str, list[np.ndarray]], options: argparse.Namespace) -> None:
    """A row for each film: the frames on both sides of its joint."""
    rows = [np.concatenate([loop[-SHOWN:], loop[:SHOWN]]) for loop in loops]
    middle = options.frames - OVERLAP // 2
    rows += [film[middle - SHOWN : middle + SHOWN] for made in going_on.values() for film in made]
    words = ("loop", *going_on)
    labels = [f"{word}: {prompt}" for word in words for prompt in PROMPTS]
    contact_sheet(rows, labels=labels, columns=2 * SHOWN, path=options.sheet)


if __name__ == "__main__":
    sys.exit(main())
