"""Our ways to decode against diffusers': time, peak memory and error, on identical weights.

    python benchmarks/vae_decode.py                                   # 256x384, 17 frames, float32: about half an hour
    python benchmarks/vae_decode.py --size 128x96 --frames 9          # a look, in minutes
    python benchmarks/vae_decode.py --device cuda --dtype bfloat16 --size 1280x720 --frames 129 --peers tiled

The released config with seeded random weights, stored once. Each row is a process of its own that reads them, decodes a
small film to warm up and then the film, all latents alike; the processes take turns over `--rounds`, of which the
fastest counts. Memory is the process's peak beyond what it held before it decoded, and in all; beside ours stands what
vae.cost.decode_bytes says. Errors are the largest, from diffusers' untiled film. Exit code 1 above a target. A dated
report goes to benchmarks/reports; the table of docs/explanation/vae-modes.md is its own.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch  # noqa: E402
from children import measured  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from torch import Tensor  # noqa: E402

from muybridge.vae import VAEConfig, VideoVAE  # noqa: E402
from muybridge.vae.cost import decode_bytes  # noqa: E402
from muybridge.vae.modes import Mode, decode  # noqa: E402
from muybridge.vae.tiling import DIFFUSERS_TILING  # noqa: E402

MIB, GIB = 2**20, 2**30
OURS = ("whole", "exact", "spill", "stream", "tiled", "diffusers' tiles")
PEERS = ("untiled", "tiled")
MAX_TIME = 0.6  # exact, of diffusers' tiled
MAX_MEMORY = 1 / 3  # exact, of diffusers' untiled, whole processes
MAX_ERROR = 1e-5  # of exact and spill, in float32, of pixels in [-1, 1]


def main() -> int:
    """Make the weights, take turns, report."""
    options = _options()
    if options.child:
        return _child(options)
    rows = {**{f"ours, {mode}": mode for mode in options.modes}, **{f"diffusers, {way}": way for way in options.peers}}
    best: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), options)
        for _ in range(options.rounds):
            for name, way in rows.items():
                side = "ours" if name.startswith("ours") else "peer"
                words = [sys.executable, __file__, *sys.argv[1:], "--child", folder, "--side", side, "--way", way]
                found = json.loads(measured(words).out.splitlines()[-1])
                print(name, found, flush=True)
                if name not in best or found["cpu_s"] < best[name]["cpu_s"]:
                    best[name] = found
        errors = _errors(Path(folder), rows)
    text, holds = _report(best, errors, options)
    print(text)
    stem = "vae-decode-cuda" if options.device == "cuda" else "vae-decode"
    (ROOT / "benchmarks" / "reports" / f"{stem}_{hardware()}_{date.today()}.md").write_text(text)
    return 0 if holds else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="384x256", help="WIDTHxHEIGHT")
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--chunk-mib", type=int, default=64, help="of features in a kernel at a time; 64 is usual")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--modes", nargs="*", default=list(OURS))
    parser.add_argument("--peers", nargs="*", default=list(PEERS))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    return parser.parse_args()


def _grid(options: argparse.Namespace) -> tuple[int, int, int]:
    width, height = (int(side) for side in options.size.split("x"))
    return options.frames, height, width


def _write(folder: Path, options: argparse.Namespace) -> None:
    """Weights and latents."""
    torch.manual_seed(0)
    save_file(VideoVAE(VAEConfig()).state_dict(), folder / "weights.safetensors")
    frames, height, width = _grid(options)
    latents = torch.randn(1, 16, 1 + (frames - 1) // 4, height // 8, width // 8)
    save_file({"latents": latents}, folder / "latents.safetensors")


def _child(options: argparse.Namespace) -> int:
    """Decode once, as one side in one way; the film beside the weights, the usage as JSON."""
    folder, dtype = Path(options.child), getattr(torch, options.dtype)
    latents = load_file(folder / "latents.safetensors")["latents"].to(options.device, dtype)
    decoder = _decoder(load_file(folder / "weights.safetensors"), options, dtype)
    decoder(latents[:, :, :2, :2, :2])
    before = _reset_peak(options.device)
    wall, cpu = time.perf_counter(), time.process_time()
    film = decoder(latents).float().cpu()
    found = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    peak = _peak(options.device)
    save_file({"film": film}, folder / f"{options.side}-{options.way}.safetensors")
    print(json.dumps(found | {"grown_bytes": peak - before, "peak_bytes": peak}))
    return 0


def _decoder(weights: dict[str, Tensor], options: argparse.Namespace, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    torch.set_grad_enabled(False)
    if options.side == "ours":
        vae = VideoVAE(VAEConfig()).eval()
        vae.load_state_dict(weights, assign=True)
        vae.to(options.device, dtype)
        tiling = DIFFUSERS_TILING if options.way == "diffusers' tiles" else None
        mode: Mode = "tiled" if tiling else options.way
        return lambda z: decode(vae, z, mode=mode, tiling=tiling, chunk_bytes=options.chunk_mib * MIB)
    from diffusers import AutoencoderKLHunyuanVideo

    peer = AutoencoderKLHunyuanVideo().eval()
    peer.load_state_dict(weights, assign=True)
    peer.to(options.device, dtype)
    peer.use_framewise_decoding = options.way == "tiled"
    if options.way == "tiled":
        peer.enable_tiling()
    return lambda z: peer.decode(z, return_dict=False)[0]


def _reset_peak(device: str) -> int:
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak(device: str) -> int:
    return torch.cuda.max_memory_allocated() if device == "cuda" else _status("VmHWM")


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _errors(folder: Path, rows: dict[str, str]) -> dict[str, float]:
    """Largest differences from diffusers' untiled film, or where that was not asked for ours."""
    films = {
        name: load_file(folder / f"{'ours' if name.startswith('ours') else 'peer'}-{way}.safetensors")["film"]
        for name, way in rows.items()
    }
    true = films.get("diffusers, untiled", films.get("ours, whole", next(iter(films.values()))))
    return {name: float((film - true).abs().max()) for name, film in films.items()}


