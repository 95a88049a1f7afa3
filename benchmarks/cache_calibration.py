"""Measures what the budget of a step cache needs to know of `gallop`, and writes it where the package reads it.

    python benchmarks/cache_calibration.py --out runs/caches       # 24 films, of other captions than caches.py tests

Gains of the VAE's channels: decoded films with noise added to one channel at a time. Then films are made with gaps of
all lengths that grow along the run, and with gaps as the laws of those plan them, and two laws are fitted: how much a
velocity surprises after a distance in log-odds of the noise, and how much of a gap's correction is left in the finished
film (`acceleration.caches.calibration`). Then films are made within budgets, and what the laws estimate of them is
fitted to what they reach. Rows are kept in OUT/calibration.jsonl and OUT/calibration_budgets.jsonl: an interrupted run
goes on. Writes src/muybridge/acceleration/caches/calibrations/NAME.json.
"""

import argparse
import datetime
import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
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
from benchmarks.cache_ways import QUALITIES, ways  # noqa: E402
from benchmarks.machine import commit  # noqa: E402
from muybridge.acceleration.caches.calibration import Calibration  # noqa: E402
from muybridge.acceleration.caches.gaps import Gap, log_odds  # noqa: E402
from muybridge.acceleration.caches.plan import planned  # noqa: E402
from muybridge.acceleration.caches.relative import relative_change  # noqa: E402
from muybridge.acceleration.caches.teacache import modulated_input  # noqa: E402
from muybridge.core import config  # noqa: E402
from muybridge.flow.evaluations import Evaluation, evaluations  # noqa: E402
from muybridge.flow.samplers import sampler  # noqa: E402
from muybridge.flow.timesteps import inference_sigmas  # noqa: E402

FOLDER = ROOT / "src" / "muybridge" / "acceleration" / "caches" / "calibrations"
LEVELS = (1.0, 0.93, 0.8, 0.6, 0.4, 0.2, 0.09)
NUM_PLACEMENTS, NUM_PLANNED = 6, 3  # a film
MIN_COMPUTED, MAX_COMPUTED = 6, 15
MIN_BEND, MAX_BEND = 1.1, 2.2  # gaps grow along the run: evaluation number u of 1 is at the share u**bend of it
NOISE = 0.05  # standard deviation added to a channel of latents: small against their 0.4 to 1.6
TEACACHE_FILMS, MAGCACHE_FILMS = 12, 3


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
            return gap.predicted(here)[None]
        start, closed = gap.start, gap.close(here, velocity(x, sigma)[0])
        if closed.surprise is None:
            return closed.velocity[None]
        gaps.append((start, here, closed.share, _by_channel(closed.surprise)))
        return (closed.velocity + closed.share / run[here].weight * closed.surprise)[None]

    error = bench.sample(cached, index) - dense["latents"]
    return Made(index=index, computed=tuple(computed), gaps=gaps, error=_by_channel(error))


def placements(num: int, *, seed: int) -> Iterator[tuple[int, ...]]:
    """Drawn: from few to many evaluations, gaps that grow more or less along the run, each moved by up to a third."""
    drawn = random.Random(seed)
    for _ in range(NUM_PLACEMENTS):
        count, bend = drawn.randint(MIN_COMPUTED, MAX_COMPUTED), drawn.uniform(MIN_BEND, MAX_BEND)
        moved = [number + drawn.uniform(-0.33, 0.33) for number in range(1, count - 1)]
        inner = (round((num - 1) * (place / (count - 1)) ** bend) for place in moved)
        yield tuple(sorted({0, 1, num - 1, *inner}))


