"""What the engine of curation costs beside a plain loop, and what workers and Ray Data bring.

    python benchmarks/curation_engine.py                  # 24 films of 4 s at 256 px: the claims
    python benchmarks/curation_engine.py --films 6 --no-report --no-ray

Each way runs the same splitter, stage and writer on the same films: a plain loop in this process, the local executor
with 1 and 2 workers, Ray Data on 2 CPUs. `overhead` is the local executor's time with one worker beyond the loop's, of
the loop's; the trees are compared byte for byte. Then a run is ended by SIGKILL half way and continued.
Writes benchmarks/reports/curation_engine_HARDWARE_DATE.md; exit code 1 above a target or where trees differ.
"""

import argparse
import datetime
import hashlib
import multiprocessing
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402

from muybridge.curation.clip import SourceFile  # noqa: E402
from muybridge.curation.engine.clip_files import place_of, write_clip  # noqa: E402
from muybridge.curation.engine.executor import Executor  # noqa: E402
from muybridge.curation.engine.journal import SUMMARY, TIMINGS, WORK  # noqa: E402
from muybridge.curation.engine.local import LocalExecutor  # noqa: E402
from muybridge.curation.engine.plan import Plan  # noqa: E402
from muybridge.curation.engine.ray_data import RayDataExecutor  # noqa: E402
from muybridge.curation.engine.run import run_stages  # noqa: E402
from muybridge.curation.even import Brightness, EvenSplitter  # noqa: E402
from muybridge.curation.sources.find import find_sources  # noqa: E402
from muybridge.media.writer import write_video  # noqa: E402

MAX_OVERHEAD = 0.10
FPS, SECONDS = 24, 4


def main() -> int:
    options = parse()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        films = render(folder / "films", options.films)
        seconds = {"plain loop": timed(lambda: plain_loop(films, folder / "loop"))}
        ways: dict[str, Executor] = {"local, 1 worker": LocalExecutor()}
        ways["local, 2 workers"] = LocalExecutor(num_workers=2)
        if options.ray:
            ways["Ray Data, 2 CPUs"] = RayDataExecutor()
        repeated, seconds["continued after SIGKILL, 2 workers"] = killed(films, folder / "killed")
        trees = [digest(folder / "killed")]
        for number, (way, executor) in enumerate(ways.items()):
            if isinstance(executor, RayDataExecutor):  # last: its processes idle beside the others
                seconds["(Ray starts)"] = timed(start_ray)
            seconds[way] = timed(lambda executor=executor, number=number: curate(films, folder / str(number), executor))
            trees.append(digest(folder / str(number)))
        num_clips = options.films * SECONDS
    overhead = seconds["local, 1 worker"] / seconds["plain loop"] - 1
    are_equal = len(set(trees)) == 1
    lines = [
        "# The engine of curation",
        "",
        f"`python {' '.join(['benchmarks/curation_engine.py', *sys.argv[1:]])}` at commit {commit()}, "
        f"{datetime.date.today()}.",
        f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}. {options.films} films of "
        f"{SECONDS} s, 456x256, {FPS} frames/s, cut into {num_clips} clips of a second; brightness; H.264.",
        "",
        "| way | seconds | clips/s |",
        "|---|---|---|",
        *(f"| {way} | {seconds[way]:.1f} | {num_clips / seconds[way]:.1f} |" for way in ("plain loop", *ways)),
        "",
        *([f"Ray takes another {seconds['(Ray starts)']:.1f} s to start."] if options.ray else []),
        f"Overhead of the local executor with one worker: {overhead:.1%}; to be at most {MAX_OVERHEAD:.0%}.",
        f"Trees byte for byte, interrupted or not: {'equal' if are_equal else 'DIFFERENT'}.",
        f"After SIGKILL half way {repeated} of {options.films} sources were still to be done, in "
        f"{seconds['continued after SIGKILL, 2 workers']:.1f} s with 2 workers.",
    ]
    print("\n".join(lines))
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"curation_engine_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    return 0 if are_equal and overhead <= MAX_OVERHEAD else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=24)
    parser.add_argument("--ray", action=argparse.BooleanOptionalAction, default=True, help="also by Ray Data")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    return parser.parse_args()


def render(folder: Path, num_films: int) -> Path:
    """Films of drifting waves with a little grain."""
    folder.mkdir(parents=True)
    y, x = np.mgrid[:256, :456] / 40
    for number in range(num_films):
        grain = np.random.default_rng(number).normal(0, 4, (256, 456, 3))
        waves = [np.sin(x + time_s) * np.cos(y - number) for time_s in np.arange(FPS * SECONDS) / 8]
        frames = np.stack([128 + 90 * wave[..., None] + grain for wave in waves]).clip(0, 255).astype(np.uint8)
        write_video(folder / f"{number:03d}.mp4", frames, fps=FPS)
    return folder


def plan(folder: Path) -> Plan:
    """The job."""
    return Plan(splitter=EvenSplitter(seconds=1.0), stages=(Brightness(),), folder=folder)


def plain_loop(films: Path, folder: Path) -> None:
    """What the job takes without any engine."""
    job = plan(folder)
    for path in sorted(films.iterdir()):
        for clip in job.splitter.clips(SourceFile(path=path, uri=path.name)):
            done = job.stages[0].process(clip)
            write_clip(done, folder / place_of(done), qp=job.qp)


def curate(films: Path, folder: Path, executor: Executor) -> None:
    """The job by an executor."""
    run_stages(plan(folder), find_sources([str(films)]), executor=executor)


def start_ray() -> None:
    """A cluster of this machine, which the executor then joins."""
    import ray

    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=2**29, log_to_driver=False)


def killed(films: Path, folder: Path) -> tuple[int, float]:
    """(sources that were left, seconds for them) after a run that is ended half way."""
    half = len(list(films.iterdir())) // 2

    def die(done: int, total: int, figures: object) -> None:
        if done == half:
            os.kill(os.getpid(), signal.SIGKILL)

    def first() -> None:
        run_stages(plan(folder), find_sources([str(films)]), executor=LocalExecutor(num_workers=2), on_progress=die)

    process = multiprocessing.get_context("fork").Process(target=first)
    process.start()
    process.join()
    start = time.perf_counter()
    summary = run_stages(plan(folder), find_sources([str(films)]), executor=LocalExecutor(num_workers=2))
    return summary.num_sources_now, time.perf_counter() - start


def timed(work: Callable[[], None]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def digest(folder: Path) -> str:
    """Of every file but clocks."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.relative_to(folder).parts[0] not in (SUMMARY, TIMINGS, WORK):
            whole.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return whole.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
