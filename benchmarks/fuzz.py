"""Minutes of damaged and lying files for every reader of weights; `make fuzz`.

    python benchmarks/fuzz.py --minutes 10

Rounds of hypothesis, each with a new seed, go in turn through safetensors (damaged bytes, and whole headers that lie),
LoRA, GGUF and pickles with code in them. Every file must be read, or refused in one line that names it, in under a
second of processor time, and nothing in it may run. Writes a short report into benchmarks/reports, and what a reader
stumbled over into the folder given by --keep. Exit code 1 where one did.
"""

import argparse
import platform
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.weights.hostile import (  # noqa: E402
    CONFIG,
    bombed,
    damaged,
    gguf_file,
    lora_file,
    outcome,
    pickle_file,
    reheaded,
    transformer_file,
)

REPORTS = ROOT / "benchmarks" / "reports"
ROUND_EXAMPLES = 100


@dataclass
class Tally:
    """What became of the files of one reader."""

    num_files: int = 0
    num_read: int = 0
    slowest_s: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)


class Stumbled(Exception):
    """A reader did neither read nor refuse."""


def main() -> int:
    """Fuzz, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()), help="for files that failed")
    options = parser.parse_args()
    end_s = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text(CONFIG)
        targets = sources(folder)
        tallies = {title: Tally() for title in targets}
        first_seed = number = time.time_ns() % 2**32
        try:
            while time.monotonic() < end_s:
                for title, (file_name, strategy) in targets.items():
                    run_round(folder / file_name, strategy, number=number, tally=tallies[title], end_s=end_s)
                number += 1
        except Stumbled as error:
            kept = options.keep / f"stumbled-{Path(str(error)).name}"
            kept.write_bytes(Path(str(error)).read_bytes())
            print(f"{error}: {error.__cause__!r}; the file is {kept}, the seed {number}", file=sys.stderr)
            return 1
    text = report(tallies, minutes=options.minutes, seeds=(first_seed, number))
    (REPORTS / f"fuzz_{date.today()}.md").write_text(text)
    print(text)
    return 0


def sources(folder: Path) -> dict[str, tuple[str, st.SearchStrategy[bytes]]]:
    """By reader: the name under which its files are written, and what they hold."""
    target = folder / "ran"
    transformer, lora = transformer_file(), lora_file()
    pickles = [pickle_file(folder), *(bombed(folder, target, is_plain=is_plain) for is_plain in (True, False))]
    return {
        "safetensors, damaged": ("a.safetensors", damaged(transformer)),
        "safetensors, lying header": ("b.safetensors", reheaded(transformer)),
        "LoRA, damaged": ("c.safetensors", damaged(lora)),
        "LoRA, lying header": ("d.safetensors", reheaded(lora)),
        "GGUF, damaged": ("e.gguf", damaged(gguf_file(folder))),
        "pickle, damaged, some with code": ("f.pt", st.sampled_from(pickles).flatmap(damaged)),
        "any bytes": ("g.bin", st.binary(max_size=4096)),
    }


def run_round(path: Path, strategy: st.SearchStrategy[bytes], *, number: int, tally: Tally, end_s: float) -> None:
    """One round of hypothesis; raises Stumbled with the path of the file."""

    @seed(number)
    @settings(max_examples=ROUND_EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def one(data: bytes) -> None:
        if time.monotonic() < end_s:
            tried(path, data, tally)

    try:
        one()
    except (Exception, SystemExit) as error:
        raise Stumbled(str(path)) from error


def tried(path: Path, data: bytes, tally: Tally, read: Callable[[Path], str | None] = outcome) -> None:
    """One file written, read and counted."""
    path.write_bytes(data)
    started = time.process_time()
    message = read(path)
    assert not (path.parent / "ran").exists(), "code in the file ran"
    tally.slowest_s = max(tally.slowest_s, time.process_time() - started)
    tally.num_files += 1
    if message is None:
        tally.num_read += 1
    else:
        tally.reasons[kind_of(message)] += 1


def kind_of(message: str) -> str:
    """A message without names and numbers."""
    rule = message.partition(": ")[2].partition(";")[0]
    return re.sub(r"\d+", "N", re.sub(r"'[^']*'|\"[^\"]*\"|\([^)]*\)", "...", rule))[:80]


def report(tallies: dict[str, Tally], *, minutes: float, seeds: tuple[int, int]) -> str:
    """Markdown."""
    rows = [
        f"| {title} | {tally.num_files:,} | {tally.num_read:,} | {len(tally.reasons)} | {tally.slowest_s:.2f} |"
        for title, tally in tallies.items()
    ]
    total = sum(tally.num_files for tally in tallies.values())
    reasons: Counter[str] = sum((tally.reasons for tally in tallies.values()), Counter())
    lines = [f"- {count:,}: {reason}" for reason, count in reasons.most_common(12)]
    return (
        f"# fuzz\n\n{date.today()}, {minutes:g} minutes, {total:,} files, hypothesis seeds {seeds[0]} to {seeds[1]}, "
        f"{platform.python_implementation()} {platform.python_version()}. Every file was read to its end or refused in "
        "one line with its name and a remedy; no code in one ran.\n\n"
        "| reader | files | read to the end | reasons to refuse | slowest CPU s |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n\nThe commonest reasons:\n\n"
        + "\n".join(lines)
        + "\n"
    )


if __name__ == "__main__":
    sys.exit(main())
