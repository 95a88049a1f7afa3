"""Films of known joins, for benchmarks/shots.py: shots of the worlds and of panned pictures, joined and trapped.

A film is a pure function of (part, number). The parts "tune" and "test" share no scene, photograph or texture.
"""

import functools
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from muybridge.core.files import atomic_path
from muybridge.media.frames import Frames
from muybridge.media.save_options import SaveOptions
from muybridge.media.writer import write_video
from muybridge.training.curating.pictures import texture
from muybridge.weights.assets import ensure
from muybridge.worlds.physics.config import PhysicsConfig
from muybridge.worlds.physics.world import PhysicsWorld
from muybridge.worlds.sprites import SpritesWorld, complete_sprites
from muybridge.worlds.world import Split

WIDTH_PX, HEIGHT_PX, FPS = 128, 72, 24
JOINS_PER_FILM = 20
KINDS = ("cut", "fade", "dissolve", "wipe")
TRAPS = ("flash", "pan", "shake", "object")
HELD = "held twice"  # as film of 12 pictures/s is stored
MOTIONS = ("approach", "sweep", f"approach, {HELD}", f"sweep, {HELD}")
PHOTOGRAPHS = {
    "tune": ("astronaut", "brick", "grass"),
    "test": ("coffee", "rocket", "chelsea", "camera", "gravel"),
}
NOISE = 1.5  # levels, as of a camera
CRF = 20

Part = Literal["tune", "test"]
Shot = Frames


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A join, or a trap that is none: frames `first` up to `end` of it."""

    first: int
    end: int
    kind: str


def film(part: Part, number: int, folder: Path) -> tuple[Path, list[Event]]:
    """The film's file and its joins and traps; made where it is not there yet."""
    path, truth = folder / f"{part}-{number:03d}.mp4", folder / f"{part}-{number:03d}.json"
    if not truth.exists():
        frames, events = joined(part, number)
        rng = np.random.default_rng([number, 7])
        noisy = frames + rng.normal(0, NOISE, frames.shape).astype(np.float32)
        write_video(path, noisy.round().clip(0, 255).astype(np.uint8), fps=FPS, options=SaveOptions(crf=CRF))
        with atomic_path(truth) as temporary:
            temporary.write_text(json.dumps([[event.first, event.end, event.kind] for event in events]))
    return path, [Event(first=first, end=end, kind=kind) for first, end, kind in json.loads(truth.read_text())]


