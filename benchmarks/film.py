"""One film as a person makes it: `muybridge generate` from start to end, wall time and peak memory.

    python benchmarks/film.py                                  # gallop, 128x128, 33 frames: the claim
    python benchmarks/film.py --model DIR --steps 10 --no-report

The first run is not counted: it may convert the text encoder and fills the disk cache. The memory that the pipeline
predicts stands beside what was measured, and the denoising of four films in one batch beside that of four alone, which
is why a CPU takes them one by one. Writes benchmarks/reports/film_HARDWARE_DATE.md; exit code 1 above a target.
"""

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch  # noqa: E402
from children import Usage, measured  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402

import muybridge  # noqa: E402
from muybridge.acceleration.estimate import estimate  # noqa: E402
from muybridge.acceleration.machine import device_here  # noqa: E402
from muybridge.pipelines.denoise import Plan, Prompts, denoise  # noqa: E402
from muybridge.pipelines.planning import work_of  # noqa: E402
from muybridge.text.encoder import TextStates  # noqa: E402

PROMPT = "a brown horse gallops to the right over green grass"
MAX_WALL_S = 30.0
MAX_PEAK_BYTES = 2.5 * 2**30
BATCH = 4


def main() -> int:
    options = parse()
    usages = films(options)
    best = min(usages, key=lambda usage: usage.wall_s)
    peak = max(usage.peak_bytes for usage in usages)
    holds = best.wall_s <= MAX_WALL_S and peak <= MAX_PEAK_BYTES
    lines = [
        "# One film, from the command to the file",
        "",
        f"`python {' '.join(['benchmarks/film.py', *sys.argv[1:]])}` at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it ended; "
        f"torch {torch.__version__}, Python {platform.python_version()}.",
        "",
        settings_line(best),
        "",
        "| | measured | target |",
        "|---|---|---|",
        f"| wall, best of {len(usages)} | {best.wall_s:.1f} s | {MAX_WALL_S:.0f} s |",
        f"| processor time of that run | {best.cpu_s:.1f} s | |",
        f"| peak memory, worst of {len(usages)} | {peak / 2**30:.2f} GiB | {MAX_PEAK_BYTES / 2**30:.1f} GiB |",
        *inside(options),
    ]
    print("\n".join(lines))
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"film_{hardware()}_{datetime.date.today()}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    return 0 if holds else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gallop")
    parser.add_argument("--size", default="128x128")
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--steps", type=int, default=None, help="default: the model's")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def films(options: argparse.Namespace) -> list[Usage]:
    """The counted runs, one process each."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["generate", PROMPT, "--seed", "7", "--json", "-o", f"{folder}/film.mp4", "--model", options.model]
        words += ["--size", options.size, "--frames", str(options.frames)]
        words += [] if options.steps is None else ["--steps", str(options.steps)]
        command = [sys.executable, "-m", "muybridge", *words]
        return [measured(command) for _ in range(options.runs + 1)][1:]


def settings_line(usage: Usage) -> str:
    film = json.loads(usage.out)["films"][0]
    chosen = film["settings"]
    return (
        f"{chosen['model']}: {chosen['size']}, {chosen['frames']} frames, {chosen['steps']} {chosen['sampler']} steps, "
        f"cfg {chosen['cfg']}, {chosen['dtype']} on {chosen['device']}; {film['seconds']:.1f} s of it in the pipeline."
    )


def inside(options: argparse.Namespace) -> list[str]:
    """What the pipeline predicts, and a batch of four against four alone."""
    pipe = muybridge.load(options.model, device="cpu")
    chosen = muybridge.Settings(size=options.size, frames=options.frames, steps=2, seed=0)
    [request] = pipe.requests([PROMPT], chosen)
    run = pipe.components.run
    phases = estimate(pipe.components.facts, work_of(request), run, device_here(pipe.device))
    predicted = phases.peak_bytes
    text = pipe.components.text.encode([PROMPT], num_frames=request.num_frames)
    shape = (pipe.components.transformer.config.in_channels, *_latent_grid(request))
    plan = Plan.of(request)

    def seconds(batch: int) -> float:
        one = (tensor.expand(batch, *tensor.shape[1:]) for tensor in (text.states, text.mask, text.pooled))
        states, mask, pooled = one
        prompts = TextStates(states=states, mask=mask, pooled=pooled)
        both = Prompts(positive=prompts, negative=prompts if request.cfg != 1 else None)
        started = time.perf_counter()
        denoise(pipe.components.transformer, both, plan=plan, seeds=list(range(batch)), shape=shape)
        return time.perf_counter() - started

    seconds(1)
    alone = min(BATCH * seconds(1) for _ in range(3))
    together = min(seconds(BATCH) for _ in range(3))
    return [
        f"| memory that the pipeline predicts | {predicted / 2**30:.2f} GiB | |",
        f"| two steps of {BATCH} films, each alone | {alone:.2f} s | |",
        f"| the same in one batch | {together:.2f} s | |",
    ]


def _latent_grid(request: muybridge.GenerationRequest) -> tuple[int, int, int]:
    return (request.num_frames - 1) // 4 + 1, request.height // 8, request.width // 8


if __name__ == "__main__":
    sys.exit(main())