def _report(
    best: dict[str, dict[str, float]], errors: dict[str, float], options: argparse.Namespace
) -> tuple[str, bool]:
    """The table, and whether the targets hold."""
    frames, height, width = _grid(options)
    value_bytes = getattr(torch, options.dtype).itemsize
    lines = []
    for name, found in best.items():
        mode, told = name.removeprefix("ours, "), ""
        if mode in OURS[:5]:
            told_bytes = decode_bytes(
                VAEConfig(), num_frames=frames, height_px=height, width_px=width, value_bytes=value_bytes, mode=mode,
                chunk_bytes=options.chunk_mib * MIB,
            )  # fmt: skip
            told = f"{told_bytes / GIB:.2f}"
        memory = f"{found['grown_bytes'] / GIB:.2f} | {told} | {found['peak_bytes'] / GIB:.2f}"
        lines.append(f"| {name} | {found['cpu_s']:.0f} | {found['wall_s']:.0f} | {memory} | {errors[name]:.1e} |")
    ratios, holds = _ratios(best, errors)
    text = (
        f"# vae-decode\n\n{date.today()}, {processor()}, {torch.get_num_threads()} threads, commit {commit()}. "
        f"{width}x{height}, {frames} frames, {options.dtype} on {options.device}, chunks of {options.chunk_mib} MiB; "
        f"the fastest of {options.rounds}.\n\n"
        "| | CPU s | wall s | memory grew by GiB | decode_bytes says | process GiB | largest error |\n"
        "|---|---|---|---|---|---|---|\n" + "\n".join(lines) + "\n\n" + ratios
    )
    return text, holds


def _ratios(best: dict[str, dict[str, float]], errors: dict[str, float]) -> tuple[str, bool]:
    checks: list[tuple[str, float, float]] = [
        (f"error of {mode}", errors[f"ours, {mode}"], MAX_ERROR)
        for mode in ("exact", "spill")
        if f"ours, {mode}" in best
    ]
    for peer, field, most in (("tiled", "cpu_s", MAX_TIME), ("untiled", "peak_bytes", MAX_MEMORY)):
        if {"ours, exact", f"diffusers, {peer}"} <= best.keys():
            ratio = best["ours, exact"][field] / best[f"diffusers, {peer}"][field]
            checks.append((f"{field} of exact, of diffusers' {peer}", ratio, most))
    said = [
        f"- {name}: {value:.3g}, at most {most:.3g}: {'holds' if value <= most else 'MISSED'}"
        for name, value, most in checks
    ]
    return "\n".join(said) + "\n", all(value <= most for _, value, most in checks)


if __name__ == "__main__":
    sys.exit(main())
