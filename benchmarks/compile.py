"""Our transformer as it is and with compiled blocks, taking turns at three sizes and two prompts; outputs compared.

    python benchmarks/compile.py                                            # some minutes, most of them the compiler's
    python benchmarks/compile.py --hidden-size 256 --heads 4 --dtypes float32 --no-report    # a quick look

Writes benchmarks/reports/compile_HARDWARE_DATE.md. Exit code 1 where a further size or prompt compiled anything, or
the outputs differ by more than rounding.
"""

import argparse
import datetime
import math
import os
import platform
import sys
import time
from dataclasses import replace

import torch
from machine import ROOT, commit, hardware, processor
from transformer import inputs, random_model

from muybridge.acceleration.compile import compile_blocks
from muybridge.transformer import Conditions, Transformer

GRIDS = ((5, 32, 16), (3, 24, 24), (9, 16, 16))
PROMPTS = (60, 200)  # tokens
ERRORS = {torch.float32: 2e-4, torch.bfloat16: 0.25}  # largest difference over the deviation


def main() -> int:
    options = parse()
    torch.set_num_threads(options.threads)
    rows: list[str] = []
    holds = True
    for name in options.dtypes:
        plain, compiled = (random_model(options).to(getattr(torch, name)) for _ in range(2))
        compile_blocks(compiled)
        found, fits = measured(plain, compiled, repeats=options.repeats)
        rows, holds = rows + found, holds and fits
    text = report(rows, options)
    print(text)
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"compile_{hardware()}_{datetime.date.today().isoformat()}.md"
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")
    return 0 if holds else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden-size", type=int, default=1024)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--blocks", default="2+4", help="double+single blocks")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each; the least time counts")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dtypes", nargs="+", choices=["float32", "bfloat16"], default=["float32", "bfloat16"])
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def measured(plain: Transformer, compiled: Transformer, *, repeats: int) -> tuple[list[str], bool]:
    """A row for every size and prompt, the first of which compiles; whether all is as it should be."""
    rows, holds = [], True
    for grid in GRIDS:
        for num_text in PROMPTS:
            latents, given = inputs(plain.config, grid)
            latents, conditions = latents.to(plain.dtype), replace(given, text=given.text[:, :num_text], text_mask=None)
            before = num_graphs()
            first, _ = timed(compiled, latents, conditions)
            new = num_graphs() - before
            best, outputs = {"plain": math.inf, "compiled": math.inf}, {}
            for _ in range(repeats):
                for name, model in (("plain", plain), ("compiled", compiled)):
                    took, outputs[name] = timed(model, latents, conditions)
                    best[name] = min(best[name], took)
            exact = outputs["plain"].double()
            error = float((outputs["compiled"].double() - exact).abs().max() / exact.std())
            fits = error <= ERRORS[plain.dtype] and (not rows or new == 0)
            holds = holds and fits
            values = (
                str(plain.dtype).removeprefix("torch."), "x".join(map(str, grid)), str(num_text), f"{first:.1f}",
                str(new), f"{best['plain']:.3f}", f"{best['compiled']:.3f}",
                f"**{best['plain'] / best['compiled']:.3f}**", f"{error:.1e}", "holds" if fits else "FAILS",
            )  # fmt: skip
            rows.append(f"| {' | '.join(values)} |")
            print(rows[-1], flush=True)
    return rows, holds


@torch.inference_mode()
def timed(model: Transformer, latents: torch.Tensor, conditions: Conditions) -> tuple[float, torch.Tensor]:
    start = time.perf_counter()
    out = model(latents, torch.tensor([0.9]), conditions)
    return time.perf_counter() - start, out


def num_graphs() -> int:
    """Graphs that torch compiled in this process so far."""
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


def report(rows: list[str], options: argparse.Namespace) -> str:
    columns = (
        "dtype", "tokens", "text", "first call, s", "new graphs", "plain, s", "compiled, s", "plain / compiled",
        "largest difference", "",
    )  # fmt: skip
    lines = [
        "# Transformer: plain and compiled",
        "",
        f"`python benchmarks/compile.py` at commit {commit()}, {datetime.date.today().isoformat()}.",
        f"{processor()}, {options.threads} threads, load {os.getloadavg()[0]:.1f} when it ended; torch "
        f"{torch.__version__}, Python {platform.python_version()}.",
        "",
        f"Width {options.hidden_size}, {options.heads} heads, {options.blocks} blocks; the least of {options.repeats} "
        "turns. The first call compiles the halves of both kinds of block; no other size or prompt may compile.",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
