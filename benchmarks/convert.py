"""How much memory and time `muybridge convert` takes, beside `cp` of the same file.

    python benchmarks/convert.py            # 5 GB: about 16 GB of disk, some minutes
    python benchmarks/convert.py --gb 1
    python benchmarks/convert.py --gb 1 --quantise fp8-scaled --quantise q8_0    # these too, measured without a target

Makes a checkpoint of random bfloat16 with the released network's blocks, fewer of them, in the official layout. Every
command is a fresh process whose peak memory is the system's own figure; files are on the disk (fsync) before a time is
taken. The arithmetic that `cp` has not - hashing what is written, hashing it again when it is read back, casting - is
measured by itself on the same bytes. A dated report goes to benchmarks/reports. Exit code 1 above a target.
"""

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch  # noqa: E402
from children import Usage, measured  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from muybridge.transformer import TransformerConfig  # noqa: E402
from muybridge.transformer.cost import num_parameters  # noqa: E402
from muybridge.weights.recognise import build  # noqa: E402

GIB = 2**30
MAX_OVER_SHARD_BYTES = GIB  # the aim is one shard + 1 GiB; held here without the shard
MAX_OVER_COPY = 1.3
TRIES = 2  # the least counts: a busy machine only adds
MAIN = "import sys; from muybridge.cli import main; sys.exit(main())"
COPY = "import os, shutil, sys; shutil.copyfile(*sys.argv[1:]); f = open(sys.argv[2], 'rb+'); os.fsync(f.fileno())"
CONVERSIONS = {  # what is measured: (name of the destination, options, how often every byte is hashed, cast to)
    "official to diffusers, shards": ("out", ("--layout", "diffusers"), 2, None),
    "official to official, float16": ("out.safetensors", ("--dtype", "float16"), 2, torch.float16),
}


def main() -> int:
    """Make the file, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, default=5.0, help="size of the checkpoint in 10^9 bytes")
    parser.add_argument("--folder", type=Path, default=None, help="where to work; default: a temporary folder")
    parser.add_argument("--quantise", action="append", default=[], help="measure this precision too; may be repeated")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        source = folder / "source.safetensors"
        config = config_of(options.gb)
        maker = get_context("spawn").Process(target=make, args=(source, config))  # its memory is not to be counted
        maker.start()
        maker.join()
        text, holds = measure(folder, source, config, precisions=options.quantise)
    print(text)
    path = ROOT / "benchmarks" / "reports" / f"convert_{hardware()}_{date.today()}.md"
    path.write_text(text)
    print(f"\n{path}")
    return 0 if holds else 1


def config_of(gb: float) -> TransformerConfig:
    """The released widths with as many blocks as make this size: one double block for every two single ones."""
    num_double, config = 0, TransformerConfig()
    while (
        2 * num_parameters(replace(config, num_double_blocks=num_double + 1, num_single_blocks=2 * num_double + 2))
        <= gb * 1e9
    ):
        num_double += 1
    return replace(config, num_double_blocks=max(1, num_double), num_single_blocks=2 * max(1, num_double))


def make(path: Path, config: TransformerConfig) -> None:
    """Random bfloat16 as safetensors writes it: a file from elsewhere, without our config and checksums."""
    generator = torch.Generator().manual_seed(0)

    def drawn(shape: tuple[int, ...]) -> torch.Tensor:
        bits = torch.randint(0, 2**15, shape, generator=generator, dtype=torch.int16)
        return torch.bitwise_and(bits, 0x3FFF).view(torch.bfloat16)  # finite, and as hard to compress as weights

    save_file({key: drawn(tuple(tensor.shape)) for key, tensor in build(config).state_dict().items()}, path)


def measure(folder: Path, source: Path, config: TransformerConfig, *, precisions: Sequence[str]) -> tuple[str, bool]:
    """The report, and whether every target holds."""
    size = source.stat().st_size
    copy = best(folder, "copy.safetensors", [sys.executable, "-c", COPY, str(source), str(folder / "copy.safetensors")])
    hash_s = hashing_s(source)
    start = measured([sys.executable, "-c", "import muybridge.weights.convert"])
    rows = [f"| `cp` and fsync | {copy.wall_s:.1f} | {copy.cpu_s:.1f} | {copy.peak_bytes / GIB:.2f} | | |"]
    holds = True
    for name, (destination, words, num_hashes, dtype) in CONVERSIONS.items():
        command = [sys.executable, "-c", MAIN, "convert", str(source), str(folder / destination), *words]
        used = best(folder, destination, command)
        arithmetic_s = num_hashes * hash_s + (casting_s(source, dtype) if dtype is not None else 0.0) + start.wall_s
        target_s = MAX_OVER_COPY * copy.wall_s + arithmetic_s
        holds &= used.wall_s <= target_s and used.peak_bytes <= MAX_OVER_SHARD_BYTES
        figures = (
            f"{used.wall_s:.1f} | {used.cpu_s:.1f} | {used.peak_bytes / GIB:.2f} | {arithmetic_s:.1f} | {target_s:.1f}"
        )
        rows.append(f"| {name} | {figures} |")
    for name in precisions:
        destination = "out.gguf" if name.startswith(("q", "Q")) else "out.safetensors"
        words = ("--quantise", name)
        used = best(
            folder, destination, [sys.executable, "-c", MAIN, "convert", str(source), str(folder / destination), *words]
        )
        rows.append(f"| official, {name} | {used.wall_s:.1f} | {used.cpu_s:.1f} | {used.peak_bytes / GIB:.2f} | | |")
    return (
        f"# convert, {size / 1e9:.2f} GB\n\n"
        f"{date.today()}, {processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, commit {commit()}, "
        f"torch {torch.__version__}. {config.num_double_blocks} double and {config.num_single_blocks} single blocks of "
        f"width {config.hidden_size}, bfloat16. Least of {TRIES} tries; the source is in the page cache.\n\n"
        "Targets: peak memory at most one shard (5 GiB) + 1 GiB, held to 1 GiB in all; wall at most "
        f"{MAX_OVER_COPY} times `cp` plus the arithmetic (SHA-256 of what is written and of what is read back at "
        f"{size / hash_s / 1e9:.2f} GB/s, the cast, and the start of Python with torch, {start.wall_s:.1f} s).\n\n"
        "| | wall s | CPU s | peak GiB | arithmetic s | wall target s |\n|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    ), holds


def best(folder: Path, destination: str, command: list[str]) -> Usage:
    """The quickest of the tries; the destination is removed after each."""
    tries = []
    for _ in range(TRIES):
        tries.append(measured(command))
        path = folder / destination
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return min(tries, key=lambda used: used.wall_s)


def hashing_s(path: Path) -> float:
    """Seconds to read (from the page cache) and hash a file once."""
    started = time.perf_counter()
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    return time.perf_counter() - started


def casting_s(path: Path, dtype: torch.dtype) -> float:
    """Seconds to cast as many bfloat16 values as the file holds."""
    values = torch.ones(2**26, dtype=torch.bfloat16)
    started = time.perf_counter()
    values.to(dtype)
    return (time.perf_counter() - started) * path.stat().st_size / values.nbytes


if __name__ == "__main__":
    sys.exit(main())
