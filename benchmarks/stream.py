"""One forward of the whole 13B transformer with its blocks on the disk: ours, and diffusers with group offload to disk.

    python benchmarks/stream.py --folder /data/13b     # 52 GB of disk, some ten minutes on two cores
    python benchmarks/stream.py --folder /data/13b --tries 1 --no-peer

Writes a checkpoint of random bfloat16 (benchmarks/random_release.py) into the folder once, 25.6 GB, and keeps it. The
peer writes a copy of its own, as its group offload does, which is removed in the end. Ours and the peer's forward, the
reading of the file alone and the arithmetic alone take turns, each in a process of its own; the arithmetic is that of
one block of each kind in memory, times their number. The least of the tries counts. A dated report goes to
benchmarks/reports. Exit code 1 where a target is missed or the outputs differ.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import torch  # noqa: E402
from children import measured  # noqa: E402
from machine import commit, hardware, processor  # noqa: E402
from random_release import random_release  # noqa: E402
from torch import Tensor  # noqa: E402

from muybridge.acceleration.settings import RunSettings  # noqa: E402
from muybridge.pipelines.transformers import transformer_from  # noqa: E402
from muybridge.transformer import Conditions, Transformer, TransformerConfig  # noqa: E402
from muybridge.transformer.cost import num_parameters  # noqa: E402
from muybridge.weights.files import open_checkpoint  # noqa: E402
from muybridge.weights.in_file import ByPosition  # noqa: E402
from muybridge.weights.load import open_transformer  # noqa: E402
from muybridge.weights.recognise import recognise  # noqa: E402

GIB = 2**30
MAX_PEAK_BYTES = 6 * GIB
MAX_OVER_PARTS = 1.3  # of the time to read the file plus the arithmetic
MAX_ERROR = 0.25  # largest difference over the peer's standard deviation, as in benchmarks/transformer.py
LATENTS = (1, 16, 2, 32, 32)  # 5 frames of 256 x 256
PROMPT_TOKENS, PADDED_TOKENS = 60, 256  # diffusers pads every prompt to 256
SIGMA = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What a child says of itself: of the forward alone, and the peak of the whole process."""

    wall_s: float
    cpu_s: float
    read_bytes: int
    peak_bytes: int
    start_s: float = 0.0


