"""The sprites world: animated 3D emoji in painted places, every clip a pure function of (seed, index).

world = SpritesWorld(SpritesConfig(width_px=64, height_px=64), folder)
scene = world.scene(7)                       # facts, no pixels
texts = world.captions(scene, 4)             # four wordings
pixels = world.render(scene, size_px=128)    # uint8 (t, h, w, 3)
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from einops import rearrange

from muybridge.core.errors import invalid
from muybridge.core.seeding import mix
from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.camera import look
from muybridge.worlds.captions import StructuredCaption, long_caption, short_caption, structured
from muybridge.worlds.composite import Frame, add_shadow, add_sprite, background_frames, on_screen
from muybridge.worlds.library import SOURCE_FPS, SpriteLibrary, WebpLibrary, level_for
from muybridge.worlds.motion import Placement, place, rest_height
from muybridge.worlds.scene import Scene, draw_scene, is_held_out
from muybridge.worlds.subjects import Subject

Split = Literal["train", "held_out"]
_MAX_WIDTH = MappingProxyType({"left": 0.68, "right": 0.68})  # of a frame's width, to leave way to go; others 0.85


@dataclass(frozen=True, kw_only=True, slots=True)
class SpritesConfig:
    """The world's settings. `subjects` are names, () is the library's whole cast; `num_frames` is 4n+1.

    `held_out_fraction` of the combinations (subject, background, motion, camera) never occur in the split "train".
    """

    width_px: int = 128
    height_px: int = 128
    num_frames: int = 17
    fps: int = 12
    subjects: tuple[str, ...] = ()
    held_out_fraction: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("width_px", "height_px"):
            if not 16 <= getattr(self, name) <= 1024:
                raise invalid(f"{name}={getattr(self, name)}", "sprites are drawn from 16 to 1024 px", "use 64 or 128")
        if self.num_frames < 1 or self.num_frames % 4 != 1:
            raise invalid(f"num_frames={self.num_frames}", "clips have 4n+1 frames", "use 17")
        if not 1 <= self.fps <= SOURCE_FPS:
            raise invalid(f"fps={self.fps}", f"the drawings have {SOURCE_FPS} frames a second", "use 12")
        if not 0 <= self.held_out_fraction < 0.5:
            raise invalid(f"held_out_fraction={self.held_out_fraction}", "must lie in [0, 0.5)", "use 0.05")


@dataclass(frozen=True, kw_only=True, slots=True)
class SpriteClip:
    """One clip: pixels uint8 (t, h, w, 3), its first caption, the structured one, and the facts."""

    pixels: np.ndarray
    caption: str
    structured: StructuredCaption
    scene: Scene


class SpritesWorld:
    """Endless captioned clips. Nothing is stored: equal (config, index) give equal clips on every machine."""

    def __init__(self, config: SpritesConfig, library: SpriteLibrary | Path) -> None:
        self.config = config
        self.library = WebpLibrary(library) if isinstance(library, Path) else library
        known = {subject.name: subject for subject in self.library.subjects}
        for name in config.subjects:
            if name not in known:
                raise invalid(f"subject {name!r}", "the library has no such drawing", f"choose from {', '.join(known)}")
        self._subjects = {name: known[name] for name in config.subjects or known}

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The cast in use."""
        return tuple(self._subjects.values())

    def subject(self, scene: Scene) -> Subject:
        """The member of the cast that a scene shows."""
        return self._subjects[scene.subject]

    def scene(self, index: int, *, split: Split = "train") -> Scene:
        """The facts of clip `index` of a split; no pixels are drawn."""
        return self._drawn(random.Random(mix(self.config.seed, "sprites", split, index)), split)

    def still(self, index: int, *, split: Split = "train") -> Scene:
        """The facts of picture `index` of a split: nothing moves, and the resting combination is of that split."""
        rng = random.Random(mix(self.config.seed, "sprites", "still", split, index))
        return self._drawn(rng, split, is_still=True)

    def _drawn(self, rng: random.Random, split: Split, *, is_still: bool = False) -> Scene:
        while True:
            scene = draw_scene(self.subjects, rng)
            if is_still:
                scene = replace(scene, motion="still", camera="static")
            if self.config.held_out_fraction == 0 or self.is_held_out(scene) == (split == "held_out"):
                return scene

    def scenes(self, *, split: Split = "train", start: int = 0) -> Iterator[Scene]:
        """The scenes of a split from `start` on, without end."""
        while True:
            yield self.scene(start, split=split)
            start += 1

    def is_held_out(self, scene: Scene) -> bool:
        """True when this combination of subject, background, motion and camera is never trained on."""
        return is_held_out(scene, self.config.held_out_fraction)

    def clip(self, index: int, *, split: Split = "train") -> SpriteClip:
        """Clip `index`: pixels, captions and facts."""
        scene = self.scene(index, split=split)
        caption = structured(scene, self.subject(scene))
        return SpriteClip(pixels=self.render(scene), caption=caption.short, structured=caption, scene=scene)

    def image(self, index: int, *, split: Split = "train") -> SpriteClip:
        """A picture of a resting scene, pixels (1, h, w, 3), with a caption that claims no movement."""
        scene = self.still(index, split=split)
        subject = self.subject(scene)
        caption = short_caption(scene, subject, is_image=True)
        facts = replace(structured(scene, subject), short=caption)
        return SpriteClip(pixels=self.render(scene, num_frames=1), caption=caption, structured=facts, scene=scene)

    def captions(self, scene: Scene, num_variants: int = 4, *, is_image: bool = False) -> tuple[str, ...]:
        """Short captions of a scene in different wordings (equal ones may occur)."""
        subject = self.subject(scene)
        return tuple(short_caption(scene, subject, variant=k, is_image=is_image) for k in range(num_variants))

    def long_caption(self, scene: Scene, variant: int = 0) -> str:
        """A dense caption of about 60 words."""
        return long_caption(scene, self.subject(scene), variant=variant)

    def render(
        self, scene: Scene, *, size_px: tuple[int, int] | int | None = None, num_frames: int | None = None
    ) -> np.ndarray:
        """A scene's pixels, uint8 (t, h, w, 3). `size_px` is (width, height) or the side of a square.

        Fewer frames than the config's show the clip's beginning; more stretch the movement over the longer clip. One
        frame is a picture: the middle of the movement.
        """
        frame = self._frame(size_px)
        progress, seconds = self._times(num_frames or self.config.num_frames)
        subject, background = self.subject(scene), BACKGROUNDS[scene.background]
        size = min(scene.size, _MAX_WIDTH.get(scene.motion, 0.85) * frame.aspect)
        path = place(
            scene.motion, subject.realm, progress, size=size, offset=scene.offset, aspect=frame.aspect,
            is_followed=scene.camera == "follow",
        )  # fmt: skip
        path, is_mirrored = _oriented(path, scene, subject)
        target = (path.x, rest_height(subject.realm, size))
        view = look(scene.camera, progress, target=target, sway=scene.phase, aspect=frame.aspect)
        seen = on_screen(path, view)
        film = background_frames(background, view, frame=frame, detail_seed=scene.detail_seed)
        film = film.expand(len(progress), -1, -1, -1).clone()
        if subject.realm == "ground":
            add_shadow(film, seen, frame=frame, half_width=_half_width(self.library, subject.codepoints))
        sprite = self._sprite(
            subject, seconds, phase=scene.phase, displayed_px=float(seen.size.max()) * frame.height_px
        )
        light = torch.tensor(background.light, dtype=torch.float32)
        add_sprite(film, sprite, seen, frame=frame, is_mirrored=is_mirrored, light=light)
        return rearrange(film.round_().clamp_(0, 255).to(torch.uint8), "t c h w -> t h w c").contiguous().numpy()

    def _frame(self, size_px: tuple[int, int] | int | None) -> Frame:
        if size_px is None:
            return Frame(width_px=self.config.width_px, height_px=self.config.height_px)
        width, height = (size_px, size_px) if isinstance(size_px, int) else size_px
        return Frame(width_px=width, height_px=height)

    def _times(self, num_frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Progress in [0, 1] and seconds of each frame."""
        if num_frames == 1:
            return np.full(1, 0.5), np.zeros(1)
        seconds = np.arange(num_frames) / self.config.fps
        return seconds / (max(self.config.num_frames, num_frames) - 1) * self.config.fps, seconds

    def _sprite(self, subject: Subject, seconds: np.ndarray, *, phase: float, displayed_px: float) -> torch.Tensor:
        """The subject's drawing in each frame, uint8 (t, 4, s, s)."""
        frames = self.library.frames(subject.codepoints, level_for(displayed_px))
        numbers = frame_numbers(len(frames), seconds, phase=phase, span=subject.span)
        return torch.from_numpy(frames[numbers])


def frame_numbers(num_frames: int, seconds: np.ndarray, *, phase: float, span: tuple[float, float]) -> np.ndarray:
    """Which source frame is shown at each time: a loop, or to and fro within `span`. A still is always frame 0."""
    position = seconds * SOURCE_FPS
    if span == (0.0, 1.0):
        return (np.floor(phase * num_frames) + np.round(position)).astype(int) % num_frames
    first, last = math.floor(span[0] * (num_frames - 1)), math.floor(span[1] * (num_frames - 1))
    length = max(last - first, 1)
    swing = (np.round(position) + math.floor(phase * 2 * length)) % (2 * length)
    return np.minimum(first + np.where(swing > length, 2 * length - swing, swing), num_frames - 1).astype(int)


def _oriented(path: Placement, scene: Scene, subject: Subject) -> tuple[Placement, bool]:
    """The path with the drawing turned along it, and whether the drawing is mirrored."""
    is_mirrored = subject.facing != "front" and scene.facing != subject.facing
    if subject.upright_deg and scene.motion in ("up", "down"):
        turn = subject.upright_deg * (-1 if is_mirrored else 1)
        return replace(path, turn_deg=path.turn_deg + turn), is_mirrored
    return path, is_mirrored


@lru_cache(maxsize=512)
def _half_width(library: SpriteLibrary, codepoints: str) -> float:
    """Half the width on which a drawing stands (its lowest fifth), in shares of its square."""
    alpha = np.asarray(library.frames(codepoints, 64))[:, 3, -13:]
    columns = np.flatnonzero((alpha > 64).any(axis=(0, 1)))
    return 0.5 * float(columns[-1] - columns[0] + 1) / 64 if len(columns) else 0.3
