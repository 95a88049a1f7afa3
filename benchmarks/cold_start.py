"""How long a person waits for the first sign of life: `import muybridge`, `muybridge --help`, a verb's help.

    python benchmarks/cold_start.py

Each is a fresh process; the least of the tries counts, because a busy machine only adds. Exit code 1 above a target.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from children import measured  # noqa: E402
from machine import commit, processor  # noqa: E402

MAIN = "import sys; from muybridge.cli import main; sys.exit(main())"
COMMANDS = {  # name: (what follows `python`, target in seconds)
    "python, empty": (["-c", "pass"], None),
    "import muybridge": (["-c", "import muybridge"], 0.2),
    "muybridge --help": (["-c", MAIN, "--help"], 0.6),
    "muybridge generate --help": (["-c", MAIN, "generate", "--help"], 0.6),
    "muybridge.load (all imports)": (["-c", "import muybridge; muybridge.load"], None),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=7)
    options = parser.parse_args()
    print(f"{processor()}, {os.cpu_count()} cores, commit {commit()}, load {os.getloadavg()[0]:.1f}\n")
    print("| command | wall s | CPU s | target s |\n|---|---|---|---|")
    holds = True
    for name, (words, target) in COMMANDS.items():
        runs = [measured([sys.executable, *words]) for _ in range(options.tries)]
        wall, cpu = min(run.wall_s for run in runs), min(run.cpu_s for run in runs)
        holds &= target is None or wall <= target
        print(f"| {name} | {wall:.3f} | {cpu:.3f} | {target or ''} |")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
