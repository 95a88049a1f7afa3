"""What marks are laid over: short films of photographs, panoramas, textures and worlds, seen by a moving camera.

None of it has a mark. Signs with words and drawings stand in many of the pictures, and move with them: that is what
tells them from marks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from muybridge.training.curating.mark_drawing import Random, shade, tint
from muybridge.training.curating.mark_looks import Looks
from muybridge.training.curating.panoramas import read_panorama, view
from muybridge.training.curating.pictures import HELD_OUT_PANORAMAS, HELD_OUT_PHOTOGRAPHS, PHOTOGRAPHS, texture
from muybridge.weights.assets import ensure
from muybridge.worlds.library import SpriteLibrary, WebpLibrary
from muybridge.worlds.physics import PhysicsConfig, PhysicsWorld
from muybridge.worlds.sprites import SpritesWorld, complete_sprites
from muybridge.worlds.world import DescribedWorld, Split

STILL_PX = 416  # side of the pictures that the camera moves over
WORLD_PX = 256
WORLD_FRAMES = 13  # the fewest that the physics world makes at 12 frames a second
NUM_FRAMES = 8  # of a film, as many as its summary is made of
KINDS = ("panorama", "photograph", "leaves", "texture")
SHARES = (0.4, 0.25, 0.25, 0.1)

Film = Float[np.ndarray, "t h w 3"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Backdrops:
    """Pictures uint8 (n, 416, 416, 3), films of worlds uint8 (n, 8, 256, 256, 3), and drawings that walk through."""

    stills: UInt8[np.ndarray, "n y x 3"]
    films: UInt8[np.ndarray, "m t s s 3"]
    library: SpriteLibrary

    def film(self, rng: Random, size: tuple[int, int], *, num_frames: int) -> Film:
        """One film of `size` rows and columns, levels 0 to 255."""
        if len(self.films) and rng.random() < 0.3:
            film = _cut(rng, self.films[rng.integers(len(self.films))], size)[:num_frames]
        else:
            film = _seen(rng, self.stills[rng.integers(len(self.stills))], size, num_frames)
            if rng.random() < 0.4:
                _walk_through(rng, film, self.library)
        gain, lift = rng.uniform(0.6, 1.25), rng.uniform(-25, 25)
        return film * gain + lift


def make_backdrops(split: Split, looks: Looks, *, num_stills: int, num_films: int, seed: int) -> Backdrops:
    """Those of a split; the same for the same numbers. Raises AssetError, and RunFailed where there is no EGL."""
    library = WebpLibrary(ensure("fluent-emoji-anim"))
    panoramas = {path.stem: read_panorama(path) for path in sorted(ensure("panoramas").glob("*.exr"))}
    chosen = {name: light for name, light in panoramas.items() if (name in HELD_OUT_PANORAMAS) == (split != "train")}
    painter = _Painter(panoramas=MappingProxyType(chosen), photographs=_photographs(split), looks=looks)
    randoms = [np.random.default_rng([seed, split != "train", number]) for number in range(num_stills)]
    stills = [_peopled(rng, painter.paint(rng), looks, library) for rng in randoms]
    return Backdrops(stills=np.stack(stills), films=_world_films(split, num_films), library=library)


def _worlds() -> tuple[DescribedWorld, DescribedWorld]:
    sprites = SpritesWorld(complete_sprites(size_px=WORLD_PX), ensure("fluent-emoji-anim"))
    return sprites, PhysicsWorld(PhysicsConfig(width_px=WORLD_PX, height_px=WORLD_PX, num_frames=WORLD_FRAMES))


def _world_films(split: Split, count: int) -> UInt8[np.ndarray, "n t s s 3"]:
    """Two of sprites for one of physics."""
    sprites, physics = _worlds()
    films = np.empty((count, NUM_FRAMES, WORLD_PX, WORLD_PX, 3), np.uint8)
    numbers = np.linspace(0, WORLD_FRAMES - 1, NUM_FRAMES).round().astype(int)
    for number in range(count):
        world = physics if number % 3 == 2 else sprites
        film = world.render(world.scene(number, split=split), size_px=WORLD_PX, num_frames=WORLD_FRAMES)
        films[number] = film[numbers]
    return films


def _photographs(split: Split) -> tuple[Image.Image, ...]:
    folder = ensure("public-photographs")
    names = PHOTOGRAPHS if split == "train" else HELD_OUT_PHOTOGRAPHS
    return tuple(Image.open(next(folder.glob(f"{name}.*"))).convert("RGB") for name in names)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Painter:
    panoramas: Mapping[str, np.ndarray]
    photographs: tuple[Image.Image, ...]
    looks: Looks

    def paint(self, rng: Random) -> Image.Image:
        kind = rng.choice(KINDS, p=SHARES)
        if kind == "leaves":
            return fallen_leaves(rng)
        if kind == "texture":
            return Image.fromarray(texture(rng)).resize((STILL_PX, STILL_PX), Image.Resampling.BICUBIC)
        return self._panorama(rng) if kind == "panorama" else self._photograph(rng)

    def _panorama(self, rng: Random) -> Image.Image:
        light = self.panoramas[str(rng.choice(sorted(self.panoramas)))]
        yaw, pitch, across = rng.uniform(-180, 180), rng.normal(0, 15), rng.uniform(75, 125)
        picture = view(light, yaw_deg=yaw, pitch_deg=pitch, across_deg=across, size_px=STILL_PX)
        return Image.fromarray(_grained(rng, picture))

    def _photograph(self, rng: Random) -> Image.Image:
        photograph = self.photographs[rng.integers(len(self.photographs))]
        side = rng.uniform(0.5, 1) * min(photograph.size)
        left, top = (rng.uniform(0, free - side) for free in photograph.size)
        box = (left, top, left + side, top + side)
        return photograph.resize((STILL_PX, STILL_PX), Image.Resampling.BICUBIC, box)


def _grained(rng: Random, picture: np.ndarray) -> np.ndarray:
    """With the fine detail of a texture, which a panorama of 512 px lacks."""
    fine = np.asarray(Image.fromarray(texture(rng)).resize((STILL_PX, STILL_PX)), np.float32).mean(2, keepdims=True)
    return (picture + rng.uniform(0, 0.35) * (fine - fine.mean())).clip(0, 255).astype(np.uint8)


def fallen_leaves(rng: Random) -> Image.Image:
    """Overlapping shapes of all sizes, as in the dead-leaves model of natural pictures (Lee et al. 2001)."""
    image = Image.new("RGB", (STILL_PX, STILL_PX), tint(rng))
    draw = ImageDraw.Draw(image)
    base, spread = rng.uniform(60, 190, 3), rng.uniform(15, 70)
    for _ in range(rng.integers(60, 350)):
        radius = min(8 / rng.uniform(0.02, 1) ** 1.0, 160)
        colour = tuple(int(level) for level in (base + rng.normal(0, spread, 3)).clip(0, 255))
        x, y = rng.uniform(0, STILL_PX, 2)
        if rng.random() < 0.4:
            draw.ellipse((x - radius, y - radius * rng.uniform(0.3, 1), x + radius, y + radius * 0.8), fill=colour)
            continue
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8)))
        draw.polygon([(x + radius * np.cos(a), y + radius * np.sin(a)) for a in angles], fill=colour)
    return Image.fromarray(_grained(rng, np.asarray(image, np.float32)))


def _peopled(rng: Random, image: Image.Image, looks: Looks, library: SpriteLibrary) -> np.ndarray:
    """The picture with none to three signs and none to two drawings in it."""
    for _ in range(rng.choice([0, 1, 2, 3], p=[0.5, 0.25, 0.15, 0.1])):
        _put_sign(rng, image, looks)
    for _ in range(rng.choice([0, 1, 2], p=[0.6, 0.25, 0.15])):
        drawing = _drawing(rng, library, int(rng.integers(40, 150)))
        left, top = (int(rng.integers(-20, STILL_PX - 30)) for _ in range(2))
        image.paste(drawing, (left, top), drawing)
    return np.asarray(image)


def _put_sign(rng: Random, image: Image.Image, looks: Looks) -> None:
    """A plate or wall with words, seen from aside."""
    font = looks.fonts[rng.integers(len(looks.fonts))](int(rng.integers(10, 34)) * 2)
    text = str(rng.choice(looks.words))
    width, height = (int(edge) for edge in font.getbbox(text)[2:])
    plate = (*tint(rng), 255 if rng.random() < 0.7 else 0)
    sign = Image.new("RGBA", (width + 24, height + 16), plate)
    ImageDraw.Draw(sign).text((12, 8), text, fill=(*shade(rng), 255), font=font)
    lean, taper = rng.uniform(-0.25, 0.25) * width, rng.uniform(0, 0.3) * height
    corners = (0.0, -taper, lean, sign.height + taper, sign.width + lean, sign.height, sign.width, 0.0)
    turned = sign.transform(sign.size, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    small = turned.resize((max(12, turned.width // 2), max(6, turned.height // 2)), Image.Resampling.BOX)
    at = (int(rng.integers(0, STILL_PX - 40)), int(rng.integers(0, STILL_PX - 20)))
    image.paste(small, at, small)


def _drawing(rng: Random, library: SpriteLibrary, size_px: int) -> Image.Image:
    subject = library.subjects[rng.integers(len(library.subjects))]
    frames = library.frames(subject.codepoints, 128)
    premultiplied = np.asarray(frames[rng.integers(len(frames))], np.float32).transpose(1, 2, 0)
    alpha = premultiplied[..., 3:]
    colour = premultiplied[..., :3] * (255 / np.maximum(alpha, 1))
    straight = np.concatenate([colour.clip(0, 255), alpha], axis=-1).astype(np.uint8)
    return Image.fromarray(straight).resize((size_px, size_px))


def _cut(rng: Random, film: np.ndarray, size: tuple[int, int]) -> Film:
    """A part of a world's film, sometimes played by a camera that stands."""
    scale = rng.uniform(max(size) / WORLD_PX * 0.6, 1)
    part = (size[1] * scale, size[0] * scale)
    left, top = (rng.uniform(0, WORLD_PX - side) for side in part)
    box = (left, top, left + part[0], top + part[1])
    frames = [Image.fromarray(frame).resize((size[1], size[0]), Image.Resampling.BILINEAR, box) for frame in film]
    return np.stack([np.asarray(frame, np.float32) for frame in frames])


