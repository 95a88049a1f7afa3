"""Long films: memory whatever the length, and whether the windows that they are made in can be seen.

    python benchmarks/long.py                        # gallop, 128 px, 41 and 401 frames, 8 steps: the claim
    python benchmarks/long.py --frames 161 --no-report
    python benchmarks/long.py --out runs/long        # films stay there; stopped, the same command goes on

Each film is a process of its own, `muybridge generate` from start to end. At a join the picture passes from one window
to the next within a few frames, the frame before and the frame after included. Differences between them are averaged
place by place over the joins of a film; the largest is held against the median of all its differences, and is what the
target is about, as is the first, where the second window begins, against the median without those. The mean of all of
them is held against the median outside of joins. That flatters none: the first frame of a latent frame differs more
from the one before than others do, in any film of this VAE, and with windows of 17 frames all of those lie in joins.
Drift is what the last 17 frames have more or less than the first 17. Writes benchmarks/reports/long_HARDWARE_DATE.md;
exit code 1 where the memory or a film is above a target.
"""

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from children import Usage, measured  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402

from muybridge.core.shapes import TEMPORAL_RATIO, latent_frames  # noqa: E402
from muybridge.media.sheet import contact_sheet  # noqa: E402
from muybridge.media.video import read_video  # noqa: E402
from muybridge.pipelines.long.film import FADED, HELD  # noqa: E402

PROMPTS = (
    "a brown horse gallops to the right over green grass",
    "a red car drives to the left",
    "a penguin hops over snow",
    "a whale swims in the sea",
)
SEED = 7
SHORT_FRAMES, OTHER_FRAMES = 41, 65
MAX_MEMORY, MAX_JOIN = 1.05, 1.2  # of the short film's peak, of the median difference
END_FRAMES = 17


@dataclass(frozen=True, kw_only=True, slots=True)
class Seams:
    """Differences of a film at its joins, in parts of the median elsewhere, and the look of both ends."""

    first: float  # of the frames with which windows begin, by the median of others
    largest: float  # place of a join, by the median of all
    mean: float  # of a join, by the median outside
    begins: float  # of frames that begin a latent frame outside, by that
    ends: tuple[tuple[float, float, float], tuple[float, float, float]]  # brightness, contrast, saturation; of 255

    @property
    def worst(self) -> float:
        """What the target is about."""
        return max(self.first, self.largest)


