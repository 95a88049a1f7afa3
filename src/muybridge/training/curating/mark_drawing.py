"""Watermarks and logos, drawn larger than they are shown, and averaged down as a renderer would."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from muybridge.training.curating.mark_looks import Looks
from muybridge.training.curating.mark_shapes import OUTLINES

Colour = tuple[int, int, int]
Size = tuple[int, int]  # rows, columns
Random = np.random.Generator

FINER = 3  # times as large while it is drawn
VISIBLE = 0.25  # of a mark's strongest opacity: what is weaker lies outside its box
MIN_OPACITY = 0.15


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlay:
    """Something laid over a film at (left, top): one layer for all of its frames, or one for each."""

    kind: str
    left: int
    top: int
    colour: Float[np.ndarray, "n h w 3"]  # 0 to 255, times the opacity
    opacity: Float[np.ndarray, "n h w"]

    def box(self, size: Size) -> tuple[int, int, int, int]:
        """Where it can be seen in frames of `size`: left, top, right, bottom."""
        most = self.opacity.max(0)
        is_seen = most > VISIBLE * most.max()
        rows, columns = np.flatnonzero(is_seen.any(1)), np.flatnonzero(is_seen.any(0))
        left, right = np.clip([self.left + columns[0], self.left + columns[-1] + 1], 0, size[1])
        top, bottom = np.clip([self.top + rows[0], self.top + rows[-1] + 1], 0, size[0])
        return int(left), int(top), int(right), int(bottom)


def laid_over(film: Float[np.ndarray, "t h w 3"], mark: Overlay, *, min_difference: float) -> bool:
    """Lay the mark over the film, in place, what hangs out cut off; False, and nothing laid, where it is too faint.

    min_difference: in levels of 255, of the channel that changes most. A fifth of the pixels where the mark's opacity
    is not next to nothing must change by as much, on average over time.
    """
    height, width = mark.opacity.shape[1:]
    top, left = max(0, mark.top), max(0, mark.left)
    bottom, right = min(film.shape[1], mark.top + height), min(film.shape[2], mark.left + width)
    inside = np.s_[:, top - mark.top : bottom - mark.top, left - mark.left : right - mark.left]
    opacity, under = mark.opacity[inside], film[:, top:bottom, left:right]
    change = mark.colour[inside] - under * opacity[..., None]
    is_seen = opacity.max(0) > VISIBLE * mark.opacity.max()
    if not is_seen.any() or np.percentile(np.abs(change).max(-1).mean(0)[is_seen], 80) < min_difference:
        return False
    under += change
    return True


def layer(image: Image.Image, opacity: float) -> tuple[np.ndarray, np.ndarray]:
    """Colour (1, h, w, 3) and opacity (1, h, w) of an RGBA drawing that is `FINER` times as large."""
    pixels = np.asarray(image, np.float32)
    rows, columns = (side // FINER for side in pixels.shape[:2])
    pixels = pixels[: rows * FINER, : columns * FINER]
    alpha = pixels[..., 3:] * (opacity / 255)
    both = np.concatenate([pixels[..., :3] * alpha, alpha], axis=-1)
    mean = both.reshape(rows, FINER, columns, FINER, 4).mean((1, 3))
    return mean[None, ..., :3], mean[None, ..., 3]


def watermarks(rng: Random, looks: Looks, size: Size) -> list[Overlay]:
    """One stamp of words in a corner, at a side, in the middle or aslant; or many of the same."""
    way = rng.choice(["corner", "side", "middle", "aslant", "tiled"], p=[0.45, 0.15, 0.12, 0.13, 0.15])
    is_large = way in ("middle", "aslant")
    share = np.exp(rng.uniform(np.log(0.06 if is_large else 0.035), np.log(0.2 if is_large else 0.11)))
    angle = float(rng.uniform(15, 50) * rng.choice([-1, 1])) if way == "aslant" else 0.0
    if way == "tiled":
        angle = float(rng.choice([0, 0, 20, 30, 45, -30]))
    stamp = _words(rng, looks, text=_text(rng, looks), height_px=max(5.0, share * min(size)))
    widest = (0.9 if is_large else 0.5 if way != "tiled" else 0.32) * size[1] * FINER
    if stamp.width > widest:
        stamp = stamp.resize((int(widest), max(4 * FINER, int(stamp.height * widest / stamp.width))))
    if angle:
        stamp = stamp.rotate(angle, resample=Image.Resampling.BICUBIC, expand=True)
    colour, opacity = layer(stamp, _opacity(rng))
    return [
        Overlay(kind="watermark", left=left, top=top, colour=colour, opacity=opacity)
        for left, top in _positions(rng, str(way), size, colour.shape[1:3])
    ]


def logo(rng: Random, looks: Looks, size: Size, num_frames: int) -> Overlay:
    """An emblem: an outline with letters or another outline in it, perhaps a name beside it; some of them move."""
    side = np.exp(rng.uniform(np.log(0.08), np.log(0.35))) * min(size)
    emblem = _emblem(rng, looks, max(8, round(side)) * FINER)
    if rng.random() < 0.3:
        emblem = _with_name(rng, looks, emblem)
    opacity = _opacity(rng)
    colour, alpha = layer(emblem, opacity)
    if rng.random() < 0.2:
        colour, alpha = _moving(rng, emblem, num_frames, opacity)
    way = "corner" if rng.random() < 0.8 else "side" if rng.random() < 0.6 else "middle"
    left, top = _positions(rng, way, size, colour.shape[1:3])[0]
    return Overlay(kind="logo", left=left, top=top, colour=colour, opacity=alpha)


def _opacity(rng: Random) -> float:
    return float(1 - (1 - MIN_OPACITY) * rng.beta(1.2, 1.2))


def shade(rng: Random) -> Colour:
    """White, black, a grey, or a strong colour."""
    kind = rng.random()
    if kind < 0.45:
        return (255, 255, 255)
    if kind < 0.55:
        return (0, 0, 0)
    if kind < 0.65:
        grey = int(rng.integers(60, 230))
        return (grey, grey, grey)
    return tint(rng)


def tint(rng: Random) -> Colour:
    """A strong colour."""
    red, green, blue = rng.permutation([rng.integers(0, 80), rng.integers(0, 256), rng.integers(150, 256)])
    return int(red), int(green), int(blue)


def _text(rng: Random, looks: Looks) -> str:
    """Words, or now and then the date and time of a camera."""
    if rng.random() < 0.2:
        numbers = rng.integers([2001, 1, 1, 0, 0, 0], [2026, 13, 29, 24, 60, 60])
        form = rng.choice(["{0}-{1:02}-{2:02} {3:02}:{4:02}:{5:02}", "{3:02}:{4:02}:{5:02}", "{2:02}.{1:02}.{0}"])
        return str(form).format(*numbers)
    text = str(rng.choice(looks.words))
    return text.upper() if rng.random() < 0.2 else text


def _words(rng: Random, looks: Looks, *, text: str, height_px: float) -> Image.Image:
    """The words as RGBA, `FINER` times as large, tightly cut."""
    font = looks.fonts[rng.integers(len(looks.fonts))](max(8, round(height_px * FINER)))
    fill = shade(rng)
    rim = 0 if rng.random() < 0.6 else max(1, round(0.06 * font.size))
    rim_fill = (0, 0, 0) if sum(fill) > 380 else (255, 255, 255)
    left, top, right, bottom = (int(edge) for edge in font.getbbox(text, stroke_width=rim))
    image = Image.new("RGBA", (right - left + FINER, bottom - top + FINER), (*fill, 0))
    draw = ImageDraw.Draw(image)
    at = (-left, -top)
    if rng.random() < 0.25:
        offset = max(1, FINER * font.size // 40)
        draw.text((at[0] + offset, at[1] + offset), text, fill=(0, 0, 0, 160), font=font)
    draw.text(at, text, fill=(*fill, 255), font=font, stroke_width=rim, stroke_fill=(*rim_fill, 255))
    if rng.random() < 0.08:
        plate = Image.new("RGBA", image.size, (*(255 - part for part in fill), 200))
        plate.alpha_composite(image)
        return plate
    return image


def _emblem(rng: Random, looks: Looks, side_px: int) -> Image.Image:
    fill, inner = shade(rng), shade(rng)
    image = Image.new("RGBA", (side_px, side_px), (*fill, 0))
    draw = ImageDraw.Draw(image)
    outline = _scaled(rng.choice(looks.outlines), (0, 0), side_px)
    is_hollow = rng.random() < 0.25
    if is_hollow:
        draw.polygon(outline, outline=(*fill, 255), width=max(FINER, round(side_px * rng.uniform(0.06, 0.16))))
    else:
        draw.polygon(outline, fill=(*fill, 255))
    what = rng.random()
    if what < 0.45:
        letters = "".join(rng.choice(list("ABCDEFGHKLMNOPRSTUVWXZ2357")) for _ in range(rng.integers(1, 4)))
        font = looks.fonts[rng.integers(len(looks.fonts))](max(8, round(side_px * 0.62 / len(letters) ** 0.7)))
        ink = fill if is_hollow else inner
        draw.text((side_px / 2, side_px / 2), letters, fill=(*ink, 255), font=font, anchor="mm")
    elif what < 0.85:
        reach = rng.uniform(0.3, 0.65) * side_px
        corner = ((side_px - reach) / 2, (side_px - reach) / 2)
        hole = (*inner, 0 if rng.random() < 0.3 and not is_hollow else 255)
        draw.polygon(_scaled(rng.choice(looks.outlines), corner, reach), fill=hole)
    return image


def _scaled(name: str, corner: tuple[float, float], side_px: float) -> Sequence[tuple[float, float]]:
    last = side_px - 1
    return [(corner[0] + x * last, corner[1] + y * last) for x, y in OUTLINES[name]]


def _with_name(rng: Random, looks: Looks, emblem: Image.Image) -> Image.Image:
    """The emblem with one short word right of it."""
    word = str(rng.choice(looks.words)).split()[0][:8]
    name = _words(rng, looks, text=word, height_px=emblem.height / FINER * rng.uniform(0.35, 0.6))
    gap = max(FINER, emblem.height // 10)
    both = Image.new("RGBA", (emblem.width + gap + name.width, max(emblem.height, name.height)), (255, 255, 255, 0))
    both.alpha_composite(emblem, (0, (both.height - emblem.height) // 2))
    both.alpha_composite(name, (emblem.width + gap, (both.height - name.height) // 2))
    return both


def _moving(rng: Random, emblem: Image.Image, num_frames: int, opacity: float) -> tuple[np.ndarray, np.ndarray]:
    """One layer a frame: it turns about its upright middle, or comes and goes a little."""
    turns, start = rng.uniform(0.2, 1.2), rng.uniform(0, 1)
    is_turning = rng.random() < 0.5
    layers = []
    for number in range(num_frames):
        phase = np.cos(2 * np.pi * (start + turns * number / num_frames))
        canvas = emblem
        if is_turning:
            width = max(FINER, round(emblem.width * abs(phase)))
            canvas = Image.new("RGBA", emblem.size, (255, 255, 255, 0))
            canvas.paste(emblem.resize((width, emblem.height)), ((emblem.width - width) // 2, 0))
        layers.append(layer(canvas, opacity * (1 if is_turning else 0.7 + 0.3 * phase)))
    return np.concatenate([colour for colour, _ in layers]), np.concatenate([alpha for _, alpha in layers])


def _positions(rng: Random, way: str, size: Size, mark: Size) -> list[tuple[int, int]]:
    """(left, top) of one or more marks of `mark` rows and columns."""
    free_x, free_y = size[1] - mark[1], size[0] - mark[0]
    margin = rng.uniform(0.01, 0.08) * min(size)
    near_x, near_y = min(margin, max(0, free_x / 2)), min(margin * rng.uniform(0.6, 1.6), max(0, free_y / 2))
    sides_x, sides_y = (near_x, free_x - near_x), (near_y, free_y - near_y)
    if way == "corner":
        return [(round(rng.choice(sides_x)), round(rng.choice(sides_y)))]
    if way == "side":
        if rng.random() < 0.7:
            return [(round(free_x * rng.uniform(0.25, 0.75)), round(rng.choice(sides_y)))]
        return [(round(rng.choice(sides_x)), round(free_y * rng.uniform(0.2, 0.8)))]
    if way == "tiled":
        return _tiles(rng, size, mark)
    return [(round(free_x * rng.uniform(0.4, 0.6)), round(free_y * rng.uniform(0.35, 0.65)))]


def _tiles(rng: Random, size: Size, mark: Size) -> list[tuple[int, int]]:
    """Where copies stand in rows, every second row shifted; at most a dozen of them."""
    step_x, step_y = round(mark[1] * rng.uniform(1.25, 2)), round(mark[0] * rng.uniform(1.5, 4) + 8)
    step_y = max(step_y, size[0] // 4)
    found = [
        (left + (step_x // 2 if row % 2 else 0), top)
        for row, top in enumerate(range(round(step_y * 0.2), size[0] - mark[0], step_y))
        for left in range(round(step_x * 0.1), size[1] - mark[1], step_x)
    ]
    inside = [(left, top) for left, top in found if left + mark[1] <= size[1]]
    return inside[:12] or [((size[1] - mark[1]) // 2, (size[0] - mark[0]) // 2)]
