"""One accelerator measured in eight minutes: each part a process with its own time limit, written down as it goes.

    python benchmarks/gpu.py                                # one H200; benchmarks/reports/gpu_DEVICE_DATE.md
    python benchmarks/gpu.py --parts matmul step-480 vae     # some of them
    python benchmarks/gpu.py --device cpu --tiny --no-report  # its own test: every part end to end, small, in a minute

The report is there from the first line on, so what is stopped, by its limit or by a person, loses nothing that was
measured. Parts run in order of what they tell; those that do not fit into --minutes any more are named as left out.
Weights are random and made on the device. Exit code 1 where a part failed or was stopped. (No file here may be called
cuda.py: torch would take it for NVIDIA's package of that name.)
"""

import argparse
import datetime
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TextIO

import torch
from gpu_parts import PARTS, Place
from machine import ROOT, commit, hardware, processor

MIN_PART_S = 10.0  # with less left no part is begun
FORK = multiprocessing.get_context("fork")  # packages are imported once; this process itself never calls the device


def main() -> int:
    options = parse()
    with tempfile.TemporaryDirectory() as scratch:
        return everything(options, scratch)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small sizes: a test of the suite, no measurement")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts together")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def everything(options: argparse.Namespace, scratch: str) -> int:
    """Every part in turn, while there is time."""
    name, words = where(options.device)
    place = Place(device=options.device, is_tiny=options.tiny, scratch=Path(scratch))
    file = f"gpu_{words}_{datetime.date.today().isoformat()}{'_tiny' if options.tiny else ''}.md"
    path = ROOT / "benchmarks" / "reports" / file if options.report else Path(scratch) / file
    deadline, failures = time.monotonic() + 60 * options.minutes, 0
    with path.open("w", encoding="utf-8") as report:
        write(report, heading(options, name))
        for part in options.parts:
            left = deadline - time.monotonic()
            write(report, f"\n## {part}: {PARTS[part].title}\n\n")
            if left < MIN_PART_S:
                write(report, "Left out: no time was left.\n")
                continue
            failures += not run(part, place, limit_s=min(left, PARTS[part].limit_s), report=report)
    if options.report:
        print(f"wrote {path.relative_to(ROOT)}")
    return 1 if failures else 0


def run(part: str, place: Place, *, limit_s: float, report: TextIO) -> bool:
    """One part in a process of its own, whose lines go to the report as they come; False where it did not end well."""
    complaints, start = place.scratch / f"{part}.txt", time.monotonic()
    reading, writing = os.pipe()
    process = FORK.Process(target=_child, args=(part, place, writing, complaints))
    process.start()
    os.close(writing)
    stop = threading.Timer(limit_s, process.kill)
    stop.start()
    try:
        with os.fdopen(reading) as lines:
            for line in lines:
                write(report, line)
        process.join()
    finally:
        stop.cancel()
    seconds = time.monotonic() - start
    if process.exitcode == -signal.SIGKILL and seconds >= limit_s:
        write(report, f"\nStopped after {seconds:.0f} s, its limit.\n")
    elif process.exitcode:
        last = complaints.read_text().strip().splitlines()[-1:] or ["no word"]
        write(report, f"\nFailed after {seconds:.0f} s (exit code {process.exitcode}): `{last[0][:300]}`\n")
    else:
        write(report, f"\n{seconds:.0f} s with making the weights.\n")
    return process.exitcode == 0


def _child(part: str, place: Place, writing: int, complaints: Path) -> None:
    os.dup2(writing, sys.stdout.fileno())
    os.dup2(os.open(complaints, os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
    PARTS[part].run(place)


def write(report: TextIO, text: str) -> None:
    """To the report and the screen, at once."""
    report.write(text)
    report.flush()
    os.fsync(report.fileno())
    print(text, end="", flush=True)


def where(device: str) -> tuple[str, str]:
    """The device in words, and as part of a file name."""
    if device == "cpu":
        return processor(), hardware()
    words = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader", "--id=0"]
    name = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    return name, name.split(",")[0].lower().replace(" ", "-")


def heading(options: argparse.Namespace, name: str) -> str:
    lines = [
        f"# One accelerator: {name}",
        "",
        f"`python benchmarks/gpu.py` at commit {commit()}, {datetime.date.today().isoformat()}; torch "
        f"{torch.__version__}, CUDA {torch.version.cuda}, Python {platform.python_version()}.",
    ]
    if options.tiny:
        lines += ["", "**Tiny sizes: a test of the suite. These numbers measure nothing.**"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
