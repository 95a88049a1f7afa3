"""Minutes of hostile files for every reader of weights; `make fuzz`.

    python benchmarks/fuzz.py --minutes 10
    python benchmarks/fuzz.py --kind LoRA --seed 1234        # one file again, kept in --keep

Files come from a grammar (tests/weights/grammar): sound containers whose parts lie. Each is opened, described,
recognised, applied where it is a LoRA, and read to its end in a child process with limits of memory and time. It must
be read, or refused in one line that names it, in under a second of processor time a reading; nothing in it may run,
and nothing but it may be opened. What else happens is a finding: it is counted, kept, and the fuzzing goes on. Writes
a report into benchmarks/reports. Exit code 1 where anything was found.
"""

import argparse
import os
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from machine import commit, hardware, processor  # noqa: E402

from tests.weights.grammar import KINDS, prepare  # noqa: E402
from tests.weights.grammar.reading import Finding, check  # noqa: E402

REPORTS = ROOT / "benchmarks" / "reports"
MORE_MEMORY_BYTES = 2**31  # beside what the process has before the first file
MAX_CPU_S, MAX_WALL_S = 5, 60  # of a file, before its process is ended
BATCH = 200  # files of a child process


@dataclass
class Tally:
    """What became of the files of one kind."""

    num_files: int = 0
    num_read: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)


def main() -> int:
    """Fuzz, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kind", choices=KINDS, help="only these")
    parser.add_argument("--seed", type=int, help="only this file of --kind")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "fuzz", help="for what was found")
    options = parser.parse_args()
    if options.seed is not None:
        print(outcome(options.kind, options.seed, options.keep))
        return 0
    kinds = [options.kind] if options.kind else list(KINDS)
    prepare()
    for kind in kinds:
        outcome(kind, 0, None)  # what is computed once should not be computed in every child
    tallies = {kind: Tally() for kind in kinds}
    end_s = time.monotonic() + 60 * options.minutes
    first = number = time.time_ns() % 2**32
    while time.monotonic() < end_s:
        for kind in kinds:
            for seed, said in batch(kind, range(number, number + BATCH)):
                count(tallies[kind], kind, seed, said, keep=options.keep)
            if time.monotonic() > end_s:
                break
        number += BATCH
    text = report(tallies, minutes=options.minutes, seeds=(first, number))
    if not options.kind:
        (REPORTS / f"fuzz_{hardware()}_{date.today()}.md").write_text(text)
    print(text)
    return int(any(tally.findings for tally in tallies.values()))


def batch(kind: str, seeds: range) -> Iterator[tuple[int, str]]:
    """Each seed with what was said of its file, one line; a child that dies of one is followed by another."""
    seed = seeds.start
    while seed < seeds.stop:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _work(kind, range(seed, seeds.stop), writing)
        os.close(writing)
        with os.fdopen(reading, "r", errors="replace") as lines:
            for line in _lines(lines, child):
                yield seed, line
                seed += 1
        _, status = os.waitpid(child, 0)
        if status:
            ending = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit {status >> 8}"
            yield seed, f"! the process ended by {ending}"
            seed += 1


def _lines(lines, child: int) -> Iterator[str]:  # noqa: ANN001
    """Lines of a child, which is ended where it is silent for too long."""
    while True:
        ready, _, _ = select.select([lines], [], [], MAX_WALL_S)
        if not ready:
            os.kill(child, signal.SIGALRM)
        line = lines.readline()
        if not line:
            return
        yield line.rstrip("\n")


def _work(kind: str, seeds: range, writing: int) -> None:
    """A child's life."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MORE_MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = 0
    try:
        for seed in seeds:
            os.write(writing, f"{outcome(kind, seed, None)}\n".encode(errors="replace"))
    except BaseException as error:
        code = 1
        os.write(2, f"{kind} {seed}: {error!r}\n".encode())
    os._exit(code)


def outcome(kind: str, seed: int, keep: Path | None) -> str:
    """`+` read, `- reason` refused, `! what` found; keep: where the file stays."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-")) if keep is None else keep / f"{re.sub(r'[^a-z]', '', kind)}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        path = KINDS[kind](Random(f"{kind} {seed}"), folder)
        signal.setitimer(signal.ITIMER_PROF, 0 if keep else MAX_CPU_S)
        message = check(path)
        if (folder / "ran").exists():
            return "! code in the file ran"
        return "+" if message is None else f"- {message}" if keep else f"- {kind_of(message)}"
    except Finding as error:
        return f"! {str(error).replace(str(folder), '...')}".replace("\n", "\\n")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def count(tally: Tally, kind: str, seed: int, said: str, *, keep: Path) -> None:
    """One file into the tally; a new kind of finding is told, and its file kept."""
    tally.num_files += 1
    mark, _, what = said.partition(" ")
    if mark == "+":
        tally.num_read += 1
    elif mark == "-":
        tally.reasons[what] += 1
    else:
        alike = kind_of(f": {what}") or what
        if not tally.findings[alike]:
            keep.mkdir(parents=True, exist_ok=True)
            with (keep / "findings.txt").open("a") as file:
                file.write(f"--kind {kind!r} --seed {seed}: {what}\n")
            print(f"{kind}, seed {seed}: {what[:300]}", file=sys.stderr, flush=True)
        tally.findings[alike] += 1


def kind_of(message: str) -> str:
    """A message without names and numbers."""
    rule = message.partition(": ")[2].partition(";")[0]
    return re.sub(r"\d+", "N", re.sub(r"'[^']*'|\"[^\"]*\"|\([^)]*\)", "...", rule))[:80]


def report(tallies: dict[str, Tally], *, minutes: float, seeds: tuple[int, int]) -> str:
    """Markdown."""
    rows = [
        f"| {kind} | {tally.num_files:,} | {tally.num_read:,} | {len(tally.reasons)} | {sum(tally.findings.values())} |"
        for kind, tally in tallies.items()
    ]
    total = sum(tally.num_files for tally in tallies.values())
    reasons: Counter[str] = sum((tally.reasons for tally in tallies.values()), Counter())
    found: Counter[str] = sum((tally.findings for tally in tallies.values()), Counter())
    lines = [f"- {number:,}: {reason}" for reason, number in reasons.most_common(20)]
    findings = [f"- {number:,}: {what}" for what, number in found.most_common()] or ["none"]
    return (
        f"# fuzz\n\n{date.today()}, commit {commit()}, {processor()}: {minutes:g} minutes, {total:,} files, "
        f"seeds {seeds[0]} to {seeds[1]}. Every file was described and read to its end, or refused in one line with "
        f"its name and a remedy, within {MORE_MEMORY_BYTES >> 30} GiB more memory and a second of processor time a "
        "reading; no code in one ran, and nothing else was opened; but for the findings.\n\n"
        "| kind | files | read to the end | reasons to refuse | findings |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n\nFindings:\n\n"
        + "\n".join(findings)
        + "\n\nThe commonest reasons:\n\n"
        + "\n".join(lines)
        + "\n"
    )


if __name__ == "__main__":
    sys.exit(main())