def joined(part: Part, number: int) -> tuple[Frames, list[Event]]:
    """Frames and events of a film."""
    rng = random.Random(f"{part} {number}")
    kinds = list(KINDS) * (JOINS_PER_FILM // len(KINDS))
    rng.shuffle(kinds)
    pieces, events, now = [], [], 0
    tail, trap = trapped(part, number, 0, rng)
    events += [replace(trap, first=trap.first, end=trap.end)] if trap else []
    for index, kind in enumerate(kinds, start=1):
        head, trap = trapped(part, number, index, rng)
        before, between, after, skipped = JOINERS[kind](tail, head, rng)
        pieces += [before, between]
        first = now + len(before)
        now = first + len(between)
        events.append(Event(first=first, end=now, kind=kind))
        if trap:
            offset = now - skipped
            events.append(Event(first=trap.first + offset, end=trap.end + offset, kind=trap.kind))
        tail = after
    return np.concatenate([*pieces, tail]), events


def trapped(part: Part, number: int, index: int, rng: random.Random) -> tuple[Shot, Event | None]:
    """A shot, every third one with something in its middle that looks like a join."""
    trap = TRAPS[(index // 3) % len(TRAPS)] if index % 3 == 1 else None
    if trap in ("pan", "shake"):
        return panned(part, number, index, rng, trap=trap)
    shot = plain(part, number, index, rng)
    if trap is None:
        return shot, None
    first = len(shot) // 2 - rng.randint(4, 8)
    return flashed(shot, first, rng) if trap == "flash" else crossed(shot, first, part, number, index, rng)


def plain(part: Part, number: int, index: int, rng: random.Random) -> Shot:
    """A shot of a world, a photograph or a texture."""
    choice = rng.random()
    split: Split = "train" if part == "tune" else "held_out"
    scene = number * (JOINS_PER_FILM + 1) + index
    if choice < 0.15:
        world = physics()
        return world.render(world.scene(scene, split=split), size_px=(WIDTH_PX, HEIGHT_PX), num_frames=61)
    if choice < 0.55:
        world = sprites()
        num_frames = 4 * rng.randint(15, 22) + 1
        return world.render(world.scene(scene, split=split), size_px=(WIDTH_PX, HEIGHT_PX), num_frames=num_frames)
    return panned(part, number, index, rng, trap=None)[0]


@functools.cache
def physics() -> PhysicsWorld:
    return PhysicsWorld(PhysicsConfig(width_px=WIDTH_PX, height_px=HEIGHT_PX, num_frames=61, fps=FPS))


@functools.cache
def sprites() -> SpritesWorld:
    config = replace(complete_sprites(), width_px=WIDTH_PX, height_px=HEIGHT_PX, num_frames=61, fps=FPS)
    return SpritesWorld(config, ensure("fluent-emoji-anim"))


@functools.cache
def photograph(name: str) -> Image.Image:
    return Image.open(next(ensure("public-photographs").glob(f"{name}.*"))).convert("RGB")


def picture(part: Part, number: int, index: int, rng: random.Random) -> Image.Image:
    """A photograph, mirrored by chance, or a texture of its own."""
    if rng.random() < 0.5:
        found = photograph(rng.choice(PHOTOGRAPHS[part]))
        return found.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else found
    seed = [0 if part == "tune" else 1, number, index, rng.randrange(1000)]
    return Image.fromarray(texture(np.random.default_rng(seed))).resize((480, 480), Image.Resampling.BICUBIC)


def panned(part: Part, number: int, index: int, rng: random.Random, *, trap: str | None) -> tuple[Shot, Event | None]:
    """A camera over a picture: slowly, or with a whip pan or with shaking on the way."""
    source = picture(part, number, index, rng)
    num_frames = rng.randint(60, 88)
    width = source.width * rng.uniform(0.3, 0.6)
    height = min(width * HEIGHT_PX / WIDTH_PX, source.height * 0.9)
    room = np.array([source.width - width, source.height - height])
    start, end = (np.array([rng.random(), rng.random()]) * room for _ in range(2))
    slow = start + (end - start) * rng.uniform(0, 0.25)
    at = np.linspace(start, slow, num_frames)
    event = None
    if trap is not None:
        first = num_frames // 2 - rng.randint(3, 8)
        event = Event(first=first, end=first + rng.randint(6, 14), kind=trap)
        if trap == "pan":
            far = np.array([room[0] if start[0] < room[0] / 2 else 0.0, end[1]])
            u = np.clip((np.arange(num_frames) - event.first) / (event.end - event.first), 0, 1)[:, None]
            at = at + (far - start) * (u * u * (3 - 2 * u))
        else:
            event = replace(event, end=min(event.first + 20, num_frames - 24))
            shake = np.random.default_rng([number, index]).normal(0, 0.04 * width, (event.end - event.first, 2))
            at[event.first : event.end] += shake
    boxes = np.concatenate([np.clip(at, 0, room), np.full_like(at, (width, height))], axis=1)
    return filmed(source, boxes), event


def filmed(source: Image.Image, boxes: np.ndarray) -> Shot:
    """A camera that sees one box of a picture after the other: left, top, width, height."""
    return np.stack([exposed(source, boxes[max(k - 1, 0)], boxes[k]) for k in range(len(boxes))])


def exposed(source: Image.Image, before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """What a shutter that is open for half a frame sees of a moving window."""
    steps = 4 if np.abs(now - before).max() > 0.02 * now[2] else 1
    total = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.float32)
    for step in range(steps):
        x, y, width, height = now + (before - now) * 0.5 * step / steps
        box = (float(x), float(y), float(x + width), float(y + height))
        total += np.asarray(source.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BILINEAR, box))
    return (total / steps).round().astype(np.uint8)


def hurried(part: Part, number: int, folder: Path) -> tuple[Path, str]:
    """A film of one shot in which the camera hurries, and how: nothing in it is a join. Every other pair is held twice.

    An approach makes what is seen 2 to 4 times as large, a sweep goes along an arc over the whole picture.
    """
    name = MOTIONS[number % len(MOTIONS)]
    path = folder / f"{part}-hurried-{number:03d}.mp4"
    if not path.exists():
        rng = random.Random(f"hurried {part} {number}")
        source = picture(part, number, 0, rng)
        num_frames = 72 // (held := 2 if name.endswith(HELD) else 1)
        first, length = num_frames // 2 - rng.randint(4, 8), rng.randint(8, 20) // held
        u = np.clip((np.arange(num_frames) - first) / length, 0, 1)
        u = (u * u * (3 - 2 * u))[:, None]
        share = np.array([0.9, 0.9 * HEIGHT_PX / WIDTH_PX]) * source.width
        share = share * min(1.0, 0.9 * source.height / share[1])
        if name.startswith("approach"):
            size = share * rng.uniform(0.25, 0.5) ** u
            middle = 0.5 + u * (rng.random() - 0.5) * 0.2
        else:
            size = share * 0.4 * np.ones_like(u)
            middle = np.concatenate([u, np.sin(np.pi * u * rng.uniform(0.5, 1))], axis=1)
        boxes = np.concatenate([(np.array([source.width, source.height]) - size) * middle, size], axis=1)
        noisy = filmed(source, boxes).repeat(held, axis=0) + np.random.default_rng([number, 7]).normal(
            0, NOISE, (num_frames * held, HEIGHT_PX, WIDTH_PX, 3)
        )
        write_video(path, noisy.round().clip(0, 255).astype(np.uint8), fps=FPS, options=SaveOptions(crf=CRF))
    return path, name


def flashed(shot: Shot, first: int, rng: random.Random) -> tuple[Shot, Event]:
    """A flash gun: at once bright, then fading within some frames."""
    num_frames = rng.randint(1, 5)
    frames = shot.astype(np.float32)
    peak = rng.uniform(0.4, 0.95)
    for step in range(num_frames):
        share = peak * (1 - step / num_frames)
        frames[first + step] = frames[first + step] * (1 - share) + 255 * share
    return frames.astype(np.uint8), Event(first=first, end=first + num_frames, kind="flash")


def crossed(shot: Shot, first: int, part: Part, number: int, index: int, rng: random.Random) -> tuple[Shot, Event]:
    """Something large that passes close before the camera."""
    num_frames = rng.randint(8, 18)
    width, height = round(WIDTH_PX * rng.uniform(0.4, 0.8)), round(HEIGHT_PX * rng.uniform(0.5, 1.1))
    thing = np.asarray(picture(part, number, index, rng).resize((width, height)), np.uint8)
    y, x = np.mgrid[:height, :width]
    round_mask = (2 * x / width - 1) ** 4 + (2 * y / height - 1) ** 4 < 1
    top = rng.randint(0, max(0, HEIGHT_PX - height)) if height < HEIGHT_PX else 0
    frames = shot.copy()
    for step in range(num_frames):
        u = (step + 0.5) / num_frames
        left = round(-width + u * (WIDTH_PX + width))
        a, b = max(left, 0), min(left + width, WIDTH_PX)
        rows = min(height, HEIGHT_PX - top)
        mask = round_mask[:rows, a - left : b - left, None]
        part_of = frames[first + step, top : top + rows, a:b]
        frames[first + step, top : top + rows, a:b] = np.where(mask, thing[:rows, a - left : b - left], part_of)
    return frames, Event(first=first, end=first + num_frames, kind="object")


Joined = tuple[Frames, Frames, Frames, int]  # before, between, after, and how much of the head is not in `after`


def cut(tail: Shot, head: Shot, _rng: random.Random) -> Joined:
    return tail, tail[:0], head, 0


def dissolve(tail: Shot, head: Shot, rng: random.Random) -> Joined:
    n = rng.randint(8, 24)
    share = ((np.arange(n) + 1) / (n + 1)).astype(np.float32)[:, None, None, None]
    between = tail[-n:] * (1 - share) + head[:n] * share
    return tail[:-n], between.round().astype(np.uint8), head[n:], n


def fade(tail: Shot, head: Shot, rng: random.Random) -> Joined:
    out, hold, into = rng.randint(5, 14), rng.randint(0, 8), rng.randint(5, 14)
    colour = 255.0 if rng.random() < 0.25 else 0.0
    down = (1 - (np.arange(out) + 1) / out).astype(np.float32)[:, None, None, None]
    up = ((np.arange(into) + 1) / (into + 1)).astype(np.float32)[:, None, None, None]
    parts = [
        tail[-out:] * down + colour * (1 - down),
        np.full((hold, *tail.shape[1:]), colour, np.float32),
        head[:into] * up + colour * (1 - up),
    ]
    return tail[:-out], np.concatenate(parts).round().astype(np.uint8), head[into:], into


def wipe(tail: Shot, head: Shot, rng: random.Random) -> Joined:
    n = rng.randint(8, 24)
    y, x = np.mgrid[:HEIGHT_PX, :WIDTH_PX].astype(np.float32)
    x, y = (x + 0.5) / WIDTH_PX, (y + 0.5) / HEIGHT_PX
    fields: list[Callable[[], np.ndarray]] = [
        lambda: x, lambda: 1 - x, lambda: y, lambda: 1 - y, lambda: (x + y) / 2,
        lambda: np.hypot(x - 0.5, y - 0.5) / np.hypot(0.5, 0.5), lambda: np.abs(x - 0.5) * 2,
    ]  # fmt: skip
    field = rng.choice(fields)()
    soft = rng.choice([0.01, 0.05, 0.1])
    edge = ((np.arange(n) + 1) / (n + 1)).astype(np.float32)[:, None, None] * (1 + soft) - soft / 2
    share = np.clip((edge - field) / soft + 0.5, 0, 1)[..., None]
    between = tail[-n:] * (1 - share) + head[:n] * share
    return tail[:-n], between.round().astype(np.uint8), head[n:], n


JOINERS: dict[str, Callable[[Shot, Shot, random.Random], Joined]] = {
    "cut": cut, "dissolve": dissolve, "fade": fade, "wipe": wipe,
}  # fmt: skip
