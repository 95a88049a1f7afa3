"""Borders: frames, bars with or without a ticker, sides filled with a blurred copy, and framed pictures in pictures."""

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFilter

from muybridge.training.curating.mark_drawing import Colour, Overlay, Random, shade, tint
from muybridge.training.curating.mark_looks import PATTERNS, Looks

Film = Float[np.ndarray, "t h w 3"]
Box = tuple[int, int, int, int]
SIDES = ("left", "top", "right", "bottom")


def borders(rng: Random, looks: Looks, film: Film) -> list[Overlay]:
    """One border of a film with levels 0 to 255: a mark for each side that it covers."""
    kind = rng.choice(["frame", "bars", "ticker", "blurred", "inset"], p=[0.35, 0.2, 0.2, 0.1, 0.15])
    height, width = film.shape[1:3]
    if kind == "inset":
        return [_inset(rng, film)]
    if kind == "blurred":
        return _blurred_sides(rng, film)
    if kind == "ticker":
        return [_ticker(rng, looks, film)]
    sides = SIDES if kind == "frame" else _some_sides(rng)
    low, high = (0.03, 0.13) if kind == "frame" else (0.05, 0.2)
    thick = max(3, round(rng.uniform(low, high) * min(height, width)))
    picture = _painted(rng, looks, (height, width), thick)
    return [_strip(picture[None], _side(side, (height, width), thick)) for side in sides]


def _some_sides(rng: Random) -> tuple[str, ...]:
    found = (("top", "bottom"), ("left", "right"), ("bottom",), ("top",))
    return found[rng.choice(len(found), p=[0.35, 0.25, 0.25, 0.15])]


def _side(side: str, size: tuple[int, int], thick: int) -> Box:
    height, width = size
    return {
        "left": (0, 0, thick, height),
        "top": (0, 0, width, thick),
        "right": (width - thick, 0, width, height),
        "bottom": (0, height - thick, width, height),
    }[side]


def _strip(layers: Float[np.ndarray, "n h w 3"], box: Box) -> Overlay:
    left, top, right, bottom = box
    colour = np.ascontiguousarray(layers[:, top:bottom, left:right])
    return Overlay(kind="border", left=left, top=top, colour=colour, opacity=np.ones(colour.shape[:3], np.float32))


def _painted(rng: Random, looks: Looks, size: tuple[int, int], thick: int) -> Float[np.ndarray, "h w 3"]:
    """The border's two colours in its pattern, often with a thin line at its inner edge."""
    y, x = np.mgrid[: size[0], : size[1]] / max(size)
    first, second = (np.array(tint(rng) if rng.random() < 0.6 else shade(rng), np.float32) for _ in range(2))
    weight = PATTERNS[str(rng.choice(looks.patterns))](x, y)[..., None].astype(np.float32)
    picture = first + (second - first) * weight
    if rng.random() < 0.5:
        line = max(1, thick // 6)
        inner = np.zeros(size, bool)
        inner[thick - line : size[0] - thick + line, thick - line : size[1] - thick + line] = True
        picture[inner] = np.array(shade(rng), np.float32)
    return picture


def _ticker(rng: Random, looks: Looks, film: Film) -> Overlay:
    """A coloured bar at the bottom or top with words that stand or run through it."""
    num_frames, height, width = film.shape[:3]
    thick = max(9, round(rng.uniform(0.08, 0.18) * height))
    bar, ink = tint(rng), shade(rng)
    text = "  +++  ".join(str(word) for word in rng.choice(looks.words, 4))
    font = looks.fonts[rng.integers(len(looks.fonts))](max(7, round(thick * rng.uniform(0.45, 0.7))))
    speed = 0.0 if rng.random() < 0.3 else rng.uniform(0.05, 0.6) * width / num_frames
    layers = []
    for number in range(num_frames):
        image = Image.new("RGB", (width, thick), bar)
        draw = ImageDraw.Draw(image)
        draw.text((width * 0.1 - speed * number, thick / 2), text, fill=ink, font=font, anchor="lm")
        _badge(draw, (thick * 2, thick), ink)
        layers.append(np.asarray(image, np.float32))
    top = height - thick if rng.random() < 0.8 else 0
    colour = np.stack(layers)
    return Overlay(kind="border", left=0, top=top, colour=colour, opacity=np.ones(colour.shape[:3], np.float32))


def _badge(draw: ImageDraw.ImageDraw, size: tuple[int, int], colour: Colour) -> None:
    draw.rectangle((0, 0, size[0], size[1]), fill=colour)


def _blurred_sides(rng: Random, film: Film) -> list[Overlay]:
    """What stands left and right of a tall film in a wide frame (above and below of a wide one): itself, blurred."""
    height, width = film.shape[1:3]
    frames = [Image.fromarray(frame.clip(0, 255).astype(np.uint8)) for frame in film]
    radius = rng.uniform(0.02, 0.06) * max(height, width)
    dark = rng.uniform(0.5, 1)
    blurred = [np.asarray(frame.filter(ImageFilter.GaussianBlur(radius)), np.float32) * dark for frame in frames]
    ends = ("left", "right") if width >= height else ("top", "bottom")
    thick = round(rng.uniform(0.12, 0.3) * max(height, width))
    return [_strip(np.stack(blurred), _side(side, (height, width), thick)) for side in ends]


def _inset(rng: Random, film: Film) -> Overlay:
    """A smaller picture within its own frame, in a corner: the film itself, mirrored and running backwards."""
    height, width = film.shape[1:3]
    rim = max(1, round(rng.uniform(0.008, 0.03) * min(height, width)))
    share = rng.uniform(0.2, 0.38)
    size = (round(width * share), round(height * share))
    colour = np.empty((len(film), size[1] + 2 * rim, size[0] + 2 * rim, 3), np.float32)
    colour[:] = shade(rng)
    for number, frame in enumerate(film[::-1, :, ::-1]):
        small = Image.fromarray(frame.clip(0, 255).astype(np.uint8)).resize(size)
        colour[number, rim : rim + size[1], rim : rim + size[0]] = np.asarray(small, np.float32)
    margin = round(rng.uniform(0.01, 0.06) * min(height, width))
    left = margin if rng.random() < 0.5 else width - margin - colour.shape[2]
    top = margin if rng.random() < 0.5 else height - margin - colour.shape[1]
    return Overlay(kind="border", left=left, top=top, colour=colour, opacity=np.ones(colour.shape[:3], np.float32))
