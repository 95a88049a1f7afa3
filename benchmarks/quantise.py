"""Weights smaller than bfloat16: how fast, how small, how far from it; on the 13B shapes and in films of `gallop`.

    python benchmarks/quantise.py                              # the report, about an hour
    python benchmarks/quantise.py --parts speed --tokens 512 --schemes int8 --no-report
    python benchmarks/quantise.py --parts films --num 8 --steps 10 --schemes int8 nf4 --no-report

speed: linear layers and whole blocks, bfloat16 and every scheme by turns. errors: of random layers, normal and with
heavy tails. films: the same prompts and seeds by every scheme, against bfloat16.
Writes benchmarks/reports/quantise_HARDWARE_DATE.md.
Exit code 1 where int8 misses its targets: 1.5 times bfloat16 on every layer and block, films at 35 dB on average.
"""

import argparse
import datetime
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent))
from machine import ROOT, commit, hardware, processor  # noqa: E402

import muybridge  # noqa: E402
from muybridge.acceleration.network import HasBlocks  # noqa: E402
from muybridge.acceleration.quantise import SCHEMES, settle  # noqa: E402
from muybridge.acceleration.quantise.apply import linear_places  # noqa: E402
from muybridge.acceleration.quantise.layers import ProductLinear  # noqa: E402
from muybridge.acceleration.quantise.schemes import Scheme, decoded  # noqa: E402
from muybridge.ops.pieces import CHUNK_TOKENS  # noqa: E402
from muybridge.ops.rope import rope_table  # noqa: E402
from muybridge.transformer.blocks import DoubleBlock, SingleBlock  # noqa: E402
from muybridge.transformer.conditions import Signals  # noqa: E402
from muybridge.transformer.config import TransformerConfig  # noqa: E402
from muybridge.weights.storage.ggml import GgmlType, ggml_types  # noqa: E402


def kept(kind: GgmlType) -> Scheme:
    """A type of GGUF, decoded at each call."""

    def decode(parts: Mapping[str, Tensor], dtype: torch.dtype) -> Tensor:
        return kind.decode(parts["weight"], dtype)

    return Scheme(
        title="GGUF, kept as the file holds it",
        bits_per_value=kind.block_bytes * 8 / kind.block,
        swap=decoded(lambda weight: {"weight": kind.encode(weight)}, decode),
    )


GGUF = ("Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0")
WAYS = SCHEMES | {kind.name: kept(kind) for kind in ggml_types().values() if kind.name in GGUF}
SHAPES = ((3072, 9216), (3072, 12288), (12288, 3072), (3072, 21504), (15360, 3072))  # columns, rows
FASTER, CLOSE_DB = 1.5, 35.0
TEXT_TOKENS = 64
PROMPTS = (
    "a red ball bounces on a wooden floor",
    "a horse gallops across a green meadow, the camera follows",
    "three cubes topple on a blue table",
    "a rocket rises into the night sky",
    "a fish swims to the left over a sandy ground, slowly",
    "a yellow cylinder rolls down a ramp, the camera zooms in",
    "an owl turns its head in front of a forest",
    "a purple ball swings on a string in a bright room",
)


def main() -> int:
    options = parse()
    torch.set_num_threads(options.threads)
    made = [PARTS[name](options) for name in options.parts]
    text = report([lines for lines, _ in made], options)
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"quantise_{hardware()}_{datetime.date.today().isoformat()}.md"
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")
    return 0 if all(holds for _, holds in made) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--schemes", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--tokens", nargs="+", type=int, default=[512, 2048, 4096], help="of layers and blocks")
    parser.add_argument("--repeats", type=int, default=4, help="turns of each; the least time counts")
    parser.add_argument("--num", type=int, default=8, help="films of each scheme")
    parser.add_argument("--steps", type=int, help="of a film; left out, gallop's own")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def speed(options: argparse.Namespace) -> tuple[list[str], bool]:
    """Milliseconds of bfloat16, and by how much each scheme is faster."""
    lines = ["## Speed", "", f"| | tokens | bfloat16, ms | {' | '.join(options.schemes)} |"]
    lines.append("|---" * (3 + len(options.schemes)) + "|")
    ratios: list[float] = []
    for name, build in layers_and_blocks().items():
        for num_tokens in options.tokens:
            run = build(num_tokens)
            times = in_turn([run(None), *map(run, options.schemes)], repeats=options.repeats)
            faster = {scheme: times[0] / each for scheme, each in zip(options.schemes, times[1:], strict=True)}
            ratios += [faster["int8"]] if "int8" in faster else []
            cells = " | ".join(f"{ratio:.2f}" for ratio in faster.values())
            lines.append(f"| {name} | {num_tokens} | {times[0] * 1e3:.0f} | {cells} |")
            print(lines[-1], flush=True)
    least = min(ratios, default=math.inf)
    verdict = "holds" if least >= FASTER else "FAILS"
    lines += ["", "Times bfloat16's speed; above 1 is faster.", f"Least of int8: {least:.2f}, aim {FASTER}: {verdict}."]
    return lines, least >= FASTER


