"""Films, and copies of them as other hands make copies: what the search for duplicates is measured on.

Natural films are excerpts of what is found in folders; the worlds' clips come in families, of which the members show
the same subject in the same place with the same movement and are still different clips.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw

from muybridge.core.errors import MediaError
from muybridge.media.frames import Frames
from muybridge.media.save_options import SaveOptions
from muybridge.media.video import opened, read_video, to_rgb
from muybridge.media.writer import write_video
from muybridge.worlds.physics import PhysicsConfig, PhysicsWorld
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld

SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".mpg", ".webm")
SHORT_SIDE_PX, EXCERPT_S, APART_S, MAX_EXCERPTS = 128, 3.0, 20.0, 2
CAST = ("horse", "car", "whale", "penguin", "butterfly", "rocket")
Way = Callable[[Frames, np.random.Generator], Frames]


TWINS = {  # found in two files each: equal, without its sound, damaged, encoded anew
    "earth": "world", "muted_b": "b", "Megamind_bugy": "Megamind", "carphone_distorted": "carphone_pristine",
}  # fmt: skip


def natural(folders: list[Path], *, part: int) -> Iterator[tuple[str, str, Frames]]:
    """(film, excerpt, frames) of excerpts of three seconds, far apart, of every other film under the folders: of all
    their names in order those of even places are part 0. Files of the same film have one name (`TWINS`).
    """
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    names = sorted({TWINS.get(path.stem, path.stem) for path in files})
    for path in files:
        name = TWINS.get(path.stem, path.stem)
        if names.index(name) % 2 != part:
            continue
        try:
            yield from ((name, excerpt, frames) for excerpt, frames in _excerpts(path))
        except MediaError as error:
            print(error, file=sys.stderr)


def _excerpts(path: Path) -> Iterator[tuple[str, Frames]]:
    with opened(path) as (container, stream):
        fps = float(stream.average_rate or 25)
        length, apart = max(8, round(EXCERPT_S * fps)), round(APART_S * fps)
        kept: list[np.ndarray] = []
        for number, frame in enumerate(container.decode(stream)):
            place = number % apart
            if place < length:
                scale = SHORT_SIDE_PX / min(frame.width, frame.height)
                size = (max(16, round(frame.width * scale)), max(16, round(frame.height * scale)))
                kept.append(to_rgb(frame, size_px=size))
            if place == length - 1:
                yield str(number // apart), np.stack(kept)
                kept = []
            if number // apart >= MAX_EXCERPTS - 1 and place >= length:
                return
        if len(kept) >= length // 2:
            yield str(number // apart), np.stack(kept)


def families(drawings: Path, *, num_families: int, size: int, seed: int) -> Iterator[tuple[str, Frames]]:
    """(family, frames): of each `size` clips of the same subject, place, motion and camera; all else differs."""
    world = SpritesWorld(SpritesConfig(edition="staged", max_subjects=1, seed=seed), drawings)
    found: dict[tuple[str, str, str, str], list[int]] = {}
    full, index = 0, 0
    while full < num_families:
        key = world.scene(index).combinations[0]
        found.setdefault(key, []).append(index)
        full += len(found[key]) == size
        index += 1
    for key in [key for key, indices in found.items() if len(indices) >= size]:
        for index in found[key][:size]:
            yield " ".join(key), world.render(world.scene(index), size_px=(192, 128), num_frames=25)


def same_cast(drawings: Path, *, count: int, seed: int) -> Iterator[tuple[str, Frames]]:
    """(name, frames) of clips of six subjects, in places, styles, lights, motions and movements of all kinds."""
    world = SpritesWorld(SpritesConfig(edition="staged", subjects=CAST, seed=seed), drawings)
    for index in range(count):
        yield f"staged {index}", world.render(world.scene(index), size_px=(192, 128), num_frames=25)


def rolling(*, count: int, seed: int) -> Iterator[tuple[str, Frames]]:
    """(name, frames) of clips of rigid bodies."""
    world = PhysicsWorld(PhysicsConfig(width_px=192, height_px=128, seed=seed))
    for index in range(count):
        yield f"physics {index}", world.render(world.scene(index), num_frames=25)


def cropped(film: Frames, rng: np.random.Generator, *, side: float) -> Frames:
    """A part that has `side` of both sides, anywhere."""
    _, height, width, _ = film.shape
    rows, columns = round(height * side), round(width * side)
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    return film[:, top : top + rows, left : left + columns]


def retimed(film: Frames, _rng: np.random.Generator, *, rate: float) -> Frames:
    """Played `rate` times as fast at the same number of frames a second."""
    places = np.arange(0, len(film) - 0.5, rate).round().astype(int)
    return film[np.minimum(places, len(film) - 1)]


def trimmed(film: Frames, rng: np.random.Generator) -> Frames:
    """Three quarters of its length, from anywhere."""
    length = max(4, round(0.75 * len(film)))
    start = int(rng.integers(len(film) - length + 1))
    return film[start : start + length]


def resized(film: Frames, *, width: float, height: float) -> Frames:
    """At other sides, as shares of its own."""
    size = (max(16, round(film.shape[2] * width)), max(16, round(film.shape[1] * height)))
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)) for frame in film])


def coloured(film: Frames, rng: np.random.Generator) -> Frames:
    """Another brightness, contrast, tint and gamma."""
    levels = (film / 255.0) ** rng.uniform(0.75, 1.35)
    levels = (levels - 0.5) * rng.uniform(0.7, 1.25) + 0.5 + rng.uniform(-0.1, 0.1, 3)
    return (255 * levels.clip(0, 1)).round().astype(np.uint8)


def lettered(film: Frames, rng: np.random.Generator) -> Frames:
    """A line of white letters with a black edge along the bottom."""
    line = Image.new("L", (64, 11))
    words = "".join(rng.choice(list("abcdefghik lmnoprstuw"), 10))
    ImageDraw.Draw(line).text((1, 0), words, fill=255)
    height, width = film.shape[1:3]
    size = (round(0.7 * width), round(0.11 * height))
    ink = np.asarray(line.resize(size, Image.Resampling.BICUBIC))[..., None] > 100
    out = film.copy()
    top, left = round(0.85 * height), round(0.15 * width)
    place = out[:, top : top + size[1], left : left + size[0]]
    edge = np.roll(ink, (1, 1), (0, 1)) | np.roll(ink, (-1, -1), (0, 1))
    place[:] = np.where(ink, 255, np.where(edge, 0, place))
    return out


def branded(film: Frames, rng: np.random.Generator) -> Frames:
    """A two-coloured mark in a corner."""
    out, (height, width) = film.copy(), film.shape[1:3]
    side = round(0.16 * min(height, width))
    colours = rng.integers(0, 256, (2, 3))
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    disc = (np.hypot(rows, columns) < 0.5)[..., None]
    bar = (np.abs(rows) < 0.14)[..., None]
    mark = np.where(bar, colours[0], colours[1])
    top = round(0.04 * height) if rng.random() < 0.5 else height - side - round(0.04 * height)
    left = round(0.04 * width) if rng.random() < 0.5 else width - side - round(0.04 * width)
    place = out[:, top : top + side, left : left + side]
    place[:] = np.where(disc, mark, place)
    return out


def bordered(film: Frames, rng: np.random.Generator) -> Frames:
    """Black bars above and below, or at the sides."""
    axis = 1 + int(rng.random() < 0.5)
    pad = [(0, 0)] * 4
    pad[axis] = (film.shape[axis] // 8,) * 2
    return np.pad(film, pad)


def recoded(film: Frames, *, crf: int) -> Frames:
    """Through H.264 and back."""
    even = film[:, : film.shape[1] // 2 * 2, : film.shape[2] // 2 * 2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.mp4"
        write_video(path, np.ascontiguousarray(even), fps=25, options=SaveOptions(codec="h264", crf=crf))
        return read_video(path)[0]


WAYS: Mapping[str, Way] = MappingProxyType({
    "re-encoded": lambda film, rng: recoded(film, crf=40),
    "crop 90 %": lambda film, rng: cropped(film, rng, side=0.9),
    "crop 80 %": lambda film, rng: cropped(film, rng, side=0.8),
    "mirrored": lambda film, rng: film[:, :, ::-1],
    "half as fast": lambda film, rng: retimed(film, rng, rate=0.5),
    "1.5 times as fast": lambda film, rng: retimed(film, rng, rate=1.5),
    "twice as fast": lambda film, rng: retimed(film, rng, rate=2.0),
    "trimmed to 75 %": trimmed,
    "half the size": lambda film, rng: resized(film, width=0.5, height=0.5),
    "squeezed": lambda film, rng: resized(film, width=0.75, height=1.0),
    "other colours": coloured,
    "caption": lettered,
    "logo": branded,
    "borders": bordered,
    "mirrored, 85 %, colours": lambda film, rng: coloured(cropped(film, rng, side=0.85)[:, :, ::-1], rng),
    "caption, logo, 1.3 times as fast": lambda film, rng: retimed(branded(lettered(film, rng), rng), rng, rate=1.3),
})  # fmt: skip


def copies(film: Frames, rng: np.random.Generator, *, first: int, count: int) -> Iterator[tuple[str, Frames]]:
    """Copies of `count` kinds from the one numbered `first` on, all of them encoded anew."""
    names = list(WAYS)
    for number in range(first, first + count):
        name = names[number % len(names)]
        yield name, recoded(np.ascontiguousarray(WAYS[name](film, rng)), crf=30)
