"""Our training step against the same model built from diffusers' classes in a plain loop: speed and memory.

    python benchmarks/training.py                         # gallop's transformer at 128 px, some minutes on two cores
    python benchmarks/training.py --size-px 64 --batch-size 8 --steps 2 --no-report      # a quick look

Three processes, ours as it comes, ours with `recompute="selective"` and the plain loop, take turns step by step, so
that a busy machine slows all alike. They hold the same weights, see the same batches and draw the same noise, compute
in bfloat16 by autocast with float32 weights, clip, and step a fused AdamW. Ours is the package's own `Trainer`, which
also averages the weights and looks for numbers that are not finite; the plain loop does neither. Exit code 1 where a
ratio of ours as it comes misses its target or the losses differ.
"""

import argparse
import datetime
import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.machine import commit, hardware, processor  # noqa: E402
from muybridge.core.seeding import generator  # noqa: E402
from muybridge.data.cache import LatentBatch  # noqa: E402
from muybridge.flow.path import interpolate, velocity  # noqa: E402
from muybridge.flow.timesteps import draw_sigmas  # noqa: E402
from muybridge.recipes.gallop import gallop_flow_128  # noqa: E402
from muybridge.text.encoder import TextStates  # noqa: E402
from muybridge.training.config import OptimizerConfig, Recompute, RunConfig  # noqa: E402
from muybridge.training.settings import settings_of  # noqa: E402
from muybridge.training.tasks.flow_matching import FlowConfig, FlowTask, conditions_of  # noqa: E402
from muybridge.training.trainer import Trainer  # noqa: E402
from muybridge.transformer import Transformer, TransformerConfig  # noqa: E402
from muybridge.transformer.initialise import initialise  # noqa: E402

TARGET_SPEED, TARGET_MEMORY = 1.2, 0.8  # samples a second and peak memory, ours / the peer's
MAX_LOSS_DIFFERENCE = 0.02  # relative, bfloat16 with other orders of summation
LR, CLIP, SHIFT = 1e-3, 1.0, 3.0
TEXT_TOKENS, MIN_TEXT_TOKENS = 24, 9  # gallop's captions
FLOW = FlowConfig(draw="logit_normal", shift=SHIFT, caption_dropout=0.0, image_share=0.0)
MIB = 2**20
OPTIONS = ("batch_size", "size_px", "threads")  # that every side is told
Step = Callable[[int], float]  # the loss of a step


class Batches:
    """Random latents and text states of gallop's shapes."""

    def __init__(self, config: TransformerConfig, size_px: int) -> None:
        self.config, self.cells = config, size_px // 8

    def batch(self, step: int, *, batch_size: int, seed: int) -> LatentBatch:
        """See `LatentSource`."""
        draw, config = generator(seed, step, "benchmark"), self.config
        lengths = torch.randint(MIN_TEXT_TOKENS, TEXT_TOKENS + 1, (batch_size, 1), generator=draw)
        lengths[0] = TEXT_TOKENS
        mask = torch.arange(TEXT_TOKENS) < lengths
        return LatentBatch(
            latents=torch.randn(batch_size, config.in_channels, 5, self.cells, self.cells, generator=draw),
            text=torch.randn(batch_size, TEXT_TOKENS, config.text_dim, generator=draw) * mask[..., None],
            text_mask=mask,
            pooled=torch.randn(batch_size, config.pooled_dim, generator=draw),
        )


def fresh() -> Transformer:
    """gallop's network, every parameter drawn, so that no path is zero."""
    model = Transformer(gallop_flow_128().transformer)
    initialise(model, generator(0, "benchmark"))
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(0.0, 0.02, generator=generator(0, *parameter.shape))
    return model


