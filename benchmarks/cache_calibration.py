"""Measures what the budget of a step cache needs to know of `gallop`, and writes it where the package reads it.

    python benchmarks/cache_calibration.py --out runs/caches       # 24 films, of other captions than caches.py tests

Gains of the VAE's channels: decoded films with noise added to one channel at a time. Then films are made with gaps of
all lengths, and two laws are fitted by least squares in logarithms: how much a velocity surprises after a distance in
sigma, and how much of a gap's correction is left in the finished film (`acceleration.caches.calibration`). Gaps are
placed as the package places them today, and at random. Then films are made within budgets, and what the laws estimate
of them is fitted to what they reach. Rows are kept in OUT/calibration.jsonl and OUT/calibration_budgets.jsonl: an
interrupted run goes on. Also fits TeaCache's polynomial, which is printed. Writes
src/muybridge/acceleration/caches/calibrations/NAME.json.
"""

import argparse
import datetime
import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from scipy.optimize import least_squares  # noqa: E402
from torch import Tensor  # noqa: E402

import muybridge  # noqa: E402
from benchmarks.cache_runs import NUM_CALIBRATION, NUM_TEST, Bench  # noqa: E402
from benchmarks.cache_ways import ways  # noqa: E402
from benchmarks.machine import commit  # noqa: E402
from muybridge.acceleration.caches.gaps import Gap  # noqa: E402
from muybridge.acceleration.caches.relative import relative_change  # noqa: E402
from muybridge.acceleration.caches.teacache import modulated_input  # noqa: E402
from muybridge.flow.evaluations import Evaluation, evaluations  # noqa: E402
from muybridge.flow.samplers import sampler  # noqa: E402
from muybridge.flow.timesteps import inference_sigmas  # noqa: E402

