"""Deciding a million clips anew by another table of thresholds, from their scores alone.

    python benchmarks/retier.py                      # 1,000,000 rows, every column of the default table: the claim
    python benchmarks/retier.py --rows 100000 --no-report

The rows are drawn by chance, with every column that the default table asks about, thirty more numbers, and the texts
and paths that a manifest has; some values are missing. Timed is all from the file with the old decisions to the file
with the new ones: reading, deciding, writing. Then the tiers are compared with a second, stricter table: no clip may
gain by it. Writes benchmarks/reports/retier_HARDWARE_DATE.md; exit code 1 above a target.
"""

import argparse
import datetime
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
import pyarrow  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402

from muybridge.curation.decide import Decisions  # noqa: E402
from muybridge.curation.default_thresholds import DEFAULT_THRESHOLDS  # noqa: E402
from muybridge.curation.output.decided import decided  # noqa: E402
from muybridge.curation.output.manifest import MANIFEST, read_manifest, write_manifest  # noqa: E402
from muybridge.curation.output.table import Table  # noqa: E402
from muybridge.curation.threshold_files import parse_thresholds, written  # noqa: E402
from muybridge.curation.thresholds import FILM_TIERS, TIERS, Rule, Thresholds  # noqa: E402

MAX_S = 10.0
MORE_COLUMNS = 30
MISSING = 0.02


def main() -> int:
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = drawn(options.rows)
        _, before = write_manifest(folder, table, DEFAULT_THRESHOLDS, about={})
        size_mb = (folder / MANIFEST).stat().st_size / 1e6
        stricter = tightened(parse_thresholds(written(DEFAULT_THRESHOLDS)))
        del table
        steps, after = timed(folder, stricter)
    gained = sum(int((after.reaches(tier) & ~before.reaches(tier)).sum()) for tier in TIERS)
    outside = sum(
        int((after.reaches(following) & ~after.reaches(tier)).sum())
        for tier, following in zip(FILM_TIERS, FILM_TIERS[1:], strict=False)
    )
    total = sum(steps.values())
    lines = [
        "# Deciding anew",
        "",
        f"`python {' '.join(['benchmarks/retier.py', *sys.argv[1:]])}` at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}, {os.cpu_count()} cores; pyarrow {pyarrow.__version__}, Python {platform.python_version()}. "
        f"{options.rows:,} clips, {len(DEFAULT_THRESHOLDS.columns)} columns of rules, a manifest of {size_mb:,.0f} MB.",
        "",
        "| step | seconds |",
        "|---|---|",
        *(f"| {step} | {seconds:.2f} |" for step, seconds in steps.items()),
        f"| together | {total:.2f} |",
        "",
        f"Target: below {MAX_S:g} s for 1,000,000 clips. Peak memory {peak_gib():.2f} GiB.",
        "",
        "| tier | clips before | by the stricter table |",
        "|---|---|---|",
        *(f"| {tier} | {before.counts()[tier]:,} | {after.counts()[tier]:,} |" for tier in TIERS),
        "",
        f"Clips that gained a tier by the stricter table: {gained}. "
        f"Clips of a tier that are not in the one before: {outside}.",
        "",
    ]
    print("\n".join(lines))
    if options.report:
        place = ROOT / "benchmarks" / "reports" / f"retier_{hardware()}_{datetime.date.today()}.md"
        place.write_text("\n".join(lines))
    return int(total > MAX_S or gained > 0 or outside > 0)


def timed(folder: Path, thresholds: Thresholds) -> tuple[dict[str, float], Decisions]:
    """Seconds of each step from file to file, and the decisions."""
    start = time.perf_counter()
    table = read_manifest(folder)
    read = time.perf_counter()
    table, decisions = decided(table, thresholds)
    done = time.perf_counter()
    table.write(folder / MANIFEST, about={})
    end = time.perf_counter()
    return {"read the manifest": read - start, "decide": done - read, "write the manifest": end - done}, decisions


def drawn(count: int) -> Table:
    """Rows by chance, about a fiftieth of each score missing."""
    rng = np.random.default_rng(0)
    numbers = np.arange(count)
    columns: dict[str, object] = {
        "id": [f"{number:08x}-0000-5000-8000-{number * 2654435761 % 2**48:012x}" for number in numbers.tolist()],
        "uri": [f"footage/{number // 20:06d}.mp4" for number in numbers.tolist()],
        "clip": [f"clips/{number % 256:02x}/{number:08x}.mp4" for number in numbers.tolist()],
        "is_picture": rng.random(count) < 0.1,
        "short_px": rng.integers(180, 1080, count),
        "num_frames": rng.integers(10, 200, count),
        "duplicate_of": [None if number % 20 else "another" for number in numbers.tolist()],
        "caption": [f"A clip of the kind {number % 1000} moves." for number in numbers.tolist()],
    }
    for rule in DEFAULT_THRESHOLDS.rules:
        if rule.column not in columns:
            columns[rule.column] = scores(rng, rule, count)
    for number in range(MORE_COLUMNS):
        columns[f"score_{number}"] = rounded(rng.random(count))
    return Table(pyarrow.table(columns))


def scores(rng: np.random.Generator, rule: Rule, count: int) -> pyarrow.Array:
    """Values on both sides of every limit, so that each rule turns some clips away."""
    if rule.kind in ("one_of", "none_of"):
        words = [word for limit in rule.limits.values() if isinstance(limit, tuple) for word in limit]
        return pyarrow.array(rng.choice([*words, "other", "more", "plain"], count))
    limits = [float(limit) for limit in rule.limits.values() if not isinstance(limit, tuple)]
    low, high = min(limits), max(limits)
    spread = rng.beta(2, 2, count) * (2 * high + 0.1)
    values = spread if rule.kind == "at_least" else spread * 0.5 * (low + high) / (2 * high + 0.1)
    return pyarrow.array(rounded(values), mask=rng.random(count) < MISSING)


def rounded(values: np.ndarray) -> np.ndarray:
    return np.round(values, 6)


def tightened(thresholds: Thresholds) -> Thresholds:
    """A stricter table: every limit of a number a tenth further."""
    rules = []
    for rule in thresholds.rules:
        factor = 1.1 if rule.kind == "at_least" else 0.9
        limits = {
            tier: limit if isinstance(limit, tuple | bool) else factor * limit for tier, limit in rule.limits.items()
        }
        rules.append(Rule(stage=rule.stage, column=rule.column, kind=rule.kind, limits=limits))
    return Thresholds(rules=tuple(rules))


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--no-report", dest="report", action="store_false")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
