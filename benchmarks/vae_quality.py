"""How well VAEs bring back what they never saw, side by side: PSNR, SSIM, a perceptual distance, detail and flicker.

Held-out clips of the worlds and natural camera footage (never trained on), the same in every call. A VAE is `gallop`
(the shipped one), a file or folder of weights, or the folder of a run, whose newest averaged weights are taken.
"perceptual" is LPIPS only where VGG16's weights are given, and the named stand-in otherwise.

    python benchmarks/vae_quality.py gallop
    python benchmarks/vae_quality.py gallop runs/gallop/gallop-decoder --sets sprites-flat natural --sheet vae.webp
    python benchmarks/vae_quality.py gallop --films holiday.mp4 street.mp4 --lpips-trunk vgg16-397923af.pth
"""

import argparse
import datetime
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.machine import commit, hardware, processor  # noqa: E402
from benchmarks.vae_clips import ABOUT, SETS, clips_of  # noqa: E402
from muybridge.core.config import from_dict  # noqa: E402
from muybridge.core.files import atomic_path  # noqa: E402
from muybridge.evaluation.estimates import Estimate  # noqa: E402
from muybridge.evaluation.motion import flicker  # noqa: E402
from muybridge.evaluation.reconstruction import detail_ratio, psnr, ssim  # noqa: E402
from muybridge.media.frames import to_uint8  # noqa: E402
from muybridge.media.image import write_image  # noqa: E402
from muybridge.media.sheet import contact_sheet  # noqa: E402
from muybridge.training import checkpoint  # noqa: E402
from muybridge.vae import VAEConfig, VideoVAE  # noqa: E402
from muybridge.vae.efficientnet import EfficientNetFeatures  # noqa: E402
from muybridge.vae.lpips import Lpips, LpipsDistance  # noqa: E402
from muybridge.vae.perceptual import FeatureDistance, PerceptualDistance  # noqa: E402
from muybridge.vae.steady import steadied  # noqa: E402
from muybridge.vae.tiling import Tiling, decode_tiled  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402
from muybridge.weights.catalog import locate, resolve  # noqa: E402
from muybridge.weights.load import load_vae  # noqa: E402

