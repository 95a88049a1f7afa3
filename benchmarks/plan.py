"""What the planner predicts against what is measured: peak memory and seconds of twenty settings, a process each.

    python benchmarks/plan.py                 # all of them, about five minutes
    python benchmarks/plan.py --only wide     # those whose name has this word; writes no report

Gallop with its own weights and random networks of the released width and small depth denoise one step and decode one
film; the peak is that of the whole process as the system counts it. Peaks are compared as they are: the libraries are
part of both. Writes benchmarks/reports/plan_HARDWARE_DATE.md; exit code 1 where a peak is over 10 % off.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch  # noqa: E402
from children import Usage, measured  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402

import muybridge  # noqa: E402
from muybridge.acceleration.estimate import Phases, estimate  # noqa: E402
from muybridge.acceleration.facts import Model, TextFacts, Work  # noqa: E402
from muybridge.acceleration.machine import device_named  # noqa: E402
from muybridge.acceleration.settings import RunSettings  # noqa: E402
from muybridge.core.config import from_dict, to_dict  # noqa: E402
from muybridge.pipelines.denoise import Plan, Prompts, denoise  # noqa: E402
from muybridge.pipelines.planning import described  # noqa: E402
from muybridge.text.encoder import TextStates  # noqa: E402
from muybridge.transformer import Transformer, TransformerConfig  # noqa: E402
from muybridge.vae import VAEConfig, VideoVAE  # noqa: E402
from muybridge.vae import modes as vae_modes  # noqa: E402

TOLERANCE = 0.10
STEPS = 1
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
WIDE = TransformerConfig(num_double_blocks=1, num_single_blocks=1, num_refiner_blocks=1)
VAE = VAEConfig(block_channels=(64, 128, 256, 256))
NARROW_VAE = VAEConfig(block_channels=(32, 32, 64, 64), layers_per_block=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One setting. model: gallop, wide (a transformer of the released width), vae (the released one, half as wide)."""

    model: str
    settings: RunSettings
    width: int = 128
    height: int = 128
    frames: int = 9
    batch: int = 1

    @property
    def name(self) -> str:
        """As the table shows it."""
        plain, shown = RunSettings(), []
        for field, value in to_dict(self.settings).items():
            if value != getattr(plain, field) and field != "dtype":
                shown.append(f"{field}={value}")
        size = f"{self.width}x{self.height}x{self.frames}"
        films = f", {self.batch} films" if self.batch > 1 else ""
        return f"{self.model}, {size}{films}, {', '.join([str(self.settings.dtype), *shown])}"


def cases() -> list[Case]:
    """Size, frames, dtype, batch, chunks and the VAE's mode, varied."""
    single, half = RunSettings(dtype="float32", vae_mode="whole"), RunSettings(dtype="bfloat16", vae_mode="whole")
    wide, vae = Case(model="wide", settings=half, width=256, height=256, frames=5), Case(model="vae", settings=single)
    gallop = Case(model="gallop", settings=single, frames=17)
    medium, large = (replace(wide, width=width, height=256, frames=17) for width in (384, 768))
    return [
        gallop,
        replace(gallop, frames=33),
        replace(gallop, width=256, height=256, frames=33),
        replace(gallop, width=256, height=256, settings=half),
        replace(gallop, width=256, height=256, batch=2),
        wide,
        medium,
        large,
        replace(large, settings=replace(half, chunk_tokens=1024)),
        replace(large, settings=replace(half, chunk_tokens=None)),
        replace(medium, batch=2),
        replace(wide, settings=single),
        replace(medium, settings=single),
        vae,
        replace(vae, width=256, height=128),
        replace(vae, width=256, height=128, settings=replace(single, vae_mode="exact")),
        replace(vae, width=256, height=256, settings=replace(single, vae_mode="exact")),
        replace(vae, width=256, height=128, settings=replace(single, vae_mode="spill")),
        replace(vae, width=256, height=128, settings=replace(single, vae_mode="stream")),
        replace(vae, width=320, height=192, settings=replace(single, vae_mode="tiled")),
    ]


def model_of(case: Case) -> Model:
    """The facts of a case's networks; no text encoder runs here."""
    if case.model == "gallop":
        return replace(described("gallop")[0], text=TextFacts(num_parameters=0, num_tokens=32))
    text = TextFacts(num_parameters=0, num_tokens=64)
    small = TransformerConfig(
        hidden_size=128, num_heads=1, num_double_blocks=1, num_single_blocks=1, num_refiner_blocks=1, text_dim=64
    )
    if case.model == "vae":
        return Model(name="vae", transformer=small, vae=VAE, text=text)
    return Model(name="wide", transformer=WIDE, vae=NARROW_VAE, text=text)


