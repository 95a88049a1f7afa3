"""The clips that VAEs are judged by: the first held-out ones of each world, and stretches of camera footage."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from muybridge.data.clips import held_out_clips
from muybridge.data.world import World
from muybridge.media.frames import from_uint8
from muybridge.media.geometry import fill
from muybridge.media.video import read_video
from muybridge.recipes.gallop import vae_world
from muybridge.weights.assets import ensure
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld, complete_sprites

SETS = ("sprites-flat", "sprites-staged", "physics", "natural")
FPS = 12  # of every world; films are thinned to about it
ABOUT: Mapping[str, str] = {
    "sprites-flat": "the world that gallop was trained on, held-out combinations of all subjects",
    "sprites-staged": "up to three subjects in depth, lights, styles, fourteen cameras: never trained on",
    "physics": "rigid bodies drawn by MuJoCo: never trained on",
    "natural": "camera footage, three films of streets and a passenger: never trained on",
    "films": "films given by path",
}


def clips_of(name: str, num: int, *, size_px: int, num_frames: int, films: Sequence[Path] = ()) -> Tensor:
    """`num` clips (b, 3, f, y, x) in [-1, 1] of one of `SETS`, or of the given films; the same in every call."""
    if name in ("natural", "films"):
        paths = films or sorted(ensure("natural-films", on_progress=print).glob("*.m*"))
        shares = [num // len(paths) + (index < num % len(paths)) for index in range(len(paths))]
        cut = {"size_px": size_px, "num_frames": num_frames}
        return torch.cat([stretches(path, share, **cut) for path, share in zip(paths, shares, strict=True) if share])
    return held_out_clips(_world(name), num, size_px=size_px, num_frames=num_frames)


def stretches(path: Path, num: int, *, size_px: int, num_frames: int) -> Tensor:
    """`num` stretches of a film, evenly spread from its first frame to its last, each filling a square."""
    frames, fps = read_video(path)
    square = fill(frames[:: max(1, round(fps / FPS))], width_px=size_px, height_px=size_px)
    last = len(square) - num_frames
    if last < 0:
        raise SystemExit(f"{path}: {len(square)} frames at {FPS} a second; a stretch takes {num_frames}.")
    starts = [round(index * last / max(1, num - 1)) for index in range(num)]
    return torch.stack([from_uint8(square[start : start + num_frames]) for start in starts])


def _world(name: str) -> World:
    """The world; physics needs MuJoCo, which sprites do without."""
    if name != "physics":
        config: SpritesConfig = vae_world() if name == "sprites-flat" else complete_sprites()
        return SpritesWorld(config, ensure("fluent-emoji-anim", on_progress=print))
    from muybridge.worlds.physics import PhysicsConfig, PhysicsWorld

    return PhysicsWorld(PhysicsConfig())
