"""Clean pictures to damage: worlds, photographs in the public domain, and textures made here."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from muybridge.core.errors import MediaError
from muybridge.curation.opencv import opencv
from muybridge.media.frames import Picture
from muybridge.training.curating.panoramas import developed, read_panorama
from muybridge.weights.assets import ensure
from muybridge.worlds.physics.config import PhysicsConfig
from muybridge.worlds.physics.world import PhysicsWorld
from muybridge.worlds.sprites import SpritesWorld, complete_sprites
from muybridge.worlds.world import DescribedWorld, Split

SIDE_PX = 192
PHOTOGRAPHS = ("astronaut", "brick", "camera", "chelsea", "grass", "gravel")
HELD_OUT_PHOTOGRAPHS = ("coffee", "rocket")
HELD_OUT_PANORAMAS = ("hall", "park", "venice")
_CLEAN_STYLES = ("3D render", "watercolour", "comic")  # others add grain or coarse pixels on purpose
_SCALES = (1.0, 0.7, 0.5)  # of photographs: others are as sharp as their pixels only when made smaller


def clean_pictures(split: Split, *, num_worlds: int, num_textures: int) -> Iterator[Picture]:
    """uint8 (192, 192, 3): `num_worlds` of each world, crops of photographs and panoramas, `num_textures` textures.

    Raises AssetError, RunFailed where there is no EGL.
    """
    yield from _renders(split, num_worlds)
    yield from photographs(split)
    yield from _panoramas(split)
    seed = 0 if split == "train" else 1
    for number in range(num_textures):
        yield texture(np.random.default_rng([seed, number]))


def _worlds() -> tuple[DescribedWorld, ...]:
    clean = replace(complete_sprites(size_px=SIDE_PX), styles=_CLEAN_STYLES)
    sprites = SpritesWorld(clean, ensure("fluent-emoji-anim"))
    return sprites, PhysicsWorld(PhysicsConfig(width_px=SIDE_PX, height_px=SIDE_PX))


def _renders(split: Split, num_worlds: int) -> Iterator[Picture]:
    worlds = _worlds()
    for number in range(num_worlds):
        for world in worlds:
            yield world.render(world.scene(number, split=split), size_px=SIDE_PX, num_frames=1)[0]


def photographs(split: Split) -> Iterator[Picture]:
    """Crops side by side of the split's photographs, at three scales. Raises AssetError, MediaError."""
    cv2, folder = opencv(), ensure("public-photographs")
    for name in PHOTOGRAPHS if split == "train" else HELD_OUT_PHOTOGRAPHS:
        photograph = _read(next(folder.glob(f"{name}.*")))
        for scale in _SCALES:
            smaller = photograph
            if scale < 1:
                smaller = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            yield from _crops(smaller)


def _panoramas(split: Split) -> Iterator[Picture]:
    """Crops of the panoramas' middle at their own scale, where they are as sharp as their pixels and hardly bent."""
    for path in sorted(ensure("panoramas").glob("*.exr")):
        if (path.stem in HELD_OUT_PANORAMAS) == (split != "train"):
            light = read_panorama(path)
            margin = len(light) // 8
            yield from _crops(developed(torch.from_numpy(light[margin:-margin]).permute(2, 0, 1)))


def as_filmed(picture: Picture, rng: np.random.Generator) -> Picture:
    """Another picture that is still clean: softer, paler, of another tone, grainy or coded well, each at times.

    What good cameras and films do must not pass for damage.
    """
    cv2, levels = opencv(), picture.astype(np.float32)
    if rng.uniform() < 0.6:
        levels = cv2.GaussianBlur(levels, (0, 0), rng.uniform(0.3, 0.8))
    if rng.uniform() < 0.7:
        toned = 255 * (levels / 255) ** np.exp(rng.normal(0, 0.2))
        levels = (toned - toned.mean()) * rng.uniform(0.55, 1.1) + toned.mean()
    if rng.uniform() < 0.5:
        plain = levels.mean(2, keepdims=True)
        levels = plain + (levels - plain) * rng.uniform(0, 1.1)
    if rng.uniform() < 0.5:
        grain = rng.normal(0, rng.uniform(0.5, 4), (*levels.shape[:2], 1)).astype(np.float32)
        levels = levels + cv2.GaussianBlur(grain, (0, 0), 0.6)[..., None]
    clean = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    if rng.uniform() < 0.5:
        _, coded = cv2.imencode(".jpg", clean, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(85, 98))])
        clean = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return clean


def _read(path: Path) -> Picture:
    cv2 = opencv()
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise MediaError(f"{path}: no picture; remove its folder to have it fetched again.")
    return np.ascontiguousarray(picture[..., ::-1])


def _crops(picture: Picture) -> Iterator[Picture]:
    height, width = picture.shape[:2]
    for top in range(0, height - SIDE_PX + 1, SIDE_PX):
        for left in range(0, width - SIDE_PX + 1, SIDE_PX):
            yield picture[top : top + SIDE_PX, left : left + SIDE_PX]


def texture(rng: np.random.Generator) -> Picture:
    """Clouds of a spectrum like nature's (1/f to 1/f^1.6), some with sharp patches of others before them."""
    layers = [_clouds(rng) for _ in range(int(rng.integers(1, 4)))]
    result = layers[0]
    for layer in layers[1:]:
        inside = _clouds(rng).mean(2, keepdims=True) > rng.uniform(0.45, 0.6)
        result = np.where(inside, layer, result)
    return np.rint(255 * result).astype(np.uint8)


def _clouds(rng: np.random.Generator) -> np.ndarray:
    """(192, 192, 3) in [0, 1]."""
    frequency = np.hypot(np.fft.fftfreq(SIDE_PX)[:, None], np.fft.rfftfreq(SIDE_PX)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.normal(size=(SIDE_PX, SIDE_PX))) / frequency ** rng.uniform(1.0, 1.6)
    grey = np.fft.irfft2(spectrum, s=(SIDE_PX, SIDE_PX))
    grey = np.clip(0.5 + 0.2 * grey / grey.std(), 0, 1)[..., None]
    dark, light = np.sort(rng.uniform(0.05, 0.95, (2, 3)), 0)
    return dark + (light - dark) * grey