def work_of(case: Case) -> Work:
    """One plain step: the others take as much."""
    return Work(width=case.width, height=case.height, num_frames=case.frames, num_steps=STEPS, batch_size=case.batch)


@torch.inference_mode()
def run(case: Case) -> dict[str, float]:
    """Seconds of denoising and of decoding; the process's peak is for the parent to read."""
    model, work, dtype = model_of(case), work_of(case), DTYPES[str(case.settings.dtype)]
    transformer, vae = networks(case, model, dtype)
    transformer.chunk_tokens = case.settings.chunk_tokens
    states = torch.randn(case.batch, model.text.num_tokens, model.transformer.text_dim)
    mask = torch.ones(states.shape[:2], dtype=torch.bool)
    text = TextStates(states=states, mask=mask, pooled=torch.randn(case.batch, model.transformer.pooled_dim))
    guidance = 6.0 if model.transformer.has_guidance else None
    plan = Plan(num_steps=STEPS, shift=7.0, sampler="euler", guidance=guidance, cfg=1.0)
    started = time.perf_counter()
    latents = denoise(
        transformer,
        Prompts(positive=text, negative=None),
        plan=plan,
        seeds=list(range(case.batch)),
        shape=work.latents(model),
    )
    denoised = time.perf_counter()
    for film in latents.split(1):
        pixels = vae_modes.decode(vae, film.to(dtype), mode=cast(vae_modes.Mode, case.settings.vae_mode)).float()
        (pixels.add_(1).mul_(127.5)).to(torch.uint8)
        del pixels
    return {"denoise": denoised - started, "decode": time.perf_counter() - denoised}


def networks(case: Case, model: Model, dtype: torch.dtype) -> tuple[Transformer, VideoVAE]:
    """Gallop's own, or random ones that are never there twice."""
    if case.model == "gallop":
        parts = muybridge.load("gallop", device="cpu", dtype=dtype).components
        return parts.transformer, parts.vae
    with torch.device("meta"):
        built = Transformer(model.transformer), VideoVAE(model.vae)
    for network in built:
        network.to(dtype).to_empty(device="cpu").requires_grad_(False)
        for parameter in network.parameters():
            parameter.normal_(0, 0.02)
    return built


def predicted(case: Case) -> Phases:
    """By the planner, on this machine."""
    return estimate(model_of(case), work_of(case), case.settings, device_named("cpu"))


def child(case: Case) -> Usage:
    """The case in a process of its own."""
    words = json.dumps(to_dict(case))
    return measured([sys.executable, __file__, "--child", words])


def main() -> int:
    options = parse()
    if options.child:
        print(json.dumps(run(from_dict(Case, json.loads(options.child)))))
        return 0
    chosen = [case for case in cases() if options.only in case.name]
    device_named("cpu", anew=True)
    rows, errors, slips = [], [], []
    for case in chosen:
        usage, phases = child(case), predicted(case)
        took = json.loads(usage.out)
        error = phases.peak_bytes / usage.peak_bytes - 1
        errors.append(abs(error))
        times = [(phases.of(name).seconds, seconds) for name, seconds in took.items()]
        slips += [guess / max(seconds, 1e-3) for guess, seconds in times]
        seconds = " | ".join(f"{guess:.1f} / {real:.1f}" for guess, real in times)
        rows.append(f"| {case.name} | {mib(phases.peak_bytes)} | {mib(usage.peak_bytes)} | {error:+.1%} | {seconds} |")
        print(rows[-1], flush=True)
    lines = report(rows, errors, slips)
    print("\n".join(lines))
    if not options.only:
        path = ROOT / "benchmarks" / "reports" / f"plan_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    return 0 if max(errors) <= TOLERANCE else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def report(rows: list[str], errors: list[float], slips: list[float]) -> list[str]:
    within = sum(error <= TOLERANCE for error in errors)
    factor = statistics.median(max(slip, 1 / slip) for slip in slips)
    return [
        "# What the planner predicts",
        "",
        f"`python {' '.join(['benchmarks/plan.py', *sys.argv[1:]])}` at commit {commit()}, {datetime.date.today()}.",
        f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it ended; "
        f"torch {torch.__version__}, Python {platform.python_version()}.",
        "",
        f"Peaks within 10 %: {within} of {len(errors)}; the worst is {max(errors):.1%} off, the median "
        f"{statistics.median(errors):.1%}. Times are off by a factor of {factor:.2f} in the median, "
        f"{max(max(slip, 1 / slip) for slip in slips):.1f} at the worst.",
        "",
        "| setting | predicted MiB | measured MiB | error | denoise, s: predicted / measured | decode, likewise |",
        "|---|---|---|---|---|---|",
        *rows,
    ]


def mib(count: int) -> str:
    return f"{count / 2**20:.0f}"


if __name__ == "__main__":
    sys.exit(main())