def _seen(rng: Random, still: np.ndarray, size: tuple[int, int], num_frames: int) -> Film:
    """The picture under a camera that stands, slides, comes nearer or is held by hand."""
    image = Image.fromarray(still)
    zoom, turn, x, y = _path(rng, num_frames)
    widest = 0.9 * STILL_PX / max(size)
    zoom = (zoom * rng.uniform(0.75, 1.25)).clip(0.4, widest)
    frames = []
    for number in range(num_frames):
        scale, angle = zoom[number], turn[number]
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        free = [(STILL_PX - scale * side) / 2 for side in (size[1], size[0])]
        centre = STILL_PX / 2 + np.clip([x[number], y[number]], -1, 1) * free
        offset = (
            centre[0] - cos * size[1] / 2 + sin * size[0] / 2,
            centre[1] - sin * size[1] / 2 - cos * size[0] / 2,
        )
        affine = (cos, -sin, offset[0], sin, cos, offset[1])
        seen = image.transform((size[1], size[0]), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
        frames.append(np.asarray(seen, np.float32))
    return np.stack(frames)


def _path(rng: Random, num_frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scale, roll in radians, and place from -1 to 1 across and down, at each frame."""
    time = np.linspace(0, 1, num_frames) if num_frames > 1 else np.zeros(1)
    kind = rng.choice(["stands", "slides", "nears", "held"], p=[0.3, 0.35, 0.15, 0.2])
    start = rng.uniform(-0.9, 0.9, 2)
    still = np.zeros(num_frames)
    zoom, x, y = still + 1, still + start[0], still + start[1]
    if kind == "slides":
        reach = rng.normal(0, 0.7, 2)
        return zoom, still, x + reach[0] * time, y + reach[1] * time
    if kind == "nears":
        return np.exp(rng.uniform(-0.6, 0.6) * time), still, x, y
    if kind == "held":
        shake = np.cumsum(rng.normal(0, 0.05, (3, num_frames)), axis=1)
        return zoom, shake[0] * 0.3, x + shake[1], y + shake[2]
    return zoom, still, x, y


def _walk_through(rng: Random, film: Film, library: SpriteLibrary) -> None:
    """Let a drawing cross the film, in place."""
    height, width = film.shape[1:3]
    size = int(rng.uniform(0.2, 0.7) * min(height, width))
    drawing = _drawing(rng, library, size)
    pixels = np.asarray(drawing, np.float32)
    ends = rng.uniform(-0.3, 0.9, (2, 2)) * [height, width]
    for number, frame in enumerate(film):
        way = number / max(1, len(film) - 1)
        top, left = (ends[0] + (ends[1] - ends[0]) * way).round().astype(int)
        rows, columns = slice(max(0, top), max(0, top + size)), slice(max(0, left), max(0, left + size))
        under = frame[rows, columns]
        inside = pixels[rows.start - top :, columns.start - left :][: under.shape[0], : under.shape[1]]
        alpha = inside[..., 3:] / 255
        under *= 1 - alpha
        under += inside[..., :3] * alpha
