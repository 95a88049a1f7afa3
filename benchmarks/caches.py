"""Step caches on `gallop`: what they cost and keep, and whether ours keeps what it was asked for.

    python benchmarks/caches.py --out runs/caches                 # make what is missing, report, draw
    python benchmarks/caches.py --out runs/caches --num 8         # the first prompts only
    python benchmarks/caches.py --out runs/caches --report-only   # from the rows that there are

Fifty held-out captions, seeds 0 to 49, the model's own settings; every way starts from the same noise, and its film is
compared with the one without a cache, as decoded. Calibrate first (cache_calibration.py), on other captions. Rows are
kept in OUT/rows.jsonl: the same command goes on where it was left. Writes benchmarks/reports/caches_HARDWARE_DATE.md,
docs/data/caches.csv, docs/pictures/caches.png and the table of docs/explanation/step-caches.md; one thread, some 30
minutes on a free core.
"""

import argparse
import csv
import datetime
import re
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

import muybridge  # noqa: E402
from benchmarks.cache_runs import NUM_TEST, Bench, Row, read_rows  # noqa: E402
from benchmarks.cache_ways import OURS, ways  # noqa: E402
from benchmarks.machine import commit, hardware, processor  # noqa: E402
from muybridge.core.files import atomic_path  # noqa: E402

TABLE = ROOT / "docs" / "data" / "caches.csv"
PICTURE = ROOT / "docs" / "pictures" / "caches.png"
PAGE = ROOT / "docs" / "explanation" / "step-caches.md"
BLOCK = re.compile(r"(<!-- begin caches -->\n).*?(<!-- end caches -->)", re.DOTALL)
NEAR_DB, FAR_DB = 1.5, 3.0  # of the quality asked for: within, and never so far below
TEACACHE_GALLOP = (14572.9, -2045.22, 89.3614, -0.915168, 0.0488164)  # fitted by cache_calibration.py, 12 films


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One way at one setting over all prompts: means, and for ours how it kept to what was asked."""

    method: str
    setting: str
    num: int
    computed: float
    seconds: float
    psnr_db: float
    worst_db: float
    estimate_error_db: float | None  # mean absolute
    asked_db: float | None
    near: float | None  # share within NEAR_DB of what was asked
    far_below: int | None  # more than FAR_DB below it


def points(rows: Sequence[Row]) -> list[Point]:
    """One for each way and setting, in the order of the rows."""
    return [
        _point([row for row in rows if (row.method, row.setting) == key])
        for key in dict.fromkeys((row.method, row.setting) for row in rows)
    ]  # fmt: skip


def complete(rows: Sequence[Row], *, num_ways: int) -> list[Row]:
    """Those of the prompts that every way has made: ways are compared on the same films."""
    num_rows = Counter(row.index for row in rows)
    kept = [row for row in rows if num_rows[row.index] == num_ways]
    return sorted(kept, key=lambda row: (row.method, row.setting))


def _point(rows: Sequence[Row]) -> Point:
    first = rows[0]
    asked = float(first.setting.removeprefix("psnr>=")) if first.setting.startswith("psnr>=") else None
    misses = None if asked is None else [row.psnr_db - asked for row in rows]
    errors = [abs(row.estimated_psnr_db - row.psnr_db) for row in rows if row.estimated_psnr_db is not None]
    return Point(
        method=first.method,
        setting=first.setting,
        num=len(rows),
        computed=statistics.mean(row.computed for row in rows),
        seconds=statistics.median(row.seconds for row in rows),
        psnr_db=statistics.mean(row.psnr_db for row in rows),
        worst_db=min(row.psnr_db for row in rows),
        estimate_error_db=statistics.mean(errors) if errors else None,
        asked_db=asked,
        near=None if misses is None else sum(abs(miss) <= NEAR_DB for miss in misses) / len(misses),
        far_below=None if misses is None else sum(miss < -FAR_DB for miss in misses),
    )


def report(found: Sequence[Point], *, num_evaluations: int, command: str) -> str:
    """The dated page."""
    lines = [
        "# Step caches on gallop",
        "",
        f"`{command}` at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}, one thread; torch {torch.__version__}.",
        f"PSNR of decoded films against the same film without a cache ({num_evaluations} evaluations, guidance halves "
        "counted as one). Processor time of sampling, median; first block counts its one block. The estimate is what "
        "the run says of itself.",
        "",
    ]
    return "\n".join(lines) + "\n" + table(found, num_evaluations=num_evaluations) + "\n"


def table(found: Sequence[Point], *, num_evaluations: int) -> str:
    """One line for each way and setting."""
    head = (
        "way", "setting", "films", "computed", "speed", "s", "PSNR, dB", "worst", "estimate off by",
        f"within {NEAR_DB} dB of asked", f"over {FAR_DB:.0f} dB below",
    )  # fmt: skip
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for point in found:
        speed = num_evaluations / point.computed
        cells = (
            point.method, point.setting, str(point.num), f"{point.computed:.1f}", f"{speed:.2f}x",
            f"{point.seconds:.2f}", f"{point.psnr_db:.1f}", f"{point.worst_db:.1f}", _number(point.estimate_error_db),
            _share(point.near), "" if point.far_below is None else str(point.far_below),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def fill(page: Path, text: str) -> None:
    """Put the table between the markers of the page that explains it."""
    filled, num = BLOCK.subn(lambda marks: f"{marks[1]}{text}\n{marks[2]}", page.read_text())
    assert num == 1, "the page has its two markers"
    with atomic_path(page) as temporary:
        temporary.write_text(filled)


def draw(found: Sequence[Point], path: Path) -> None:
    """PSNR against evaluations computed, a line for each way."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), dpi=100)
    for method in dict.fromkeys(point.method for point in found):
        own = sorted((point.computed, point.psnr_db) for point in found if point.method == method)
        axes.plot(*zip(*own, strict=True), marker="o", label=method, linewidth=2 if method == OURS else 1)
    axes.set_xlabel("network evaluations computed, of 30")
    axes.set_ylabel("PSNR against the film without a cache, dB")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


