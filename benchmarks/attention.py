"""Every attention that this machine can run against the reference, and their times, taking turns; sparse patterns too.

    python benchmarks/attention.py                                         # a minute or two
    python benchmarks/attention.py --grid 3x16x16 --repeats 2 --no-report   # a quick look
    python benchmarks/attention.py --device cuda --grid 21x30x52 --heads 24 --dtypes bfloat16

Errors are over the deviation of the exact output: of kernels against all pairs, of patterns against their own mask.
Writes benchmarks/reports/attention_HARDWARE_DATE.md. Exit code 1 where an error is above its limit.
"""

import argparse
import datetime
import math
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from machine import ROOT, commit, hardware, processor
from torch import Tensor

from muybridge.core.errors import MuybridgeError
from muybridge.ops.attention import Attention, Grid, attention_named
from muybridge.ops.attention.choose import KERNELS
from muybridge.ops.attention.patterns import parse_pattern
from muybridge.ops.attention.reference import reference_attention

PATTERNS = (
    "sliding-tile:3x3x3,tile=1x8x8",
    "sliding-tile:1x3x3,tile=1x8x8,first-frame",
    "sliding-tile:3x1x1,tile=1x8x8",
    "radial:1,tile=8x8",
    "radial:0.25,tile=8x8",
)
PROMPT_TOKENS = 60
LIMITS = {torch.float32: 1e-4, torch.bfloat16: 0.25, torch.float16: 0.05}  # largest error over the deviation
SLOW = {"reference", "math"}  # keep all weights: too large for long films


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One attention at one dtype; its time is the least of the turns. bound: None where it is approximate."""

    name: str
    dtype: torch.dtype
    density: float
    seconds: float
    largest: float
    mean: float
    full_error: float
    bound: float | None

    @property
    def holds(self) -> bool:
        """True where its error is within the limit."""
        return self.bound is None or self.largest <= self.bound


def main() -> int:
    options = parse()
    torch.set_num_threads(options.threads)
    grid = tuple(int(size) for size in options.grid.split("x"))
    rows = [row for dtype in options.dtypes for row in measured(getattr(torch, dtype), grid, options)]
    text = report(rows, grid, options)
    print(text)
    if options.report:
        place = torch.cuda.get_device_name().lower().replace(" ", "-") if options.device == "cuda" else hardware()
        path = ROOT / "benchmarks" / "reports" / f"attention_{place}_{datetime.date.today().isoformat()}.md"
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")
    return 0 if all(row.holds for row in rows) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", default="5x32x32", help="visual tokens as frames x rows x columns")
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--head-dim", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3, help="turns of each; the least time counts")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--dtypes", nargs="+", choices=["float32", "bfloat16", "float16"], default=["float32", "bfloat16"]
    )
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def measured(dtype: torch.dtype, grid: Grid, options: argparse.Namespace) -> list[Row]:
    """Every attention that can work on such tensors, turn by turn."""
    given = inputs(dtype, grid, options)
    everything: dict[str, Attention] = {}
    for name in ("auto", *(name for name in KERNELS if name not in SLOW), *PATTERNS):
        kernel = KERNELS.get(name)
        try:
            if kernel is None or kernel.unmet(given[2]) is None:
                everything[name] = attention_named(name)
        except MuybridgeError as error:
            print(f"left out: {error}", flush=True)
    seconds, outputs = dict.fromkeys(everything, math.inf), {}
    for _ in range(options.repeats + 1):  # the first turn plans, compiles and warms up
        for name, attention in everything.items():
            took, outputs[name] = timed(lambda own=attention: own(*given, grid=grid), given[2].device)
            seconds[name] = min(seconds[name], took)
    full = exact(given, None)
    return [compared(name, outputs[name], seconds[name], given=given, grid=grid, full=full) for name in everything]


@torch.inference_mode()
def timed(run: Callable[[], Tensor], device: torch.device) -> tuple[float, Tensor]:
    """Wall time and result."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    out = run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start, out