def ours(options: argparse.Namespace, *, recompute: Recompute) -> Step:
    """A step of our trainer."""
    model = fresh().train()
    stage = gallop_flow_128()
    optimizer = OptimizerConfig(lr=LR, betas=(0.9, 0.95), warmup_steps=0, max_grad_norm=CLIP)
    run = RunConfig(
        num_steps=10**6, batch_size=options.batch_size, trackers=(), optimizer=optimizer, recompute=recompute
    )  # fmt: skip
    task = FlowTask(
        cache=Batches(model.config, options.size_px), held_out=(), empty=empty(model.config), config=FLOW, seed=0
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(model, task, run, folder=Path(folder), settings=settings_of(replace(stage, run=run)))

    def step(number: int) -> float:
        trainer.step = number
        return trainer._one_step()["loss"]

    return step


def peer(options: argparse.Namespace) -> Step:
    """A step of a plain loop over diffusers' transformer."""
    from tests.parity.peer_transformer import peer_of, peer_velocity

    source, network = fresh(), gallop_flow_128().transformer
    model, batches, none = peer_of(source).train(), Batches(network, options.size_px), empty(network)
    del source
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, betas=(0.9, 0.95), weight_decay=0.0, fused=True)

    def step(number: int) -> float:
        batch, draw = batches.batch(number, batch_size=options.batch_size, seed=0), generator(0, number, "flow")
        torch.rand(1 + options.batch_size, generator=draw)  # the coins of pictures and captions
        sigma = draw_sigmas(options.batch_size, generator=draw, method=FLOW.draw, shift=FLOW.shift)
        noise = torch.randn(batch.latents.shape, generator=draw)
        conditions = conditions_of(batch, none, torch.zeros(options.batch_size, dtype=torch.bool))
        noisy = interpolate(batch.latents, noise, sigma)
        with torch.autocast("cpu", torch.bfloat16):
            predicted: Tensor = peer_velocity(model, noisy, sigma=sigma, conditions=conditions)
        loss = torch.nn.functional.mse_loss(predicted.float(), velocity(batch.latents, noise))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


SIDES: dict[str, tuple[str, Callable[[argparse.Namespace], Step]]] = {  # what each imports, and its step
    "ours": ("muybridge.training.trainer", partial(ours, recompute="none")),
    "ours, recompute=selective": ("muybridge.training.trainer", partial(ours, recompute="selective")),
    "plain loop": ("tests.parity.peer_transformer", peer),
}
OURS, PEER = "ours", "plain loop"


def empty(config: TransformerConfig) -> TextStates:
    return TextStates(
        states=torch.zeros(1, 1, config.text_dim), mask=torch.ones(1, 1, dtype=torch.bool),
        pooled=torch.zeros(1, config.pooled_dim),
    )  # fmt: skip