FOLDER = ROOT / "src" / "muybridge" / "acceleration" / "caches" / "calibrations"
LEVELS = (1.0, 0.93, 0.8, 0.6, 0.4, 0.2, 0.09)
PLACEMENTS = (  # of 30 evaluations: as Placements chose them by a first calibration
    (0, 1, 7, 15, 23, 29),
    (0, 1, 3, 6, 11, 19, 26, 29),
    (0, 1, 2, 4, 6, 9, 14, 22, 27, 29),
    (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 24, 27, 29),
)
BUDGETS = ("psnr>=28", "psnr>=33", "psnr>=38", "speed=2.5x", "speed=3x", "speed=4x")
NUM_RANDOM = 2  # further placements a film
NOISE = 0.05  # standard deviation added to a channel of latents: small against their 0.4 to 1.6
TEACACHE_FILMS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A film with gaps: (start, end, share, squared surprise by channel) of each; its squared error by channel."""

    index: int
    computed: tuple[int, ...]
    gaps: list[tuple[int, int, float, list[float]]]
    error: list[float]


@torch.inference_mode()
def made(bench: Bench, index: int, computed: Sequence[int], run: Sequence[Evaluation]) -> Made:
    """The film whose evaluations are computed at these places."""
    dense, gap, gaps, at = bench.dense(index), Gap(run), [], iter(range(len(run)))
    velocity = bench.velocity(dense)

    def cached(x: Tensor, sigma: Tensor) -> Tensor:
        here = next(at)
        if here not in computed:
            return gap.predicted(here, end=min(place for place in computed if place > here))[None]
        start, closed = gap.start, gap.close(here, velocity(x, sigma)[0])
        if closed.surprise is None:
            return closed.velocity[None]
        gaps.append((start, here, closed.share, _by_channel(closed.surprise)))
        return (closed.velocity + closed.share / run[here].weight * closed.surprise)[None]

    error = bench.sample(cached, index) - dense["latents"]
    return Made(index=index, computed=tuple(computed), gaps=gaps, error=_by_channel(error))


def placements(num: int, *, seed: int) -> Iterator[tuple[int, ...]]:
    """The chosen ones, and random ones with gaps of up to three, five or seven."""
    yield from PLACEMENTS
    drawn = random.Random(seed)
    for _ in range(NUM_RANDOM):
        longest, path = drawn.choice((3, 5, 7)), [0, 1]
        while path[-1] < num - 1:
            path.append(min(num - 1, path[-1] + drawn.randint(1, longest)))
        yield tuple(path)


@torch.inference_mode()
def channel_gains(bench: Bench, indices: Sequence[int]) -> list[float]:
    """Squared pixel error for squared noise in each channel of the latents, mean over films."""
    generator, vae = torch.Generator().manual_seed(0), bench.pipe
    gains = np.zeros(bench.shape[0])
    for index in indices:
        latents = bench.dense(index)["latents"][None]
        film = vae.decode(latents).clamp(-1, 1)
        for channel in range(len(gains)):
            noise = torch.zeros_like(latents)
            noise[:, channel] = NOISE * torch.randn(latents[:, channel].shape, generator=generator)
            change = (vae.decode(latents + noise).clamp(-1, 1) - film).square().mean()
            gains[channel] += float(change / noise[:, channel].square().mean()) / len(indices)
    return gains.tolist()


def fitted(films: Sequence[Made], gains: Sequence[float], run: Sequence[Evaluation]) -> tuple[dict[str, object], float]:
    """roughness, exponent, carries and growth; and the standard deviation in dB of the estimate."""
    in_pixels = np.array(gains)
    gaps = [
        [
            (share, float(in_pixels @ surprise), run[start].sigma - run[end].sigma, _hats(run[end].sigma))
            for start, end, share, surprise in film.gaps
        ]
        for film in films
    ]
    rows = [(0.5 * np.log(surprise), np.append(hats, np.log(far))) for film in gaps for _, surprise, far, hats in film]
    rough, *_ = np.linalg.lstsq(np.stack([row for _, row in rows]), np.array([y for y, _ in rows]), rcond=None)
    errors = np.log([in_pixels @ film.error for film in films])

    def misses(p: np.ndarray) -> np.ndarray:
        sums = [
            sum(s * s * e * far ** (2 * p[-1]) * np.exp(hats @ p[:-1]) for s, e, far, hats in film) for film in gaps
        ]
        return np.log(np.array(sums) + 1e-9) - errors

    begun = np.append(np.full(len(LEVELS), -1.0), 0.0)
    found = least_squares(  # the small terms hold levels that few gaps end at near their neighbours
        lambda p: np.concatenate([misses(p), 0.2 * np.diff(p[:-1]), 0.03 * (p - begun)]), begun, loss="soft_l1"
    ).x
    laws: dict[str, object] = {
        "roughness": _rounded(np.exp(rough[:-1])),
        "exponent": round(float(rough[-1]), 3),
        "carries": _rounded(np.exp(found[:-1])),
        "growth": round(float(found[-1]), 3),
    }
    return laws, float(misses(found).std() * 10 / np.log(10))


def _hats(sigma: float) -> np.ndarray:
    """Weights of the levels in an interpolation at sigma."""
    return np.array([np.interp(-sigma, -np.array(LEVELS), row) for row in np.eye(len(LEVELS))])


class _Enough(Exception):
    """The first block has been reached."""


@torch.inference_mode()
def teacache_polynomial(bench: Bench, indices: Sequence[int]) -> list[float]:
    """Degree 4, by least squares: the relative change of the velocity over that of the modulated input."""
    block, probes = next(iter(bench.pipe.components.transformer.blocks())), []

    def stop(module: torch.nn.Module, inputs: tuple[Tensor, ...], named: dict) -> None:
        probes.append(modulated_input(module, inputs[0], inputs[0], named["signals"]))
        raise _Enough

    changes = []
    for index in indices:
        dense, at = bench.dense(index), iter(range(bench.plan.num_steps))
        velocity, velocities = bench.velocity(dense), dense["velocities"]
        probes.clear()

        def replayed(x: Tensor, sigma: Tensor) -> Tensor:
            try:
                velocity(x, sigma)  # noqa: B023
            except _Enough:
                pass
            return velocities[next(at)][None]  # noqa: B023

        hook = block.register_forward_pre_hook(stop, with_kwargs=True)
        bench.sample(replayed, index)
        hook.remove()
        for k in range(1, len(probes)):
            moved = (velocities[k] - velocities[k - 1]).abs().mean() / velocities[k - 1].abs().mean()
            changes.append((float(relative_change(probes[k], probes[k - 1])), float(moved)))
    x, y = np.array(changes).T
    return _rounded(np.polyfit(x, y, 4))


def _by_channel(latents: Tensor) -> list[float]:
    return latents.square().mean((1, 2, 3)).tolist()


def _rounded(values: Sequence[float] | np.ndarray) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def within_budgets(bench: Bench, indices: Sequence[int], *, model: str, file: Path) -> dict[str, float]:
    """How the PSNR that the laws estimate goes with the real one: a line by least squares, and what is left of it."""
    tried = [way for way in ways(model, (0.0,)) if way.setting in BUDGETS]
    rows = bench.rows(tried, indices, file=file)
    estimated, reached = (np.array([getattr(row, name) for row in rows]) for name in ("estimated_psnr_db", "psnr_db"))
    slope, offset = np.polyfit(estimated, reached, 1)
    left = reached - (offset + slope * estimated)
    found = {"slope": slope, "offset_db": offset, "spread_db": left.std(ddof=2)}
    return {name: round(float(value), 3) for name, value in found.items()}


def _write(model: str, values: dict[str, object]) -> None:
    (FOLDER / f"{model}.json").write_text(json.dumps(values, indent=1) + "\n")


def main() -> int:
    """Make what is missing, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gallop")
    parser.add_argument("--num", type=int, default=NUM_CALIBRATION, help="films")
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps films and rows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(muybridge.load(options.model), options.out)
    run = evaluations(sampler(bench.plan.sampler), inference_sigmas(bench.plan.num_steps, shift=bench.plan.shift))
    file, indices = options.out / "calibration.jsonl", range(NUM_TEST, NUM_TEST + options.num)
    films = [Made(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
    known = {(film.index, tuple(film.computed)) for film in films}
    for index in indices:
        for computed in placements(len(run), seed=index):
            if (index, computed) in known:
                continue
            film = made(bench, index, computed, run)
            films.append(film)
            with file.open("a") as lines:
                lines.write(json.dumps({name: getattr(film, name) for name in Made.__slots__}) + "\n")
            print(f"film {index}, {len(computed)} computed", file=sys.stderr, flush=True)
    gains = _rounded(channel_gains(bench, indices[:4]))
    laws, spread = fitted(films, gains, run)
    plan = bench.plan
    origin = (
        f"{len(films)} films of {options.num} captions, {plan.num_steps} {plan.sampler} steps, shift {plan.shift:g}, "
        f"cfg {plan.cfg:g}; {datetime.date.today()}, commit {commit()}"
    )
    values = {"channel_gains": gains, "levels": LEVELS, **laws, "spread_db": round(spread, 2), "origin": origin}
    _write(options.model, values)
    values |= within_budgets(bench, indices, model=options.model, file=options.out / "calibration_budgets.jsonl")
    _write(options.model, values)
    print(json.dumps(values, indent=1))
    print("TeaCache's polynomial:", teacache_polynomial(bench, indices[:TEACACHE_FILMS]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