def main() -> int:
    """Make what is missing, measure, report."""
    options = parse()
    if options.child:
        return child(options)
    file, peer_folder = options.folder / "random.safetensors", options.folder / "peer"
    check_disk(options.folder, [file, *([peer_folder] if options.peer else [])])
    random_release(file, TransformerConfig())
    wanted = ["read", "arithmetic", "ours", *(["peer"] if options.peer else [])]
    runs: dict[str, list[Figures]] = {name: [] for name in wanted}
    with tempfile.TemporaryDirectory() as outputs:
        try:
            if options.peer and not peer_folder.exists():
                runs["write-peer"] = [in_child("write-peer", file, peer_folder, outputs)]
            for _ in range(options.tries):
                for name in wanted:
                    runs[name].append(in_child(name, file, peer_folder, outputs))
                    print(f"{name}: {runs[name][-1]}", file=sys.stderr, flush=True)
            error = error_of(Path(outputs)) if options.peer else None
        finally:
            if not options.keep_peer:
                shutil.rmtree(peer_folder, ignore_errors=True)
    best = {name: min(tries, key=lambda figures: figures.wall_s) for name, tries in runs.items()}
    text, holds = report(best, error, file.stat().st_size, options.tries)
    print(text)
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"stream_{hardware()}_{date.today()}.md"
        path.write_text(text)
    return 0 if holds else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the checkpoint is, or is written")
    parser.add_argument("--tries", type=int, default=2)
    parser.add_argument("--peer", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument(
        "--keep-peer", action="store_true", help="leave the peer's copy of the weights for the next run"
    )
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    parser.add_argument("--child", choices=list(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--paths", nargs=3, type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def check_disk(folder: Path, wanted: list[Path]) -> None:
    """Ends the program where there is no room for what is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    needed = sum(2 * num_parameters(TransformerConfig()) for path in wanted if not path.exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        sys.exit(f"{folder}: needs {needed / 1e9:.1f} GB more and {free / 1e9:.1f} GB is free; use another --folder.")


def in_child(name: str, file: Path, peer_folder: Path, outputs: str) -> Figures:
    """The figures of one child."""
    paths = [str(file), str(peer_folder), outputs]
    used = measured([sys.executable, __file__, "--folder", str(file.parent), "--child", name, "--paths", *paths])
    return Figures(**json.loads(used.out.splitlines()[-1]))


def child(options: argparse.Namespace) -> int:
    """One measurement, told as JSON."""
    warnings.simplefilter("ignore")
    file, peer_folder, outputs = options.paths
    started = time.perf_counter()
    forward = CHILDREN[options.child](file, peer_folder)
    start_s = time.perf_counter() - started
    before, cpu, started = read_bytes(), time.process_time(), time.perf_counter()
    with torch.inference_mode():
        result = forward()
    figures = Figures(
        wall_s=result if isinstance(result, float) else time.perf_counter() - started,
        cpu_s=time.process_time() - cpu,
        read_bytes=read_bytes() - before,
        peak_bytes=peak_bytes(),
        start_s=start_s,
    )
    if isinstance(result, Tensor):
        torch.save(result.float(), outputs / f"{options.child}.pt")
    print(json.dumps(asdict(figures)))
    return 0


def ours(file: Path, _peer: Path) -> Callable[[], Tensor]:
    """Blocks from the disk through two lanes."""
    run = RunSettings(weights="disk")
    model, _ = transformer_from(file, dtype=torch.bfloat16, device=torch.device("cpu"), run=run)
    latents, conditions = inputs()
    return lambda: model(latents, torch.tensor([SIGMA]), conditions)


def peer(_file: Path, peer_folder: Path) -> Callable[[], Tensor]:
    """Blocks from the copy on the disk, one group each; prefetching needs an accelerator's streams."""
    from tests.parity.peer_transformer import peer_velocity

    model = offloaded(empty_peer().to_empty(device="cpu"), peer_folder)
    latents, conditions = inputs()
    return lambda: peer_velocity(model, latents, sigma=torch.tensor([SIGMA]), conditions=conditions)


def write_peer(file: Path, peer_folder: Path) -> Callable[[], float]:
    """The peer's own copy: it writes a block's file when the block is first put away, and keeps one that is there."""
    model = empty_peer()
    entries = recognise(open_checkpoint(file, component="transformer")).in_layout("diffusers")
    model.load_state_dict({name: entry.read() for name, entry in entries.items()}, strict=True, assign=True)
    started = time.perf_counter()
    offloaded(model, peer_folder)
    written_s = time.perf_counter() - started
    return lambda: written_s


def empty_peer() -> Any:
    """The peer in bfloat16 without memory."""
    from diffusers import HunyuanVideoTransformer3DModel

    from muybridge.weights.config_json import diffusers_config

    config = {key: value for key, value in diffusers_config(TransformerConfig()).items() if not key.startswith("_")}
    with torch.device("meta"):
        return HunyuanVideoTransformer3DModel(**config).bfloat16().eval().requires_grad_(False)


def offloaded(model: Any, folder: Path) -> Any:
    """The peer with its blocks on the disk."""
    cpu = torch.device("cpu")
    model.enable_group_offload(
        onload_device=cpu, offload_device=cpu, offload_type="block_level", num_blocks_per_group=1,
        offload_to_disk_path=str(folder),
    )  # fmt: skip
    return model


def read(file: Path, _peer: Path) -> Callable[[], float]:
    """The file from end to end, by position, into memory that is used again."""
    source, buffer, size = ByPosition(file), memoryview(bytearray(2**26)), file.stat().st_size

    def whole() -> float:
        started = time.perf_counter()
        for start in range(0, size, len(buffer)):
            source.read(start, buffer[: min(len(buffer), size - start)])
        return time.perf_counter() - started

    return whole


def arithmetic(file: Path, _peer: Path) -> Callable[[], float]:
    """One block of each kind in memory: the whole forward without it, and each block as often as there are such."""
    whole, entries = open_transformer(file)
    config = whole.config
    with torch.device("meta"):
        model = Transformer(replace(config, num_double_blocks=1, num_single_blocks=1)).eval().requires_grad_(False)
    model.load_state_dict({name: entries[name].loaded() for name in model.state_dict()}, assign=True)
    counts = (config.num_double_blocks, config.num_single_blocks)
    latents, conditions = inputs()
    spent: list[float] = []
    for block in model.blocks():
        block.register_forward_pre_hook(lambda *_: spent.append(-time.perf_counter()))
        block.register_forward_hook(lambda *_: spent.append(time.perf_counter()))

    def once() -> float:
        spent.clear()
        started = time.perf_counter()
        model(latents, torch.tensor([SIGMA]), conditions)
        total_s = time.perf_counter() - started
        blocks_s = [sum(spent[:2]), sum(spent[2:])]
        return total_s + sum((count - 1) * block_s for count, block_s in zip(counts, blocks_s, strict=True))

    return lambda: min(once() for _ in range(4))


CHILDREN: dict[str, Callable[[Path, Path], Callable[[], Tensor | float]]] = {
    "read": read, "arithmetic": arithmetic, "ours": ours, "peer": peer, "write-peer": write_peer
}  # fmt: skip


def inputs() -> tuple[Tensor, Conditions]:
    """A clip of noise and a prompt, the same for both."""
    generator, config = torch.Generator().manual_seed(1), TransformerConfig()
    conditions = Conditions(
        text=torch.randn(1, PADDED_TOKENS, config.text_dim, generator=generator),
        text_mask=(torch.arange(PADDED_TOKENS) < PROMPT_TOKENS)[None],
        pooled=torch.randn(1, config.pooled_dim, generator=generator),
        guidance=torch.ones(1),  # x 1000 is exact in bfloat16, so that errors show the arithmetic alone
    )
    return torch.randn(LATENTS, generator=generator).bfloat16(), conditions


def error_of(outputs: Path) -> tuple[float, float]:
    """Largest and mean difference of the two results, over the peer's standard deviation."""
    mine, theirs = (torch.load(outputs / f"{name}.pt") for name in ("ours", "peer"))
    difference = (mine - theirs).abs()
    return float(difference.max() / theirs.std()), float(difference.mean() / theirs.std())


def read_bytes() -> int:
    """What this process has had the disk read."""
    return field("/proc/self/io", "read_bytes:")


def peak_bytes() -> int:
    """Resident memory of this process at its highest."""
    return field("/proc/self/status", "VmHWM:") * 1024


def field(path: str, name: str) -> int:
    return next(int(line.split()[1]) for line in Path(path).read_text().splitlines() if line.startswith(name))


def report(best: dict[str, Figures], error: tuple[float, float] | None, size: int, tries: int) -> tuple[str, bool]:
    """The report, and whether every target holds."""
    claims = claims_of(best, error)
    names = {
        "read": "reading the file alone", "arithmetic": "arithmetic alone", "ours": "ours, blocks on the disk",
        "peer": "diffusers, group offload to disk", "write-peer": "diffusers writes its copy, once",
    }  # fmt: skip
    rows = [
        f"| {names[name]} | {f.wall_s:.1f} | {f.cpu_s:.1f} | {f.peak_bytes / GIB:.2f} | {f.read_bytes / 1e9:.1f} "
        f"| {f.start_s:.1f} |"
        for name, f in best.items()
    ]
    verdicts = [f"- {claim}; target {target}: {'holds' if holds else 'FAILS'}" for claim, target, holds in claims]
    head = (
        f"# 13B with its blocks on the disk\n\n{date.today()}, {processor()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}, commit {commit()}, torch {torch.__version__}. One forward of the released network, "
        f"random bfloat16 weights of {size / 1e9:.2f} GB, 256x256x5, {PROMPT_TOKENS} text tokens (diffusers computes "
        f"{PADDED_TOKENS}). Least of {tries} tries, taking turns; start: loading, before the forward.\n\n"
        "| | wall s | CPU s | peak GiB | read GB | start s |\n|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n\n" + "\n".join(verdicts) + "\n", all(holds for *_, holds in claims)


def claims_of(best: dict[str, Figures], error: tuple[float, float] | None) -> list[tuple[str, str, bool]]:
    """What was reached, the target, and whether it holds."""
    mine = best["ours"]
    over = mine.wall_s / (best["read"].wall_s + best["arithmetic"].wall_s)
    peak, most = mine.peak_bytes / GIB, MAX_PEAK_BYTES / GIB
    claims = [
        (f"peak memory {peak:.2f} GiB", f"<= {most:.0f} GiB", peak <= most),
        (f"{over:.2f} of the time to read plus the arithmetic", f"<= {MAX_OVER_PARTS}", over <= MAX_OVER_PARTS),
    ]
    if error is not None:
        ratio, (largest, mean) = best["peer"].wall_s / mine.wall_s, error
        difference = f"largest difference {largest:.3f} of the deviation, mean {mean:.4f}"
        claims.append((f"{ratio:.2f} times as fast as diffusers", "> 1", ratio > 1))
        claims.append((difference, f"<= {MAX_ERROR}", largest <= MAX_ERROR))
    return claims


if __name__ == "__main__":
    sys.exit(main())
