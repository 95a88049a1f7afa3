"""Our transformer against diffusers': the same weights, in one process, taking turns; outputs compared.

    python benchmarks/transformer.py                        # the sizes and targets of the claim, a minute or two
    python benchmarks/transformer.py --hidden-size 256 --grid 2x8x8 --repeats 2 --no-report     # a quick look

Writes benchmarks/reports/transformer_HARDWARE_DATE.md.
Exit code 1 where a ratio is below its target or the outputs differ.
"""

import argparse
import contextlib
import datetime
import math
import os
import platform
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import diffusers
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from muybridge.transformer import Conditions, Transformer, TransformerConfig  # noqa: E402
from tests.parity.peer_transformer import peer_of, peer_velocity, relative_error  # noqa: E402

TARGETS = {torch.float32: 1.15, torch.bfloat16: 1.25}  # peer's time / ours, both at least
ERRORS = {torch.float32: 2e-4, torch.bfloat16: 0.25}  # largest difference / the peer's standard deviation; bf16: 8 bits
PROMPT_TOKENS, PADDED_TOKENS = 60, 256  # diffusers pads every prompt to 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One dtype's measurement; times are the least of the repeats, in seconds."""

    dtype: torch.dtype
    ours_s: float
    peer_s: float
    ours_cpu_s: float
    peer_cpu_s: float
    error: float
    mean_error: float
    exact_error_ours: float
    exact_error_peer: float

    @property
    def ratio(self) -> float:
        """Peer's wall time over ours."""
        return self.peer_s / self.ours_s

    @property
    def holds(self) -> bool:
        """True where the target and the agreement hold."""
        return self.ratio >= TARGETS[self.dtype] and self.error <= ERRORS[self.dtype]


