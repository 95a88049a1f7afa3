"""The flat edition is settled: gallop was trained on its scenes, captions and pixels, so they never change."""

from pathlib import Path

import numpy as np

from muybridge.worlds.captions import structured
from muybridge.worlds.drawn import drawn_library
from muybridge.worlds.scene import Scene
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld
from tests.worlds.pins import assert_pixels_stay, digest

FACTS = ("subject", "background", "motion", "camera", "facing", "size", "offset", "phase", "detail_seed")
FIELDS = ("short", "dense", "background", "style", "shot_type", "lighting", "atmosphere", "camera")
DRAWN = (0, 2, 4, 5, 6, 9, 12, 13, 15, 16, 17, 18, 25, 33, 44, 46, 60)  # between them every camera and every motion
PIXELS = Path(__file__).with_name("flat_pixels.npz")  # drawn before the staged edition was written


def _world() -> SpritesWorld:
    return SpritesWorld(SpritesConfig(), drawn_library())


def _scenes() -> list[Scene]:
    world = _world()
    trained = [world.scene(index) for index in range(200)]
    held_out = [world.scene(index, split="held_out") for index in range(50)]
    return trained + held_out + [world.still(index) for index in range(50)]


def test_the_flat_scenes_stay():
    assert digest([[getattr(scene, name) for name in FACTS] for scene in _scenes()]) == "eb398649386bd1cd"


def test_the_flat_captions_stay():
    world = _world()
    texts = [[*world.captions(scene, 4), world.long_caption(scene)] for scene in _scenes()]
    assert digest(texts) == "886ec159bd873654"


def test_the_flat_structured_captions_stay():
    world = _world()
    captions = [structured(scene, world.subject(scene)) for scene in _scenes()]
    assert digest([[getattr(caption, name) for name in FIELDS] for caption in captions]) == "e5b9b0d1cdb09256"


def test_the_flat_pixels_stay():
    assert_pixels_stay(draw(), PIXELS)


def draw() -> np.ndarray:
    """The pinned clips, uint8 (n, 5, 32, 32, 3)."""
    world = _world()
    return np.stack([world.render(world.scene(index), size_px=32, num_frames=5) for index in DRAWN])
