"""Our transformer against diffusers': the same weights, in one process, taking turns; outputs and memory compared.

    python benchmarks/transformer.py                        # the sizes and targets of the claim, a minute or two
    python benchmarks/transformer.py --hidden-size 256 --grid 2x8x8 --repeats 2 --no-report     # a quick look

Memory is counted at the released widths, operation by operation on tensors that are shapes only, so 720p of 129 frames
costs nothing: the peak beside weights and inputs, what attention's kernel takes inside left out on both sides.
Writes benchmarks/reports/transformer_HARDWARE_DATE.md.
Exit code 1 where a ratio is below its target, the outputs differ, or more memory is held than promised.
"""

import argparse
import contextlib
import datetime
import math
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import diffusers
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from diffusers import HunyuanVideoTransformer3DModel  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402
from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402

from muybridge.acceleration.attention import use_attention  # noqa: E402
from muybridge.core.allocations import Allocations  # noqa: E402
from muybridge.transformer import Conditions, Transformer, TransformerConfig  # noqa: E402
from muybridge.transformer.cost import activation_bytes  # noqa: E402
from muybridge.weights.config_json import diffusers_config  # noqa: E402
from tests.parity.peer_transformer import peer_of, peer_velocity, relative_error  # noqa: E402

TARGETS = {torch.float32: 1.15, torch.bfloat16: 1.25}  # peer's time / ours, both at least
ERRORS = {torch.float32: 2e-4, torch.bfloat16: 0.25}  # largest difference / the peer's standard deviation; bf16: 8 bits
PROMPT_TOKENS, PADDED_TOKENS = 60, 256  # diffusers pads every prompt to 256
FULL_WIDTHS = 6.0  # values a token and channel that we may hold at most, of a long film
FILMS = {"720x1280x129": (33, 45, 80), "480x832x81": (21, 30, 52)}  # grids of tokens


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Peak bytes of one film's forward pass, in bfloat16, beside weights and inputs."""

    film: str
    unit_bytes: int  # of one value a token and channel
    ours_bytes: int
    peer_bytes: int
    predicted_bytes: int

    @property
    def holds(self) -> bool:
        """True where ours is within the promise."""
        return self.ours_bytes <= FULL_WIDTHS * self.unit_bytes


def main() -> int:
    options = parse()
    held = [memory(film, grid) for film, grid in FILMS.items()]
    print("\n".join(map(memory_row, held)), flush=True)
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
    text = report(results, held, model.config, grid=grid, options=options)
    if options.report:
        date = datetime.date.today().isoformat()
        path = ROOT / "benchmarks" / "reports" / f"transformer_{hardware()}_{date}.md"
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")
    return 0 if all(result.holds for result in [*results, *held]) else 1


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


def memory(film: str, grid: tuple[int, int, int]) -> Held:
    """Ours and the peer's, of a double and a single block of the released widths, which take turns in memory."""
    config = TransformerConfig(num_double_blocks=1, num_single_blocks=1, num_refiner_blocks=1)
    cells = tuple(size * patch for size, patch in zip(grid, config.patch_size, strict=True))
    with FakeTensorMode(), in_bfloat16(), quiet(), torch.inference_mode():
        ours = Transformer(config).eval()
        use_attention(ours, "torch")  # one kernel, as the peer's
        peer = HunyuanVideoTransformer3DModel(
            **{key: value for key, value in diffusers_config(config).items() if not key.startswith("_")}
        ).eval()
        x = torch.empty(1, config.in_channels, *cells)
        text, pooled = torch.empty(1, PADDED_TOKENS, config.text_dim), torch.empty(1, config.pooled_dim)
        given = Conditions(text=text[:, :PROMPT_TOKENS], pooled=pooled, guidance=torch.empty(1))
        padded = Conditions(text=text, pooled=pooled, guidance=torch.empty(1), text_mask=torch.ones(1, PADDED_TOKENS))
        sigma = torch.empty(1)
        with Allocations() as of_ours:
            ours(x, sigma, given)
        with Allocations() as of_peer:
            peer_velocity(peer, x, sigma=sigma, conditions=padded)
    predicted = activation_bytes(config, num_visual_tokens=math.prod(grid), num_text_tokens=PROMPT_TOKENS)
    return Held(
        film=film,
        unit_bytes=(math.prod(grid) + PADDED_TOKENS) * config.hidden_size * 2,
        ours_bytes=of_ours.peak_bytes,
        peer_bytes=of_peer.peak_bytes,
        predicted_bytes=predicted,
    )


@contextlib.contextmanager
def in_bfloat16() -> Iterator[None]:
    """New tensors are bfloat16."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


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


def memory_row(held: Held) -> str:
    verdict = "holds" if held.holds else "FAILS"
    ours, peer = (count / held.unit_bytes for count in (held.ours_bytes, held.peer_bytes))
    return (
        f"| {held.film} | {held.ours_bytes / 1e9:.2f} | {held.peer_bytes / 1e9:.2f} | "
        f"**{held.peer_bytes / held.ours_bytes:.2f}** | {ours:.2f} | {peer:.2f} | "
        f"{held.predicted_bytes / held.ours_bytes:.3f} | {verdict} |"
    )


def report(
    results: list[Result],
    held: list[Held],
    config: TransformerConfig,
    *,
    grid: tuple[int, ...],
    options: argparse.Namespace,
) -> str:
    columns = (
        "dtype", "ours", "peer", "peer / ours", "target", "CPU-seconds ratio", "largest difference", "mean difference",
        "ours from float32", "peer from float32", "",
    )  # fmt: skip
    of_memory = (
        "film", "ours, GB", "peer, GB", "peer / ours", "ours, values a token and channel", "peer, likewise",
        "predicted / ours", "",
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
        "",
        "## Memory beside the weights",
        "",
        "Peak of a forward pass in bfloat16 at the released widths, counted operation by operation on tensors that are",
        "shapes only (`core.allocations`); what attention takes inside its kernel is left out on both sides. "
        f"Promised: at most {FULL_WIDTHS:g} values a token and channel.",
        "",
        f"| {' | '.join(of_memory)} |",
        "|---" * len(of_memory) + "|",
        *map(memory_row, held),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