def inputs(dtype: torch.dtype, grid: Grid, options: argparse.Namespace) -> list[Tensor]:
    """Queries and keys as the network's norms leave them: logits of deviation 2."""
    generator = torch.Generator().manual_seed(0)
    tokens, d = math.prod(grid) + PROMPT_TOKENS, options.head_dim
    q, k, v = torch.randn(3, 1, options.heads, tokens, d, generator=generator)
    q, k = (torch.nn.functional.rms_norm(x, (d,)) * 2**0.5 for x in (q, k))
    return [x.to(options.device, dtype) for x in (q, k, v)]


def exact(given: list[Tensor], pairs: Tensor | None) -> Tensor:
    """The reference in float64, a head at a time, because it keeps all weights."""
    heads = zip(*(x.cpu().double().split(1, 1) for x in given), strict=True)
    return torch.cat([reference_attention(*head, pairs=pairs) for head in heads], 1)


def compared(name: str, output: Tensor, seconds: float, *, given: list[Tensor], grid: Grid, full: Tensor) -> Row:
    pattern, num_tokens = parse_pattern(name), given[2].shape[2]
    cells = None if pattern is None else pattern.cells(grid)
    target = full if cells is None else exact(given, cells.pairs(num_tokens - math.prod(grid)))
    largest, mean = errors(output, target)
    kernel = KERNELS.get(name)
    return Row(
        name=name,
        dtype=output.dtype,
        density=1.0 if cells is None else cells.density(num_tokens - math.prod(grid)),
        seconds=seconds,
        largest=largest,
        mean=mean,
        full_error=errors(output, full)[1],
        bound=LIMITS[output.dtype] if kernel is None or kernel.is_exact else None,
    )


def errors(ours: Tensor, target: Tensor) -> tuple[float, float]:
    """Largest and mean absolute difference, over the deviation of the target."""
    difference = (ours.cpu().double() - target).abs() / target.std()
    return float(difference.max()), float(difference.mean())


def report(rows: list[Row], grid: Grid, options: argparse.Namespace) -> str:
    columns = (
        "attention", "dtype", "pairs", "ms", "TFLOP/s", "auto / it", "largest error", "mean error",
        "mean difference from all pairs", "",
    )  # fmt: skip
    auto = {row.dtype: row.seconds for row in rows if row.name == "auto"}
    flops = 4 * options.heads * options.head_dim * (math.prod(grid) + PROMPT_TOKENS) ** 2
    place = torch.cuda.get_device_name() if options.device == "cuda" else f"{processor()}, {options.threads} threads"
    lines = [
        "# Attention: every backend here against the reference",
        "",
        f"`python benchmarks/attention.py` at commit {commit()}, {datetime.date.today().isoformat()}.",
        f"{place}, load {os.getloadavg()[0]:.1f} when it ended; torch {torch.__version__}, "
        f"Python {platform.python_version()}.",
        "",
        f"{math.prod(grid)} visual tokens ({options.grid}) and {PROMPT_TOKENS} of text, {options.heads} heads of "
        f"{options.head_dim}; taking turns, the least of {options.repeats} after the first.",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
    ]
    for row in rows:
        values = (
            row.name, str(row.dtype).removeprefix("torch."), f"{row.density:.1%}", f"{row.seconds * 1e3:.1f}",
            f"{row.density * flops / row.seconds / 1e12:.3f}", f"**{auto[row.dtype] / row.seconds:.2f}**",
            f"{row.largest:.1e}", f"{row.mean:.1e}", f"{row.full_error:.1e}", "holds" if row.holds else "FAILS",
        )  # fmt: skip
        lines.append(f"| {' | '.join(values)} |")
    lines += [
        "",
        "Errors are over the deviation of the exact output (float64): of a pattern, against its own mask. The mean "
        "difference from all pairs is what a pattern costs on random tokens, which is its worst case.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
