"""Whether sampling moves what `gallop` gets wrong: direction of movement and flicker, a row for each way to sample.

Same held-out captions and seeds throughout, those whose subject crosses the frame, so rows compare film by film; the
films are kept with those of gallop_scores.py, and the same command goes on where it was left.

    python benchmarks/gallop_sampling.py --num 24 --out runs/scores
"""

import argparse
import datetime
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import muybridge  # noqa: E402
from benchmarks.machine import commit, hardware, processor  # noqa: E402
from benchmarks.made_films import Sampling, decoded, made_latents, spread_scenes  # noqa: E402
from muybridge.evaluation.accuracy import Share  # noqa: E402
from muybridge.evaluation.motion import flicker  # noqa: E402
from muybridge.evaluation.probes import ClipProbe, judge, load_probe  # noqa: E402
from muybridge.recipes.gallop import flow_world  # noqa: E402
from muybridge.training.tasks.probing import facts_of  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402
from muybridge.worlds.sprites import SpritesWorld  # noqa: E402

PROBE = ROOT / "src" / "muybridge" / "evaluation" / "embedded" / "gallop-probe.safetensors"
DIRECTIONS = ("left", "right", "up", "down")
WAYS = (
    Sampling(),
    Sampling(cfg=1.5), Sampling(cfg=5.0),
    Sampling(shift=1.5), Sampling(shift=6.0),
    Sampling(steps=15),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One way to sample, judged: film by film."""

    name: str
    is_right: tuple[bool, ...]
    subject: Share
    flicker: tuple[float, ...]


def row(name: str, asked: Sequence[dict[str, str]], films: Sequence[np.ndarray], probe: ClipProbe) -> Row:
    """What the probe and the flicker say of the films."""
    seen = judge(probe, films)
    pairs = list(zip(asked, seen, strict=True))
    return Row(
        name=name,
        is_right=tuple(a["motion"] == s["motion"] for a, s in pairs),
        subject=Share(num_right=sum(a["subject"] == s["subject"] for a, s in pairs), num=len(pairs)),
        flicker=tuple(flicker(film) for film in films),
    )


def mcnemar(won: int, lost: int) -> float:
    """Chance that so uneven a count of changed films comes of a fair coin, two-sided, exact."""
    num, fewer = won + lost, min(won, lost)
    return min(1.0, 2 * sum(math.comb(num, k) for k in range(fewer + 1)) / 2**num)


def report(rows: Sequence[Row], num: int) -> str:
    """A table; differences from the model's own way are paired, by McNemar's exact test and a paired standard error."""
    real, own = rows[0], rows[1]
    lines = [
        "# Sampling gallop: direction and flicker",
        "",
        f"`python benchmarks/gallop_sampling.py --num {num}` at commit {commit()}, "
        f"{datetime.date.today().isoformat()}, {processor()}.",
        f"The first {num} of gallop_scores.py's held-out captions whose subject crosses the frame, same seeds in every "
        "row. Shares with 95 % Wilson intervals; p is McNemar's exact test against the model's own way; flicker is "
        "relative to the real clips, and its change from the model's own has the standard error of paired differences.",
        "",
        "| sampling | direction | won, lost | p | subject | flicker | change |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    scale = float(np.mean(real.flicker))
    for found in rows:
        share = Share(num_right=sum(found.is_right), num=len(found.is_right))
        won = sum(a and not b for a, b in zip(found.is_right, own.is_right, strict=True))
        lost = sum(b and not a for a, b in zip(found.is_right, own.is_right, strict=True))
        chance = mcnemar(won, lost)
        change = (np.array(found.flicker) - np.array(own.flicker)) / scale
        error = change.std(ddof=1) / len(change) ** 0.5
        lines.append(
            f"| {found.name} | {share} | {won}, {lost} | {chance:.2f} | {found.subject.value:.0%} "
            f"| {np.mean(found.flicker) / scale:.2f} | {change.mean():+.2f} ± {error:.2f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Make what is missing, judge, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gallop", help="catalogue name or folder")
    parser.add_argument("--num", type=int, default=24, help="films of each way")
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps the films")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the dated report")
    options = parser.parse_args()
    world = SpritesWorld(flow_world(), ensure("fluent-emoji-anim", on_progress=print))
    spread = enumerate(spread_scenes(world, 4 * options.num))
    crossing = [(seed, scene) for seed, scene in spread if scene.motion in DIRECTIONS][: options.num]
    seeds, scenes = [seed for seed, _ in crossing], [scene for _, scene in crossing]
    prompts, asked = [world.captions(scene)[0] for scene in scenes], [facts_of(scene) for scene in scenes]
    probe, pipe = load_probe(PROBE), muybridge.load(options.model)
    rows = []
    for way in WAYS:
        latents = made_latents(pipe, prompts, seeds, folder=options.out / "latents", sampling=way)
        films = list(decoded(pipe, latents, steady=pipe.components.defaults.steady))
        if not rows:
            height, width = films[0].shape[1:3]
            real = [world.render(scene, size_px=(width, height), num_frames=len(films[0])) for scene in scenes]
            rows.append(row("real clips", asked, real, probe))
        rows.append(row(str(way), asked, films, probe))
        print(report(rows, options.num), flush=True)
    if options.report:
        name = f"gallop-sampling_{hardware()}_{datetime.date.today().isoformat()}.md"
        (ROOT / "benchmarks" / "reports" / name).write_text(report(rows, options.num))
    return 0


if __name__ == "__main__":
    sys.exit(main())