def main() -> int:
    options = parse()
    torch.set_num_threads(options.threads)
    grid = tuple(int(size) for size in options.grid.split("x"))
    model = random_model(options)
    latents, conditions = inputs(model.config, grid)
    exact = velocity(model, latents, conditions)
    results = []
    for name in sorted(options.dtypes, reverse=True):  # float32 first: casting to bfloat16 loses digits
        result = measure(model, getattr(torch, name), (latents, conditions, exact), repeats=options.repeats)
        print(row(result), flush=True)
        results.append(result)
    text = report(results, model.config, grid, options)
    if options.report:
        date = datetime.date.today().isoformat()
        path = ROOT / "benchmarks" / "reports" / f"transformer_{hardware()}_{date}.md"
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")
    return 0 if all(result.holds for result in results) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden-size", type=int, default=1024)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--blocks", default="2+4", help="double+single blocks")
    parser.add_argument("--grid", default="5x32x16", help="video tokens as frames x rows x columns")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each; the least time counts")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dtypes", nargs="+", choices=["float32", "bfloat16"], default=["float32", "bfloat16"])
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def random_model(options: argparse.Namespace) -> Transformer:
    """Ours, every parameter drawn so that no path is zero."""
    double, single = map(int, options.blocks.split("+"))
    head_dim = options.hidden_size // options.heads
    rows_dim = head_dim * 7 // 16 // 2 * 2  # the released shares: 16, 56, 56 of 128
    config = TransformerConfig(
        hidden_size=options.hidden_size,
        num_heads=options.heads,
        num_double_blocks=double,
        num_single_blocks=single,
        rope_axes_dim=(head_dim - 2 * rows_dim, rows_dim, rows_dim),
    )
    model = Transformer(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.02 if "mod" in name or parameter.ndim == 1 else parameter[0].numel() ** -0.5
            parameter.normal_(0.0, scale, generator=generator)
            parameter.add_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
    return model.eval().requires_grad_(False)


def inputs(config: TransformerConfig, grid: tuple[int, ...]) -> tuple[Tensor, Conditions]:
    generator = torch.Generator().manual_seed(1)
    t, h, w = (size * patch for size, patch in zip(grid, config.patch_size, strict=True))
    conditions = Conditions(
        text=torch.randn(1, PADDED_TOKENS, config.text_dim, generator=generator),
        text_mask=(torch.arange(PADDED_TOKENS) < PROMPT_TOKENS)[None],
        pooled=torch.randn(1, config.pooled_dim, generator=generator),
        guidance=torch.ones(1),  # x 1000 is exact in both dtypes, so that errors show the arithmetic alone
    )
    return torch.randn(1, config.in_channels, t, h, w, generator=generator), conditions


def velocity(model: Transformer, latents: Tensor, conditions: Conditions) -> Tensor:
    with torch.inference_mode():
        return model(latents, torch.tensor([0.9]), conditions)


def measure(
    model: Transformer, dtype: torch.dtype, given: tuple[Tensor, Conditions, Tensor], *, repeats: int
) -> Result:
    """Ours and the peer's, turn by turn."""
    latents, conditions, exact = given
    model = model.to(dtype)
    with quiet():
        peer = peer_of(model)
    x, sigma = latents.to(dtype), torch.tensor([0.9])
    runs: dict[str, Callable[[], Tensor]] = {
        "ours": lambda: model(x, sigma, conditions),
        "peer": lambda: peer_velocity(peer, x, sigma=sigma, conditions=conditions),
    }
    wall: dict[str, float] = dict.fromkeys(runs, math.inf)
    cpu: dict[str, float] = dict.fromkeys(runs, math.inf)
    outputs: dict[str, Tensor] = {}
    with torch.inference_mode(), quiet():
        for _ in range(repeats + 1):  # the first turn warms up, and cannot be the least
            for name, run in runs.items():
                start, start_cpu = time.perf_counter(), time.process_time()
                outputs[name] = run()
                wall[name] = min(wall[name], time.perf_counter() - start)
                cpu[name] = min(cpu[name], time.process_time() - start_cpu)
    difference = (outputs["ours"].double() - outputs["peer"].double()).abs()
    return Result(
        dtype=dtype,
        ours_s=wall["ours"],
        peer_s=wall["peer"],
        ours_cpu_s=cpu["ours"],
        peer_cpu_s=cpu["peer"],
        error=relative_error(outputs["ours"], outputs["peer"]),
        mean_error=float(difference.mean() / outputs["peer"].double().std()),
        exact_error_ours=relative_error(outputs["ours"], exact),
        exact_error_peer=relative_error(outputs["peer"], exact),
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The peer's warnings are its own affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def row(result: Result) -> str:
    name = str(result.dtype).removeprefix("torch.")
    verdict = "holds" if result.holds else "FAILS"
    return (
        f"| {name} | {result.ours_s:.3f} | {result.peer_s:.3f} | **{result.ratio:.3f}** | {TARGETS[result.dtype]} | "
        f"{result.peer_cpu_s / result.ours_cpu_s:.3f} | {result.error:.1e} | {result.mean_error:.1e} | "
        f"{result.exact_error_ours:.1e} | {result.exact_error_peer:.1e} | {verdict} |"
    )


def report(results: list[Result], config: TransformerConfig, grid: tuple[int, ...], options: argparse.Namespace) -> str:
    columns = (
        "dtype", "ours", "peer", "peer / ours", "target", "CPU-seconds ratio", "largest difference", "mean difference",
        "ours from float32", "peer from float32", "",
    )  # fmt: skip
    shape = "x".join(map(str, grid))
    lines = [
        "# Transformer: ours against diffusers",
        "",
        f"`python benchmarks/transformer.py` at commit {commit()}, {datetime.date.today().isoformat()}.",
        f"{processor()}, {options.threads} threads, load {os.getloadavg()[0]:.1f} when it ended; "
        f"torch {torch.__version__}, diffusers {diffusers.__version__}, Python {platform.python_version()}.",
        "",
        "The same random weights in both, one process, taking turns; times are the least wall time of "
        f"{options.repeats + 1} turns, in seconds.",
        f"Width {config.hidden_size}, {config.num_heads} heads, {config.num_double_blocks}+{config.num_single_blocks} "
        f"blocks, {math.prod(grid)} video tokens ({shape}),",
        f"a prompt of {PROMPT_TOKENS} tokens padded to {PADDED_TOKENS}, as diffusers pads it.",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
        *map(row, results),
        "",
        "Differences are over the standard deviation of the peer's output; "
        '"from float32" is the largest difference from our float32 output.',
    ]
    return "\n".join(lines) + "\n"


def commit() -> str:
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()


def processor() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) if sys.platform == "linux" else None
    return found[1] if found else platform.processor() or platform.machine()


def hardware() -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{processor()} {os.cpu_count()} cores".lower()).strip("-")


if __name__ == "__main__":
    sys.exit(main())
