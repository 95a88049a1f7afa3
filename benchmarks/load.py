"""How much memory loading takes before the first forward: a mapped file needs next to none, whatever its size.

    python benchmarks/load.py

Each row is a fresh process that loads one file of zeros with holes in it, which takes no room on the disk, and says how
much its own (anonymous) memory grew and how much of the file it holds mapped. Cases: the whole released transformer,
25.6 GB, in its own dtype; and a smaller one cast to float32, where only the result may stay. A dated report goes to
benchmarks/reports. Exit code 1 above a target.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from children import measured  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402

from muybridge.transformer import TransformerConfig  # noqa: E402
from muybridge.transformer.cost import num_parameters  # noqa: E402
from tests.weights.sparse import sparse_release  # noqa: E402

GIB = 2**30
MAX_MAPPED_BYTES = 2 * GIB  # the aim for a file of 25 GB
MAX_OVER_RESULT = 1.15  # of the converted weights: one tensor at a time beside them, never two copies
CHILD = """
import json, sys
import torch
from muybridge.weights.load import load_transformer

def field(name):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(name))

before = field("RssAnon")
model = load_transformer(sys.argv[1], dtype=None if sys.argv[2] == "None" else getattr(torch, sys.argv[2]))
print(json.dumps([field("RssAnon") - before, field("RssFile"), field("RssAnon")]))
"""


def main() -> int:
    """Make the files, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    small = replace(TransformerConfig(), num_double_blocks=1, num_single_blocks=2)
    cases = {
        "whole, bfloat16 as stored": (TransformerConfig(), None, MAX_MAPPED_BYTES),
        "small, bfloat16 as stored": (small, None, MAX_MAPPED_BYTES),
        "small, cast to float32": (small, "float32", int(MAX_OVER_RESULT * 4 * num_parameters(small))),
    }
    rows, holds = [], True
    for name, (config, dtype, target) in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            path = sparse_release(Path(folder) / "t.safetensors", config)
            used = measured([sys.executable, "-c", CHILD, str(path), str(dtype)])
            size = path.stat().st_size
        grown, mapped, anonymous = json.loads(used.out)
        holds &= max(grown, anonymous if dtype is None else 0) <= target
        figures = " | ".join(f"{value / GIB:.2f}" for value in (size, grown, anonymous, mapped, target))
        rows.append(f"| {name} | {figures} | {used.wall_s:.1f} |")
    text = (
        f"# load\n\n{date.today()}, {processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"commit {commit()}. `load_transformer` in a fresh process; GiB.\n\n"
        "| | file | anonymous memory grew by | anonymous in all | file mapped | target | wall s |\n"
        "|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )
    print(text)
    (ROOT / "benchmarks" / "reports" / f"load_{hardware()}_{date.today()}.md").write_text(text)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
