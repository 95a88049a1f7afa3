"""How well a VAE brings back what it never saw: PSNR, SSIM, a perceptual distance, detail, and the tiled result.

Takes held-out combinations of a world, or films of your own (natural footage is never trained on), and prints one JSON
line a set. "perceptual" is LPIPS only where VGG16's weights are given, and the named stand-in otherwise.

    python benchmarks/vae_quality.py src/muybridge/models/gallop/vae
    python benchmarks/vae_quality.py runs/gallop/gallop-vae/vae.safetensors --world physics --clips 32 --sheet vae.png
    python benchmarks/vae_quality.py VAE --films holiday.mp4 street.mp4 --size 128 --lpips-trunk vgg16-397923af.pth
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from machine import commit, processor
from torch import Tensor

from muybridge.data.clips import held_out_clips
from muybridge.data.world import World
from muybridge.evaluation.reconstruction import detail_ratio, psnr, ssim
from muybridge.media.frames import from_uint8, to_uint8
from muybridge.media.geometry import fill
from muybridge.media.sheet import contact_sheet
from muybridge.media.video import read_video
from muybridge.recipes.gallop import vae_world
from muybridge.vae import VideoVAE
from muybridge.vae.efficientnet import EfficientNetFeatures
from muybridge.vae.lpips import Lpips, LpipsDistance
from muybridge.vae.perceptual import FeatureDistance, PerceptualDistance
from muybridge.vae.tiling import Tiling, decode_tiled
from muybridge.weights.assets import ensure
from muybridge.weights.load import load_vae
from muybridge.worlds.sprites import SpritesWorld

NUM_SHOWN, COLUMNS = 6, 5


def world_named(name: str) -> World:
    """The world; physics needs MuJoCo, which sprites do without."""
    if name == "sprites":
        return SpritesWorld(vae_world(), ensure("fluent-emoji-anim", on_progress=print))
    from muybridge.worlds.physics import PhysicsConfig, PhysicsWorld

    return PhysicsWorld(PhysicsConfig())


def stretches(path: Path, *, size_px: int, num_frames: int, limit: int) -> list[Tensor]:
    """Up to `limit` stretches of a film, one after another, each filling a square."""
    frames, _ = read_video(path, max_frames=num_frames * limit)
    square = fill(frames, width_px=size_px, height_px=size_px)
    starts = range(0, len(square) - num_frames + 1, num_frames)
    return [from_uint8(square[start : start + num_frames]) for start in starts]


@torch.no_grad()
def measure(vae: VideoVAE, clips: Tensor, distance: FeatureDistance, *, tiling: Tiling) -> tuple[dict, Tensor]:
    """Means over clips, the worst PSNR, and what was decoded."""
    found: dict[str, list[float]] = {}
    decoded = []
    for number, clip in enumerate(clips.split(1)):
        latents = vae.encode(clip).mode()
        back = vae.decode(latents).float().clamp(-1, 1)
        tiled = decode_tiled(vae, latents, tiling).float().clamp(-1, 1)
        draw = torch.Generator().manual_seed(number)
        values = {
            "psnr_db": psnr(back, clip), "ssim": ssim(back, clip), "perceptual": distance(back, clip, [draw]),
            "detail": detail_ratio(back, clip), "psnr_tiled_db": psnr(tiled, clip),
            "psnr_first_frame_db": psnr(back[:, :, :1], clip[:, :, :1]),
            "psnr_last_frame_db": psnr(back[:, :, -1:], clip[:, :, -1:]),
        }  # fmt: skip
        for name, value in values.items():
            found.setdefault(name, []).append(float(value))
        decoded.append(back)
    means = {name: round(float(np.mean(values)), 4) for name, values in found.items()}
    return means | {"psnr_worst_db": round(min(found["psnr_db"]), 4)}, torch.cat(decoded)


def draw_sheet(path: Path, clips: Tensor, decoded: Tensor) -> None:
    """Original, decoded, and four times the error about grey, clip by clip."""
    rows = [
        (label, to_uint8(film))
        for clip, back in zip(clips[:NUM_SHOWN], decoded[:NUM_SHOWN], strict=True)
        for label, film in (("original", clip), ("decoded", back), ("error x 4", (back - clip) * 4))
    ]
    labels, films = zip(*rows, strict=True)
    contact_sheet(films, labels=labels, columns=COLUMNS, path=path)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vae", type=Path, help="file or folder of a VAE")
    parser.add_argument("--world", choices=("sprites", "physics"), default="sprites")
    parser.add_argument("--films", type=Path, nargs="+", help="films to measure on, instead of a world")
    parser.add_argument("--clips", type=int, default=16, help="clips of a world, or stretches of each film")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--tile", type=int, default=64, help="side of the tiles that psnr_tiled_db decodes by")
    parser.add_argument("--lpips-trunk", type=Path, help="torchvision's VGG16")
    parser.add_argument("--lpips-heads", type=Path, help="vgg.pth of the lpips package, where it is not installed")
    parser.add_argument("--sheet", type=Path, help="draw a contact sheet there")
    chosen = parser.parse_args()
    vae = load_vae(chosen.vae, dtype=torch.float32)
    if chosen.lpips_trunk:
        distance: FeatureDistance = LpipsDistance(Lpips.load(chosen.lpips_trunk, chosen.lpips_heads), chosen.frames)
    else:
        trunk = EfficientNetFeatures.load(ensure("efficientnet-lite0", on_progress=print) / "efficientnet-lite0.pth")
        distance = PerceptualDistance(trunk, chosen.frames)
    if chosen.films:
        cut = {"size_px": chosen.size, "num_frames": chosen.frames, "limit": chosen.clips}
        clips = torch.stack([clip for path in chosen.films for clip in stretches(path, **cut)])
    else:
        world = world_named(chosen.world)
        clips = held_out_clips(world, chosen.clips, size_px=chosen.size, num_frames=chosen.frames)
    figures, decoded = measure(vae, clips, distance, tiling=Tiling(sample_px=chosen.tile))
    about = {
        "vae": str(chosen.vae), "set": "films" if chosen.films else chosen.world, "clips": len(clips),
        "size_px": chosen.size, "frames": chosen.frames, "commit": commit(), "processor": processor(),
        "perceptual_is": "LPIPS (VGG16, v0.1)" if chosen.lpips_trunk else "EfficientNet-Lite0 stand-in",
    }  # fmt: skip
    print(json.dumps(about | figures))
    if chosen.sheet:
        draw_sheet(chosen.sheet, clips, decoded)


if __name__ == "__main__":
    main()
