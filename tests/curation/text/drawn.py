"""Tiny films with captions and signs, drawn."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from muybridge.curation.clip import Clip, Origin
from muybridge.media.frames import Frames

HEIGHT, WIDTH, NUM_FRAMES, FPS = 144, 256, 12, 4.0
FONT_PX = 10


def moving_ground(*, speed_px: int = 3, height: int = HEIGHT, width: int = WIDTH) -> Frames:
    """Soft blobs that go to the left by `speed_px` a frame."""
    generator = np.random.default_rng(3)
    coarse = generator.integers(40, 200, (height // 12 + 1, width // 4, 3), dtype=np.uint8)
    wide = np.asarray(Image.fromarray(coarse).resize((width * 3, height), Image.Resampling.BICUBIC))
    return np.stack([wide[:, speed_px * index : speed_px * index + width] for index in range(NUM_FRAMES)])


def with_caption(frames: Frames, words: list[str], *, top: float = 0.87, font_px: int = FONT_PX) -> Frames:
    """Each of `words` in its share of the frames, centred, white with a black outline."""
    font = ImageFont.load_default(font_px)
    drawn = []
    for index, frame in enumerate(frames):
        picture = Image.fromarray(frame)
        shown = words[index * len(words) // len(frames)]
        left = (picture.width - font.getlength(shown)) / 2
        place = left, top * picture.height
        ImageDraw.Draw(picture).text(place, shown, font=font, fill="white", stroke_width=1, stroke_fill="black")
        drawn.append(np.asarray(picture))
    return np.stack(drawn)


def with_sign(frames: Frames, words: str, *, speed_px: int = 3, top: float = 0.84) -> Frames:
    """A sign that goes with the ground."""
    drawn = []
    for index, frame in enumerate(frames):
        picture = Image.fromarray(frame)
        left, high = 110 - speed_px * index, int(top * picture.height)
        draw = ImageDraw.Draw(picture)
        draw.rectangle((left - 4, high - 2, left + 90, high + 14), fill=(190, 180, 160))
        draw.text((left, high), words, font=ImageFont.load_default(FONT_PX), fill=(70, 20, 20))
        drawn.append(np.asarray(picture))
    return np.stack(drawn)


def clip_of(frames: Frames) -> Clip:
    """The clip that shows them."""
    height, width = frames.shape[1:3]
    origin = Origin(id="o", uri="film.mp4", width_px=width, height_px=height, fps=FPS)
    return Clip(
        id="c",
        origin=origin,
        start_s=0,
        end_s=len(frames) / FPS,
        frames=frames,
        fps=FPS,
        crop=(0, 0, width, height),
    )


def changed(frames: Frames, before: Frames) -> np.ndarray:
    """The pixels that drawing changed."""
    return np.abs(frames.astype(np.int16) - before).max(-1) > 4
