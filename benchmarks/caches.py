"""Step caches on `gallop`: what they cost and keep, and whether ours keeps what it was asked for.

    python benchmarks/caches.py --out runs/caches                 # make what is missing, report, draw
    python benchmarks/caches.py --out runs/caches --num 8         # the first prompts only
    python benchmarks/caches.py --out runs/caches --way budget    # ours only: whether it keeps what it was asked for
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
from muybridge.acceleration.caches.budget import Budget  # noqa: E402
from muybridge.acceleration.caches.calibration import TOLERANCE_DB  # noqa: E402
from muybridge.core.files import atomic_path  # noqa: E402

TABLE = ROOT / "docs" / "data" / "caches.csv"
PICTURE = ROOT / "docs" / "pictures" / "caches.png"
PAGE = ROOT / "docs" / "explanation" / "step-caches.md"
BLOCK = re.compile(r"(<!-- begin caches -->\n).*?(<!-- end caches -->)", re.DOTALL)
NEAR_DB, FAR_DB = 1.5, 3.0  # of the quality asked for: within, and never so far below
NUM_EVALUATIONS = 30  # of gallop


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One way at one setting over all prompts: means."""

    method: str
    setting: str
    num: int
    computed: float
    seconds: float
    psnr_db: float
    spread_db: float  # standard deviation among films
    worst_db: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """How films kept to a quality that was asked for."""

    asked_db: float
    num: int
    computed: float
    psnr_db: float
    estimate_error_db: float  # mean absolute
    near: float  # share within NEAR_DB of what was asked
    kept: float  # share at most TOLERANCE_DB below it
    num_far_below: int  # more than FAR_DB below it


def points(rows: Sequence[Row]) -> list[Point]:
    """One for each way and setting, in the order of the rows."""
    return [
        _point([row for row in rows if (row.method, row.setting) == key])
        for key in dict.fromkeys((row.method, row.setting) for row in rows)
    ]  # fmt: skip


def promises(rows: Sequence[Row]) -> list[Promise]:
    """One for each quality that was asked for."""
    settings = sorted({row.setting for row in rows if row.setting.startswith("psnr>=")})
    return [_promise([row for row in rows if row.setting == setting]) for setting in settings]


def complete(rows: Sequence[Row], *, num_ways: int) -> list[Row]:
    """Those of the prompts that every way has made: ways are compared on the same films."""
    num_rows = Counter(row.index for row in rows)
    kept = [row for row in rows if num_rows[row.index] == num_ways]
    return sorted(kept, key=lambda row: (row.method, row.setting))


def _point(rows: Sequence[Row]) -> Point:
    reached = [row.psnr_db for row in rows]
    return Point(
        method=rows[0].method,
        setting=rows[0].setting,
        num=len(rows),
        computed=statistics.mean(row.computed for row in rows),
        seconds=statistics.median(row.seconds for row in rows),
        psnr_db=statistics.mean(reached),
        spread_db=statistics.pstdev(reached),
        worst_db=min(reached),
    )


def _promise(rows: Sequence[Row]) -> Promise:
    asked = Budget.parse(rows[0].setting).value
    misses = [row.psnr_db - asked for row in rows]
    return Promise(
        asked_db=asked,
        num=len(rows),
        computed=statistics.mean(row.computed for row in rows),
        psnr_db=statistics.mean(row.psnr_db for row in rows),
        estimate_error_db=statistics.mean(abs((row.estimated_psnr_db or 0.0) - row.psnr_db) for row in rows),
        near=statistics.mean(abs(miss) <= NEAR_DB for miss in misses),
        kept=statistics.mean(miss >= -TOLERANCE_DB for miss in misses),
        num_far_below=sum(miss < -FAR_DB for miss in misses),
    )


def report(text: str, *, command: str) -> str:
    """The dated page around the tables."""
    lines = [
        "# Step caches on gallop",
        "",
        f"`{command}` at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}, one thread; torch {torch.__version__}.",
        f"PSNR of decoded films against the same film without a cache ({NUM_EVALUATIONS} evaluations, guidance halves "
        "counted as one). Processor time of sampling, median; first block counts its one block. The estimate is what "
        "the run says of itself.",
        "",
    ]
    return "\n".join(lines) + "\n" + text + "\n"


def tables(found: Sequence[Point], kept: Sequence[Promise]) -> str:
    """The ways beside each other, and how a quality that was asked for was kept."""
    compared = [
        (
            point.method, point.setting, str(point.num), f"{point.computed:.1f}",
            f"{NUM_EVALUATIONS / point.computed:.2f}x", f"{point.seconds:.2f}", f"{point.psnr_db:.1f}",
            f"{point.spread_db:.1f}", f"{point.worst_db:.1f}",
        )
        for point in found
    ]  # fmt: skip
    heads = ("way", "setting", "films", "computed", "speed", "s", "PSNR, dB", "spread", "worst")
    asked = [
        (
            f"{each.asked_db:g}", str(each.num), f"{each.computed:.1f}", f"{each.psnr_db:.1f}",
            f"{each.estimate_error_db:.1f}", f"{each.near:.0%}", f"{each.kept:.0%}", str(each.num_far_below),
        )
        for each in kept
    ]  # fmt: skip
    asked_heads = (
        "asked, dB", "films", "computed", "PSNR, dB", "estimate off by", f"within {NEAR_DB} dB of asked",
        f"at most {TOLERANCE_DB:.0f} dB below", f"films over {FAR_DB:.0f} dB below",
    )  # fmt: skip
    return f"{_table(heads, compared)}\n\n{_table(asked_heads, asked)}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


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
        table.writerow(["method", "setting", "films", "computed", "psnr_db", "spread_db", "worst_db"])
        for point in found:
            numbers = (point.computed, point.psnr_db, point.spread_db, point.worst_db)
            table.writerow([point.method, point.setting, point.num, *(f"{number:.2f}" for number in numbers)])


def main() -> int:
    """Make what is missing, report, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gallop")
    parser.add_argument("--num", type=int, default=NUM_TEST, help="prompts")
    parser.add_argument("--way", help="make the films of this way only, such as budget")
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps films and rows")
    parser.add_argument("--report-only", action="store_true", help="make nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    file, compared = options.out / "rows.jsonl", ways(options.model)
    if not options.report_only:
        chosen = [way for way in compared if options.way in (None, way.method)]
        Bench(muybridge.load(options.model), options.out).rows(chosen, range(options.num), file=file)
    wanted = {(way.method, way.setting, way.identity) for way in compared}
    rows = [row for row in read_rows(file) if row.key[:3] in wanted]
    found = points(complete(rows, num_ways=len(compared)))
    text = tables(found, promises(rows))
    print(text)
    command = f"python {' '.join(['benchmarks/caches.py', *sys.argv[1:]])}"
    name = f"caches_{hardware()}_{datetime.date.today()}.md"
    (ROOT / "benchmarks" / "reports" / name).write_text(report(text, command=command))
    write_table(found, TABLE)
    draw(found, PICTURE)
    fill(PAGE, f"{text}\n\nMeasured on {datetime.date.today()} at commit {commit()}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
