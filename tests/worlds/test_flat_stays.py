"""The flat edition is settled: gallop was trained on its scenes, captions and pixels, so they never change."""

import hashlib
import json
from pathlib import Path

import numpy as np

from muybridge.worlds.captions import structured
from muybridge.worlds.drawn import drawn_library
from muybridge.worlds.scene import Scene
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld

FACTS = ("subject", "background", "motion", "camera", "facing", "size", "offset", "phase", "detail_seed")
FIELDS = ("short", "dense", "background", "style", "shot_type", "lighting", "atmosphere", "camera")
DRAWN = (0, 2, 4, 5, 6, 9, 12, 13, 15, 16, 17, 18, 25, 33, 44, 46, 60)  # between them every camera and every motion
PIXELS = Path(__file__).with_name("flat_pixels.npz")  # drawn before the staged edition was written
MAX_ROUNDED = 1e-3  # share of values that another processor's rounding may move, by 1 of 255


def _world() -> SpritesWorld:
    return SpritesWorld(SpritesConfig(), drawn_library())


def _scenes() -> list[Scene]:
    world = _world()
    trained = [world.scene(index) for index in range(200)]
    held_out = [world.scene(index, split="held_out") for index in range(50)]
    return trained + held_out + [world.still(index) for index in range(50)]


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def test_the_flat_scenes_stay():
    assert _hash([[getattr(scene, name) for name in FACTS] for scene in _scenes()]) == "eb398649386bd1cd"


def test_the_flat_captions_stay():
    world = _world()
    texts = [[*world.captions(scene, 4), world.long_caption(scene)] for scene in _scenes()]
    assert _hash(texts) == "886ec159bd873654"


def test_the_flat_structured_captions_stay():
    world = _world()
    captions = [structured(scene, world.subject(scene)) for scene in _scenes()]
    assert _hash([[getattr(caption, name) for name in FIELDS] for caption in captions]) == "e5b9b0d1cdb09256"


def test_the_flat_pixels_stay():
    drawn, kept = draw(), np.load(PIXELS)["pixels"]
    apart = np.abs(drawn.astype(int) - kept.astype(int))
    assert apart.max() <= 1 and (apart > 0).mean() < MAX_ROUNDED


def draw() -> np.ndarray:
    """The pinned clips, uint8 (n, 5, 32, 32, 3)."""
    world = _world()
    return np.stack([world.render(world.scene(index), size_px=32, num_frames=5) for index in DRAWN])
