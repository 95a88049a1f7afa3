"""The staged edition's stream is settled before anything is trained on it: scenes, captions and pixels never change."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from muybridge.worlds.drawn import drawn_library
from muybridge.worlds.lights import LIGHTS
from muybridge.worlds.movements import MOVEMENTS
from muybridge.worlds.sprites import SpritesWorld, complete_sprites
from muybridge.worlds.styles import STYLES
from muybridge.worlds.subjects import SUBJECTS
from tests.worlds.pins import assert_pixels_stay, digest

# Between them every camera movement, style and light.
DRAWN = (0, 1, 2, 5, 10, 11, 23, 24, 30, 33, 50, 60, 85, 103, 134, 149, 177, 192)
PIXELS = Path(__file__).with_name("staged_pixels.npz")
WORLD = SpritesWorld(complete_sprites(), drawn_library())
SCENES = [WORLD.scene(index) for index in range(200)] + [WORLD.scene(index, split="held_out") for index in range(50)]


def test_the_staged_scenes_stay():
    assert digest([asdict(scene) for scene in SCENES]) == "543ba7817149f9af"


def test_the_staged_captions_stay():
    assert digest([list(WORLD.captions(scene, 4)) for scene in SCENES]) == "db2b0ca174bba056"


def test_the_staged_structured_captions_stay():
    assert digest([asdict(WORLD.structured(scene)) for scene in SCENES]) == "004bcf42209e88e1"


def test_the_stream_of_the_whole_cast_stays():
    """Facts and words need no drawings, so the cast that a run trains on is pinned without them."""
    world = SpritesWorld(complete_sprites(), Undrawn())
    scenes = [world.scene(index) for index in range(200)]
    assert digest([[asdict(scene), list(world.captions(scene, 4))] for scene in scenes]) == "876f8802656c6f1c"


def test_the_staged_pixels_stay():
    shown = [SCENES[index] for index in DRAWN]
    assert {scene.camera for scene in shown} == set(MOVEMENTS)
    assert {scene.style for scene in shown} == set(STYLES) and {scene.light for scene in shown} == set(LIGHTS)
    assert_pixels_stay(draw(), PIXELS)


class Undrawn:
    """The cast of the animated emoji, by name alone."""

    subjects = SUBJECTS

    def frames(self, codepoints: str, size_px: int) -> np.ndarray:
        raise AssertionError


def draw() -> np.ndarray:
    """The pinned clips' first, middle and last frame, uint8 (n, 3, 32, 32, 3)."""
    return np.stack([WORLD.render(SCENES[index], size_px=32, num_frames=9)[::4] for index in DRAWN])