def planned_placements(
    calibration: Calibration, run: Sequence[Evaluation], indices: Sequence[int]
) -> list[tuple[int, tuple[int, ...]]]:
    """Those that first laws think best: plans take the gaps that are thought too cheap, which only such films tell."""
    found = planned(run, calibration)
    counts = range(MIN_COMPUTED, MAX_COMPUTED)
    return [
        (index, found.path(counts[(index + number * len(counts) // NUM_PLANNED) % len(counts)]))
        for index in indices
        for number in range(NUM_PLANNED)
    ]


def gathered(
    bench: Bench, wanted: Sequence[tuple[int, tuple[int, ...]]], run: Sequence[Evaluation], *, file: Path
) -> list[Made]:
    """The films with these placements; those in `file` are read, the others made and added."""
    films = [Made(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
    known = {(film.index, tuple(film.computed)): film for film in films}
    for index, computed in wanted:
        if (index, computed) not in known:
            film = known[index, computed] = made(bench, index, computed, run)
            with file.open("a") as lines:
                lines.write(json.dumps({name: getattr(film, name) for name in Made.__slots__}) + "\n")
            print(f"film {index}, {len(computed)} computed", file=sys.stderr, flush=True)
    return [known[each] for each in dict.fromkeys(wanted)]


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


def kept_gains(bench: Bench, indices: Sequence[int], *, file: Path) -> list[float]:
    """Those in the file, or measured and put there."""
    if not file.exists():
        file.write_text(json.dumps(_rounded(channel_gains(bench, indices))))
    return json.loads(file.read_text())


def calibration(films: Sequence[Made], gains: Sequence[float], run: Sequence[Evaluation]) -> Calibration:
    """roughness, exponent, carries and growth; and the standard deviation in dB of the estimate.

    Carries are fitted to the mean of the errors, not to the middle film: a placement is judged by the films that it
    fails as well. The loss is the deviance of a gamma distribution, whose spread is a share of its mean.
    """
    in_pixels = np.array(gains)
    owner, share, surprise, far, hats = (
        np.array(column)
        for column in zip(
            *(
                (number, share, in_pixels @ change, _distance(run[start], run[end]), _hats(run[end].sigma))
                for number, film in enumerate(films)
                for start, end, share, change in film.gaps
            ),
            strict=True,
        )
    )
    far = np.log(far)
    rough, *_ = np.linalg.lstsq(np.column_stack([hats, far]), 0.5 * np.log(surprise), rcond=None)
    errors = np.array([in_pixels @ film.error for film in films])

    def ratios(p: np.ndarray) -> np.ndarray:
        terms = share**2 * surprise * np.exp(hats @ p[:-1] + 2 * p[-1] * far)
        return errors / (np.bincount(owner, terms, len(films)) + 1e-9)

    def deviances(p: np.ndarray) -> np.ndarray:
        found = ratios(p)
        return np.sqrt(2 * np.maximum(found - np.log(found) - 1, 0))

    begun = np.append(np.full(len(LEVELS), -1.0), 0.0)
    found = least_squares(  # the small terms hold levels that few gaps end at near their neighbours
        lambda p: np.concatenate([deviances(p), 0.2 * np.diff(p[:-1]), 0.03 * (p - begun)]), begun
    ).x
    return Calibration(
        channel_gains=tuple(gains),
        levels=LEVELS,
        roughness=_rounded(np.exp(rough[:-1])),
        exponent=round(float(rough[-1]), 3),
        carries=_rounded(np.exp(found[:-1])),
        growth=round(float(found[-1]), 3),
        spread_db=round(float(np.log(ratios(found)).std() * 10 / np.log(10)), 2),
        origin="",
    )


def _distance(start: Evaluation, end: Evaluation) -> float:
    return log_odds(start.sigma) - log_odds(end.sigma)


def _hats(sigma: float) -> np.ndarray:
    """Weights of the levels in an interpolation at sigma."""
    return np.array([np.interp(-sigma, -np.array(LEVELS), row) for row in np.eye(len(LEVELS))])


class _Enough(Exception):
    """The first block has been reached."""


@torch.inference_mode()
def teacache_polynomial(bench: Bench, indices: Sequence[int]) -> tuple[float, ...]:
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


@torch.inference_mode()
def magcache_ratios(bench: Bench, indices: Sequence[int]) -> tuple[float, ...]:
    """Mean length of a token's residual over all blocks to that before; mean over films and halves."""
    blocks, entry, lengths = list(bench.pipe.components.transformer.blocks()), {}, []

    def enter(_module: torch.nn.Module, inputs: tuple[Tensor, ...], _named: dict) -> None:
        entry["tokens"] = inputs[0].clone()

    def leave(_module: torch.nn.Module, _inputs: tuple[Tensor, ...], _named: dict, found: Tensor) -> None:
        visual = found[:, : entry["tokens"].shape[1]]
        lengths.append((visual - entry["tokens"]).norm(dim=-1).mean(0))

    hooks = [
        blocks[0].register_forward_pre_hook(enter, with_kwargs=True),
        blocks[-1].register_forward_hook(leave, with_kwargs=True),
    ]
    ratios = []
    for index in indices:
        lengths.clear()
        bench.sample(bench.velocity(bench.dense(index)), index)
        passes = torch.stack(lengths).reshape(bench.plan.num_steps, -1, lengths[0].shape[-1])
        ratios.append((passes[1:] / passes[:-1]).mean((1, 2)))
    for hook in hooks:
        hook.remove()
    return _rounded(torch.stack(ratios).mean(0).tolist())


def _by_channel(latents: Tensor) -> list[float]:
    return latents.square().mean((1, 2, 3)).tolist()


def _rounded(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{value:.5g}") for value in values)


def within_budgets(bench: Bench, indices: Sequence[int], *, model: str, file: Path) -> dict[str, float]:
    """How the PSNR that the laws estimate goes with the real one: a line by least squares, and what is left of it."""
    tried = [way for way in ways(model) if way.setting in QUALITIES]
    rows = bench.rows(tried, indices, file=file)
    estimated, reached = (np.array([getattr(row, name) for row in rows]) for name in ("estimated_psnr_db", "psnr_db"))
    slope, offset = np.polyfit(estimated, reached, 1)
    left = reached - (offset + slope * estimated)
    found = {"slope": slope, "offset_db": offset, "spread_db": left.std(ddof=2)}
    return {name: round(float(value), 3) for name, value in found.items()}


def _write(model: str, values: Mapping[str, object]) -> None:
    (FOLDER / f"{model}.json").write_text(json.dumps(values, indent=1) + "\n")


def main() -> int:
    """Make what is missing, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gallop")
    parser.add_argument("--num", type=int, default=NUM_CALIBRATION, help="films")
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps films and rows")
    parser.add_argument("--published", action="store_true", help="print TeaCache's polynomial and MagCache's ratios")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(muybridge.load(options.model), options.out)
    run = evaluations(sampler(bench.plan.sampler), inference_sigmas(bench.plan.num_steps, shift=bench.plan.shift))
    file, indices = options.out / "calibration.jsonl", range(NUM_TEST, NUM_TEST + options.num)
    gains = kept_gains(bench, indices[:4], file=options.out / "calibration_gains.json")
    drawn = [(index, computed) for index in indices for computed in placements(len(run), seed=index)]
    films = gathered(bench, drawn, run, file=file)
    first = calibration(films, gains, run)
    films += gathered(bench, planned_placements(first, run, indices), run, file=file)
    plan = bench.plan
    origin = (
        f"{len(films)} films of {options.num} captions, {plan.num_steps} {plan.sampler} steps, shift {plan.shift:g}, "
        f"cfg {plan.cfg:g}; {datetime.date.today()}, commit {commit()}"
    )
    values = config.to_dict(calibration(films, gains, run)) | {"origin": origin}
    _write(options.model, values)
    values |= within_budgets(bench, indices, model=options.model, file=options.out / "calibration_budgets.jsonl")
    _write(options.model, values)
    print(json.dumps(values, indent=1))
    if options.published:
        print("TeaCache's polynomial:", teacache_polynomial(bench, indices[:TEACACHE_FILMS]))
        print("MagCache's ratios:", magcache_ratios(bench, indices[:MAGCACHE_FILMS]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