def layers_and_blocks() -> Mapping[str, Callable[[int], Callable[[str | None], Callable[[], object]]]]:
    """What is timed: from a number of tokens to what runs a scheme."""
    layers = {f"{columns} -> {rows}": lambda n, i=columns, o=rows: layer_run(i, o, n) for columns, rows in SHAPES}
    blocks = {
        "double block": lambda n: block_run(DoubleBlock, n),
        "single block": lambda n: block_run(SingleBlock, n),
    }
    return {**layers, **blocks}


class Holder(nn.Module):
    """As much of a transformer as quantisation asks for."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def blocks(self) -> Iterator[nn.Module]:
        """One."""
        yield self.block


def swap_all(model: HasBlocks, name: str) -> int:
    """Every linear layer of the blocks kept in this way; the bytes of their weights."""
    num_bytes = 0
    for parent, child in list(linear_places(model)):
        layer = getattr(parent, child)
        small = WAYS[name].swap(layer.weight.detach(), layer.bias, name)
        setattr(parent, child, small)
        num_bytes += small.num_bytes
    return num_bytes


def layer_run(columns: int, rows: int, num_tokens: int) -> Callable[[str | None], Callable[[], object]]:
    """A linear layer on random tokens."""
    linear, x = random_layer(columns, rows), torch.randn(num_tokens, columns).bfloat16()

    def run(scheme: str | None) -> Callable[[], object]:
        if scheme is None:
            return lambda: linear(x)
        small = WAYS[scheme].swap(linear.weight, linear.bias, scheme)
        if isinstance(small, ProductLinear):
            small.settle()
        return lambda: small(x)

    return run


def block_run(kind: type[nn.Module], num_tokens: int) -> Callable[[str | None], Callable[[], object]]:
    """A whole block of the released size, attention included."""
    config = TransformerConfig()
    width = config.hidden_size
    grid = (1, num_tokens // 32, 32)
    rope = rope_table(grid, config.rope_axes_dim, theta=config.rope_theta, num_plain=TEXT_TOKENS, device="cpu")
    vectors = torch.randn(1, 1, width).bfloat16()
    signals = Signals(frames=vectors, clip=vectors, rope=rope, grid=grid, lengths=None, chunk_tokens=CHUNK_TOKENS)
    img, txt = (torch.randn(1, count, width).bfloat16() for count in (math.prod(grid), TEXT_TOKENS))
    inputs = (img, txt) if kind is DoubleBlock else (torch.cat([img, txt], 1),)

    def run(scheme: str | None) -> Callable[[], object]:
        torch.manual_seed(0)
        holder = Holder(kind(width, config.num_heads, config.mlp_dim).bfloat16().requires_grad_(False))
        if scheme is not None:
            swap_all(holder, scheme)
            settle(holder)
        return lambda: holder.block(*inputs, signals=signals)

    return run


@torch.inference_mode()
def in_turn(runs: Sequence[Callable[[], object]], *, repeats: int) -> list[float]:
    """The least wall time of each, in seconds; the first turn warms up."""
    best = [math.inf] * len(runs)
    for turn in range(repeats + 1):
        for index, run in enumerate(runs):
            started = time.perf_counter()
            run()
            if turn:
                best[index] = min(best[index], time.perf_counter() - started)
    return best


def errors(options: argparse.Namespace) -> tuple[list[str], bool]:
    """Of layers' outputs, over the outputs' own size; exact products of the bfloat16 numbers are the measure."""
    cases = {"normal": False, "heavy tails, strong columns": True}
    columns = "".join(f" {columns} -> {rows}, {case} |" for columns, rows in ERROR_SHAPES for case in cases)
    lines = ["## Errors of random layers", "", f"| | bits a value |{columns}", "|---" * (2 + columns.count("|")) + "|"]
    rows: dict[str, list[str]] = {name: [] for name in ("bfloat16", *options.schemes)}
    for shape in ERROR_SHAPES:
        for is_heavy in cases.values():
            linear, x = random_layer(*shape, is_heavy=is_heavy), random_tokens(shape[0], is_heavy=is_heavy)
            exact = nn.functional.linear(x.double(), linear.weight.double())
            for name, cells in rows.items():
                used = linear if name == "bfloat16" else WAYS[name].swap(linear.weight, None, name)
                cells.append(f"{float((used(x).double() - exact).norm() / exact.norm()):.2%}")
    for name, cells in rows.items():
        bits = 16.0 if name == "bfloat16" else WAYS[name].bits_per_value
        lines.append(f"| {name} | {bits} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return lines, True


ERROR_SHAPES = ((3072, 9216), (15360, 3072))


def random_layer(columns: int, rows: int, *, is_heavy: bool = False) -> nn.Linear:
    """Normal weights, or of Student's t with three degrees of freedom."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(rows, columns, generator=generator)
    if is_heavy:
        weight /= torch.randn(3, rows, columns, generator=generator).square().mean(0).sqrt()
    linear = nn.Linear(columns, rows, device="meta", bias=False)
    linear.weight = nn.Parameter((weight / columns**0.5).bfloat16(), requires_grad=False)
    return linear