def write_table(found: Sequence[Point], path: Path) -> None:
    """The points as CSV, beside the page that shows them."""
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["method", "setting", "films", "computed", "psnr_db", "worst_db", "within_1.5_db"])
        for point in found:
            near = "" if point.near is None else f"{point.near:.2f}"
            numbers = [f"{point.computed:.2f}", f"{point.psnr_db:.2f}", f"{point.worst_db:.2f}"]
            table.writerow([point.method, point.setting, point.num, *numbers, near])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def main() -> int:
    """Make what is missing, report, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gallop")
    parser.add_argument("--num", type=int, default=NUM_TEST, help="prompts")
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps films and rows")
    parser.add_argument("--report-only", action="store_true", help="make nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    file, num_evaluations = options.out / "rows.jsonl", 30
    compared = ways(options.model, TEACACHE_GALLOP)
    if options.report_only:
        wanted = {(way.method, way.setting, way.identity) for way in compared}
        rows = [row for row in read_rows(file) if row.key[:3] in wanted]
    else:
        bench = Bench(muybridge.load(options.model), options.out)
        num_evaluations = bench.plan.num_steps
        rows = bench.rows(compared, range(options.num), file=file)
    chosen = [row for row in rows if row.index < options.num]
    found = points(complete(chosen, num_ways=len(compared)))
    text = report(
        found, num_evaluations=num_evaluations, command=f"python {' '.join(['benchmarks/caches.py', *sys.argv[1:]])}"
    )
    print(text)
    name = f"caches_{hardware()}_{datetime.date.today()}.md"
    (ROOT / "benchmarks" / "reports" / name).write_text(text)
    write_table(found, TABLE)
    draw(found, PICTURE)
    measured = f"Measured on {datetime.date.today()} at commit {commit()}."
    fill(PAGE, f"{table(found, num_evaluations=num_evaluations)}\n\n{measured}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