def main() -> int:
    options = parse()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        short = film(PROMPTS[0], SHORT_FRAMES, folder / "short.mkv", options)
        films = [(prompt, options.frames if prompt == PROMPTS[0] else OTHER_FRAMES) for prompt in PROMPTS]
        paths = [folder / f"{index}.mkv" for index in range(len(films))]
        usages = [film(*each, path, options) for each, path in zip(films, paths, strict=True)]
        frames = [read_video(path)[0] for path in paths]
    if options.sheet is not None:
        contact_sheet([frames[0][:: max(1, len(frames[0]) // 13)]], labels=[PROMPTS[0]], columns=13, path=options.sheet)
    found = [seams(each, options.window) for each in frames]
    memory, worst = usages[0].peak_bytes / short.peak_bytes, max(each.worst for each in found)
    lines = [
        "# Long films, window by window",
        "",
        f"`python {' '.join(['benchmarks/long.py', *sys.argv[1:]])}` at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}, {os.cpu_count()} cores; torch {torch.__version__}, Python {platform.python_version()}. "
        f"gallop, {options.size}, {options.steps} steps, windows of {options.window} frames.",
        "",
        "| frames | peak memory | wall | processor |",
        "|---|---|---|---|",
        usage_line(SHORT_FRAMES, short),
        usage_line(options.frames, usages[0]),
        "",
        f"The long film takes {memory:.3f} times the memory of the short one (target: at most {MAX_MEMORY}).",
        "",
        "Differences at joins in parts of a film's median, as `--help` says; brightness, contrast, saturation (of 255)",
        f"of the first and the last {END_FRAMES} frames.",
        "",
        "| film | frames | first | largest | mean | beginnings outside | brightness | contrast | saturation |",
        "|---|---|---|---|---|---|---|---|---|",
        *(seam_line(*each, seam) for each, seam in zip(films, found, strict=True)),
        "",
        f"The largest of all firsts and largests: {worst:.2f} (target: at most {MAX_JOIN}, for every film).",
    ]
    print("\n".join(lines))
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"long_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    return 0 if memory <= MAX_MEMORY and worst <= MAX_JOIN else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=401)
    parser.add_argument("--size", default="128x128")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--window", type=int, default=17)
    parser.add_argument("--out", type=Path, default=None, help="keep films here, and make only those that are missing")
    parser.add_argument("--sheet", type=Path, default=None, help="also write frames of the long film as a picture")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def film(prompt: str, num_frames: int, path: Path, options: argparse.Namespace) -> Usage:
    """One process that makes a film without loss; of a film that is there already, what its process took."""
    words = ["generate", prompt, "--seed", str(SEED), "--frames", str(num_frames), "--window", str(options.window)]
    words += ["--size", options.size, "--steps", str(options.steps), "--codec", "ffv1", "-o", str(path)]
    kept = path.with_suffix(".usage.json")
    if not kept.exists():
        path.unlink(missing_ok=True)
        usage = measured([sys.executable, "-m", "muybridge", *words])
        kept.write_text(json.dumps(asdict(usage) | {"words": words}))
    said = json.loads(kept.read_text())
    if said.pop("words") != words:
        sys.exit(f"{kept}: is of another command; choose another folder.")
    return Usage(**said)


def seams(frames: np.ndarray, window: int) -> Seams:
    """What the film's differences say; difference i is that of frame i + 1."""
    film = frames.astype(np.float32)
    differences = np.array([np.abs(after - before).mean() for before, after in zip(film, film[1:], strict=False)])
    size, index = latent_frames(window), np.arange(len(differences))
    first = TEMPORAL_RATIO * (size - FADED - 1)
    place = (index - first) % (TEMPORAL_RATIO * (size - HELD - FADED))
    is_join = (index >= first) & (place <= TEMPORAL_RATIO * FADED)
    begins = (index % TEMPORAL_RATIO == 0) & ~is_join
    outside = np.median(differences[~is_join])
    places = [differences[is_join & (place == each)].mean() for each in range(TEMPORAL_RATIO * FADED + 1)]
    return Seams(
        first=float(places[0] / np.median(differences[~(is_join & (place == 0))])),
        largest=float(max(places) / np.median(differences)),
        mean=float(differences[is_join].mean() / outside),
        begins=float(np.median(differences[begins]) / outside),
        ends=(look(film[:END_FRAMES]), look(film[-END_FRAMES:])),
    )


def look(film: np.ndarray) -> tuple[float, float, float]:
    """Brightness, contrast (deviation within a frame) and saturation (largest less smallest channel)."""
    contrast = film.std(axis=(1, 2, 3)).mean()
    return float(film.mean()), float(contrast), float((film.max(axis=3) - film.min(axis=3)).mean())


def usage_line(num_frames: int, usage: Usage) -> str:
    return f"| {num_frames} | {usage.peak_bytes / 2**20:.0f} MiB | {usage.wall_s:.0f} s | {usage.cpu_s:.0f} s |"


def seam_line(prompt: str, num_frames: int, seam: Seams) -> str:
    ratios = f"{seam.first:.2f} | {seam.largest:.2f} | {seam.mean:.2f} | {seam.begins:.2f}"
    drifts = " | ".join(f"{before:.0f} to {after:.0f}" for before, after in zip(*seam.ends, strict=True))
    return f"| {prompt} | {num_frames} | {ratios} | {drifts} |"


if __name__ == "__main__":
    sys.exit(main())