def work(options: argparse.Namespace) -> int:
    """One side: a step for each line of standard input."""
    warnings.simplefilter("ignore")  # the peer's warnings are its own affair
    torch.set_num_threads(options.threads)
    imported, build = SIDES[options.worker]
    importlib.import_module(imported)
    before = peak_bytes()
    step = build(options)
    for line in sys.stdin:
        started, started_cpu = time.perf_counter(), time.process_time()
        loss = step(int(line))
        figures = {"wall_s": time.perf_counter() - started, "cpu_s": time.process_time() - started_cpu, "loss": loss}
        print(json.dumps(figures | {"peak_bytes": peak_bytes(), "added_bytes": peak_bytes() - before}), flush=True)
    return 0


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(options: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Every step of every side, in turns; the first step warms up and is left out of the times."""
    flags = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in OPTIONS]
    sides = {
        name: subprocess.Popen(
            [sys.executable, __file__, "--worker", name, *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=os.environ | {"OMP_NUM_THREADS": str(options.threads)},
        )
        for name in SIDES
    }  # fmt: skip
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for number in range(options.steps + 1):
        for name, process in sides.items():
            print(number, file=process.stdin, flush=True)
            line = process.stdout.readline()  # type: ignore[union-attr]
            if not line:
                sys.exit(f"{name} stopped; its complaint is above")
            found[name].append(json.loads(line))
            print(f"step {number} {name}: {line.strip()}", file=sys.stderr, flush=True)
    for process in sides.values():
        process.stdin.close()  # type: ignore[union-attr]
        process.wait()
    return found


def summarised(found: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Each side's figures, and what they are to the plain loop's; the least time of each side counts."""
    least = {
        name: {key: min(step[key] for step in steps[1:]) for key in ("wall_s", "cpu_s")}
        | {key: steps[-1][key] for key in ("peak_bytes", "added_bytes")}
        for name, steps in found.items()
    }
    for name, own in least.items():
        own |= {
            "speed": least[PEER]["wall_s"] / own["wall_s"],
            "cpu_speed": least[PEER]["cpu_s"] / own["cpu_s"],
            "memory": own["peak_bytes"] / least[PEER]["peak_bytes"],
            "added_memory": own["added_bytes"] / least[PEER]["added_bytes"],
            "loss_difference": abs(found[name][0]["loss"] / found[PEER][0]["loss"] - 1),
        }
    return least


def rows_of(name: str, own: dict[str, float], batch_size: int) -> list[str]:
    """A side's row, and the row of its ratios."""
    rates = [batch_size / own[key] for key in ("wall_s", "cpu_s")]
    memory = [own[key] / MIB for key in ("peak_bytes", "added_bytes")]
    row = f"| {name} | {rates[0]:.2f} | {rates[1]:.2f} | {memory[0]:,.0f} | {memory[1]:,.0f} |"
    ratios = (
        f"| to the plain loop | **{own['speed']:.2f}** | {own['cpu_speed']:.2f} "
        f"| **{own['memory']:.2f}** | {own['added_memory']:.2f} |"
    )
    return [row] if name == PEER else [row, ratios]


def report(figures: dict[str, dict[str, float]], options: argparse.Namespace) -> str:
    """The measurement as Markdown."""
    import diffusers

    lines = [
        "# Training step: ours against diffusers' classes in a plain loop",
        "",
        f"`python benchmarks/training.py --size-px {options.size_px} --batch-size {options.batch_size} --threads "
        f"{options.threads}`",
        f"at commit {commit()}, {datetime.date.today().isoformat()}.",
        f"{processor()}, {options.threads} threads each in turns, load {os.getloadavg()[0]:.1f} when it ended; "
        f"torch {torch.__version__}, diffusers {diffusers.__version__}, Python {platform.python_version()}.",
        "",
        "gallop's transformer, 12.6 M parameters, 17 frames; bfloat16 autocast, float32 weights, clip, fused AdamW. "
        "Ours also averages the weights.",
        f"Least of {options.steps} steps after one that warms up. Memory: peak of the process, and what training adds "
        "to the imports.",
        "",
        "| | samples/s | samples per CPU-second | peak MiB | added MiB |",
        "|---|---|---|---|---|",
        *[row for name in SIDES for row in rows_of(name, figures[name], options.batch_size)],
        f"| target for ours | >= {TARGET_SPEED} | | <= {TARGET_MEMORY} | |",
        "",
        f"Our first loss differs from the plain loop's by {figures[OURS]['loss_difference']:.1e} of itself.",
    ]
    return "\n".join(lines) + "\n"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--size-px", type=int, default=128)
    parser.add_argument("--steps", type=int, default=6, help="of each side, after one that warms up")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--worker", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the dated report")
    return parser.parse_args()


def main() -> int:
    """Measure, print, write the report."""
    options = parse()
    if options.worker:
        return work(options)
    figures = summarised(measure(options))
    text = report(figures, options)
    print(text)
    if options.report:
        name = f"training-{options.size_px}px_{hardware()}_{datetime.date.today().isoformat()}.md"
        (ROOT / "benchmarks" / "reports" / name).write_text(text)
    own = figures[OURS]
    is_same = max(side["loss_difference"] for side in figures.values()) <= MAX_LOSS_DIFFERENCE
    return 0 if is_same and own["speed"] >= TARGET_SPEED and own["memory"] <= TARGET_MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