def random_tokens(columns: int, *, is_heavy: bool) -> Tensor:
    """Normal tokens; with columns of unequal size, every five hundredth twenty times as large."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(256, columns, generator=generator)
    if is_heavy:
        x *= torch.exp(0.7 * torch.randn(columns, generator=generator))
        x[:, ::500] *= 20
    return x.bfloat16()


def films(options: argparse.Namespace) -> tuple[list[str], bool]:
    """PSNR of every scheme's films against those of bfloat16; float32 shows what rounding alone does."""
    wanted, plain_bytes = make_films(None, options)
    lines = [
        "## Films of gallop",
        "",
        f"{options.num} films, the same prompts and seeds; PSNR against bfloat16, dB.",
        "",
    ]
    lines += ["| | bits a value | mean | least | linear layers of the blocks, MiB |", "|---|---|---|---|---|"]
    lines.append(f"| bfloat16 | 16.0 | | | {plain_bytes / 2**20:.1f} |")
    means: dict[str, float] = {}
    for name in ("float32", *options.schemes):
        found, num_bytes = make_films(name, options)
        decibels = [psnr(film, base) for film, base in zip(found, wanted, strict=True)]
        means[name] = sum(decibels) / len(decibels)
        bits = 32.0 if name == "float32" else WAYS[name].bits_per_value
        row = f"| {name} | {bits} | {means[name]:.1f} | {min(decibels):.1f} | {num_bytes / 2**20:.1f} |"
        lines.append(row)
        print(lines[-1], flush=True)
    holds = means.get("int8", math.inf) >= CLOSE_DB
    lines += ["", f"int8: {means.get('int8', math.nan):.1f} dB, aim {CLOSE_DB}: {'holds' if holds else 'FAILS'}."]
    return lines, holds


def make_films(name: str | None, options: argparse.Namespace) -> tuple[list[Tensor], int]:
    """The films of a scheme, of bfloat16 (None) or of float32, and the bytes of the layers."""
    pipe = muybridge.load("gallop", dtype="float32" if name == "float32" else "bfloat16")
    network = pipe.components.transformer
    if name in WAYS:
        num_bytes = swap_all(network, name)
    else:
        num_bytes = sum(getattr(parent, child).weight.nbytes for parent, child in linear_places(network))
    prompts = [PROMPTS[index % len(PROMPTS)] for index in range(options.num)]
    given = {} if options.steps is None else {"steps": options.steps}
    made = [pipe(prompt, seed=index, **given) for index, prompt in enumerate(prompts)]
    return [torch.from_numpy(film.pixels).float() for film in made], num_bytes


def psnr(film: Tensor, base: Tensor) -> float:
    """Of bytes, dB; of equal films 99."""
    error = float((film - base).square().mean())
    return 99.0 if error == 0 else 10 * math.log10(255**2 / error)


def report(parts: Sequence[Sequence[str]], options: argparse.Namespace) -> str:
    titles = [f"- {name}: {WAYS[name].title}." for name in options.schemes]
    lines = [
        "# Weights smaller than bfloat16",
        "",
        f"`python benchmarks/quantise.py` at commit {commit()}, {datetime.date.today().isoformat()}.",
        f"{processor()}, {options.threads} threads, load {os.getloadavg()[0]:.1f} when it ended; "
        f"torch {torch.__version__}, Python {platform.python_version()}.",
        "",
        *titles,
    ]
    for part in parts:
        lines += ["", *part]
    return "\n".join(lines) + "\n"


PARTS = {"speed": speed, "errors": errors, "films": films}

if __name__ == "__main__":
    sys.exit(main())