NUM_SHOWN, COLUMNS = 2, 3  # clips of each set on the sheet, frames of each clip
SHEET_QUALITY = 85
PERCEPTUAL_FRAMES = 5  # of each clip, drawn once and for all
TARGET_DB = 32.0
MEASURES = {  # heading and digits
    "psnr_db": ("PSNR, dB", 2), "ssim": ("SSIM", 3), "perceptual": ("perceptual", 3), "detail": ("detail", 2),
    "flicker": ("flicker, of the originals'", 2), "psnr_tiled_db": ("PSNR by tiles, dB", 2),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one VAE made of one set."""

    vae: str
    clips: str
    figures: dict[str, Estimate]
    decoded: Tensor


def open_vae(given: str) -> tuple[str, VideoVAE]:
    """What a report calls it, and the VAE."""
    newest = checkpoint.latest(Path(given) / "state")
    if newest is None:
        return given, load_vae(locate(resolve(given)) / "vae" if given == "gallop" else given, dtype=torch.float32)
    vae = VideoVAE(from_dict(VAEConfig, json.loads((newest / "run.json").read_text())["vae"])).eval()
    state = {"ema": vae.state_dict()}
    checkpoint.load(newest, state)
    vae.load_state_dict(state["ema"])
    return f"{Path(given).name} at {newest.name.replace('-', ' ')}", vae.requires_grad_(False)


@torch.no_grad()
def measure(
    vae: VideoVAE, clips: Tensor, distance: FeatureDistance, *, tiling: Tiling, steady: float
) -> tuple[dict, Tensor]:
    """Estimates over the clips by the names of `MEASURES`, and what was decoded and steadied."""
    found: dict[str, list[float]] = {name: [] for name in (*MEASURES, "flicker_original")}
    decoded = []
    for number, clip in enumerate(clips.split(1)):
        latents = vae.encode(clip).mode()
        back = steadied(vae.decode(latents).float(), steady).clamp(-1, 1)
        tiled = steadied(decode_tiled(vae, latents, tiling).float(), steady).clamp(-1, 1)
        draw = torch.Generator().manual_seed(number)
        values = {
            "psnr_db": psnr(back, clip), "ssim": ssim(back, clip), "perceptual": distance(back, clip, [draw]),
            "detail": detail_ratio(back, clip), "psnr_tiled_db": psnr(tiled, clip),
            "flicker": flicker(to_uint8(back[0])), "flicker_original": flicker(to_uint8(clip[0])),
        }  # fmt: skip
        for name, value in values.items():
            found[name].append(float(value))
        decoded.append(back)
    figures = {name: Estimate.mean(found[name]) for name in MEASURES}
    figures["flicker"] = Estimate.ratio(found["flicker"], found["flicker_original"])
    return figures, torch.cat(decoded)


def report(results: Sequence[Result], command: str, *, size: str, perceptual: str) -> str:
    """A table for each set."""
    lines = [
        "# What VAEs bring back",
        "",
        f"`{command}` at commit {commit()}, {datetime.date.today().isoformat()}, {processor()}.",
        f"Clips of {size}, never trained on; means over clips ± standard errors. The aim is {TARGET_DB:.0f} dB on "
        f"worlds. Perceptual: {perceptual}, 0 is equal. Detail: energy of what an 11 px window does not explain, of "
        "the originals'. Flicker: what no motion explains between frames, of the originals'.",
    ]
    for name in dict.fromkeys(result.clips for result in results):
        rows = [result for result in results if result.clips == name]
        lines += [
            "",
            f"## {name}: {ABOUT[name]}; {rows[0].figures['psnr_db'].num} clips",
            "",
            "| VAE | " + " | ".join(heading for heading, _ in MEASURES.values()) + " |",
            "|---" * (1 + len(MEASURES)) + "|",
        ]
        for row in rows:
            cells = [row.figures[measure].text(digits) for measure, (_, digits) in MEASURES.items()]
            lines.append(f"| {row.vae} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw_sheet(path: Path, clips: dict[str, Tensor], results: Sequence[Result]) -> None:
    """A row for each clip: the original, then what each VAE made of it; first, middle and last frame."""
    labels, films = [], []
    for name, originals in clips.items():
        rows = [result for result in results if result.clips == name]
        for index in range(min(NUM_SHOWN, len(originals))):
            labels += [f"{name}, original", *(row.vae for row in rows)]
            films += [to_uint8(originals[index]), *(to_uint8(row.decoded[index]) for row in rows)]
    across = len({result.vae for result in results}) + 1
    write_image(path, contact_sheet(films, labels=labels, columns=COLUMNS, films_per_row=across), quality=SHEET_QUALITY)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vae", nargs="+", help="gallop, a file or folder of a VAE, or a run's folder")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--films", type=Path, nargs="+", help="films to measure on, instead of the sets")
    parser.add_argument("--clips", type=int, default=16, help="clips of each set")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--tile", type=int, default=64, help="side of the tiles of the last column")
    parser.add_argument("--steady", type=float, default=0.0, help="average along the motion first; gallop's own is 0.2")
    parser.add_argument("--lpips-trunk", type=Path, help="torchvision's VGG16")
    parser.add_argument("--lpips-heads", type=Path, help="vgg.pth of the lpips package, where it is not installed")
    parser.add_argument("--sheet", type=Path, help="draw a side-by-side picture there (.png, .webp)")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the dated report")
    return parser.parse_args()


def distance_of(chosen: argparse.Namespace) -> tuple[str, FeatureDistance]:
    """The perceptual distance under its right name."""
    if chosen.lpips_trunk:
        distance = LpipsDistance(Lpips.load(chosen.lpips_trunk, chosen.lpips_heads), PERCEPTUAL_FRAMES)
        return "LPIPS (VGG16, v0.1)", distance
    trunk = EfficientNetFeatures.load(ensure("efficientnet-lite0", on_progress=print) / "efficientnet-lite0.pth")
    return "EfficientNet-Lite0 stand-in, not LPIPS", PerceptualDistance(trunk, PERCEPTUAL_FRAMES)


def main() -> None:
    """Measure, print, write."""
    chosen = parse()
    perceptual, distance = distance_of(chosen)
    names = ["films"] if chosen.films else chosen.sets
    cut = {"size_px": chosen.size, "num_frames": chosen.frames, "films": chosen.films or ()}
    clips = {name: clips_of(name, chosen.clips, **cut) for name in names}
    results = []
    for label, vae in map(open_vae, chosen.vae):
        for name in names:
            print(f"{label} on {name}", file=sys.stderr, flush=True)
            figures, decoded = measure(
                vae, clips[name], distance, tiling=Tiling(sample_px=chosen.tile), steady=chosen.steady
            )
            results.append(Result(vae=label, clips=name, figures=figures, decoded=decoded))
    command = " ".join(["python benchmarks/vae_quality.py", *sys.argv[1:]])
    text = report(results, command, size=f"{chosen.size} px, {chosen.frames} frames", perceptual=perceptual)
    print(text)
    if chosen.json:
        with atomic_path(chosen.json) as temporary:
            temporary.write_text(json.dumps([as_json(result) for result in results], indent=1) + "\n")
    if chosen.sheet:
        draw_sheet(chosen.sheet, clips, results)
    if chosen.report:
        name = f"vae-quality_{hardware()}_{datetime.date.today().isoformat()}.md"
        (ROOT / "benchmarks" / "reports" / name).write_text(text)


def as_json(result: Result) -> dict:
    """A result's figures, each as value, standard error and number of clips."""
    figures = {name: [round(e.value, 5), round(e.error, 5), e.num] for name, e in result.figures.items()}
    return {"vae": result.vae, "clips": result.clips, "figures": figures}


if __name__ == "__main__":
    main()
