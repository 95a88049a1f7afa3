"""The sprites world: animated 3D emoji in painted places, every clip a pure function of (seed, index).

world = SpritesWorld(complete_sprites(), folder)
scene = world.scene(7)                       # facts, no pixels
texts = world.captions(scene, 4)             # four wordings
fields = world.structured(scene)             # every field of the paper's caption
pixels = world.render(scene, size_px=128)    # uint8 (t, h, w, 3)
truth = world.truth(scene, size_px=128)      # masks, trajectories, depth, the camera's path
flow = world.flow(scene, size_px=128)        # where each pixel's point goes; of "staged" scenes

It has two editions. "flat" is the one that the shipped gallop was trained on: one subject, nine camera movements that
slide and zoom a picture; its scenes, captions and pixels never change. "staged" is the complete one: up to three
subjects in depth, cast shadows, light, styles, and the paper's fourteen camera movements in perspective.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from einops import rearrange

from muybridge.core.config import to_dict
from muybridge.core.errors import invalid
from muybridge.core.seeding import mix
from muybridge.worlds.captions import long_caption, short_caption, structured
from muybridge.worlds.composite import Frame
from muybridge.worlds.flat import FlatPerformance, draw_flat, perform_flat, witness_flat
from muybridge.worlds.flow import Flow, optical_flow
from muybridge.worlds.library import SOURCE_FPS, SpriteLibrary, WebpLibrary
from muybridge.worlds.lights import LIGHTS
from muybridge.worlds.movements import MOVEMENTS
from muybridge.worlds.prose import dense_staged, short_staged, staged_caption, structured_staged
from muybridge.worlds.scene import Scene, draw_scene, is_held_out
from muybridge.worlds.staged import Performance, draw_performance, perform, witness
from muybridge.worlds.staging import MAX_SUBJECTS, Repertoire, StagedScene, at_rest, draw_staged, is_pair_held_out
from muybridge.worlds.structured import StructuredCaption
from muybridge.worlds.styles import STYLES
from muybridge.worlds.subjects import Subject
from muybridge.worlds.truth import Truth
from muybridge.worlds.world import Split

AnyScene = Scene | StagedScene
Size = tuple[int, int] | int | None  # (width, height), the side of a square, or the config's
_TABLES = MappingProxyType({"styles": tuple(STYLES), "lights": tuple(LIGHTS), "cameras": MOVEMENTS})


@dataclass(frozen=True, kw_only=True, slots=True)
class SpritesConfig:
    """The world's settings. `subjects` are names, () is the library's whole cast; `num_frames` is 4n+1.

    `held_out_fraction` of the combinations (subject, background, motion, camera), and in the staged edition of the
    pairs of subjects, never occur in the split "train". `max_subjects`, `styles`, `lights` and `cameras` narrow the
    staged edition; () is all of them.
    """

    width_px: int = 128
    height_px: int = 128
    num_frames: int = 17
    fps: int = 12
    subjects: tuple[str, ...] = ()
    held_out_fraction: float = 0.05
    seed: int = 0
    edition: Literal["flat", "staged"] = "flat"
    max_subjects: int = MAX_SUBJECTS
    styles: tuple[str, ...] = ()
    lights: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()

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
        self._check_repertoire()

    @property
    def repertoire(self) -> Repertoire:
        """What may occur in the staged edition."""
        return Repertoire(
            max_subjects=self.max_subjects, styles=self.styles, lights=self.lights, cameras=self.cameras
        )  # fmt: skip

    def _check_repertoire(self) -> None:
        if self.edition not in ("flat", "staged"):
            raise invalid(f"edition={self.edition!r}", "there are flat and staged", "use staged")
        if not 1 <= self.max_subjects <= MAX_SUBJECTS:
            raise invalid(f"max_subjects={self.max_subjects}", f"scenes hold 1 to {MAX_SUBJECTS}", "use 3")
        for name, known in _TABLES.items():
            for given in getattr(self, name):
                if given not in known:
                    raise invalid(f"{name}: {given!r}", "there is no such one", f"choose from {', '.join(known)}")
        if self.edition == "flat" and self.repertoire != Repertoire():
            raise invalid(
                "edition='flat'", "has no styles, lights, cameras or crowds to choose", "use edition='staged'"
            )


def complete_sprites(*, size_px: int = 128, num_frames: int = 17, seed: int = 0) -> SpritesConfig:
    """The whole sprites world: every subject, up to three at once, every style, light and camera movement."""
    return SpritesConfig(width_px=size_px, height_px=size_px, num_frames=num_frames, seed=seed, edition="staged")


@dataclass(frozen=True, kw_only=True, slots=True)
class SpriteClip:
    """One clip: pixels uint8 (t, h, w, 3), its first caption, the structured one, and the facts."""

    pixels: np.ndarray
    caption: str
    structured: StructuredCaption
    scene: AnyScene


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
        if not any(config.repertoire.backgrounds([subject]) for subject in self.subjects):
            raise invalid("lights, cameras", "no place has both", "allow more of them")

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The cast in use."""
        return tuple(self._subjects.values())

    @property
    def settings(self) -> Mapping[str, Any]:
        """The config, JSON-ready."""
        return {"world": "sprites", **to_dict(self.config)}

    @property
    def fps(self) -> int:
        """Frames a second."""
        return self.config.fps

    def subject(self, scene: AnyScene) -> Subject:
        """The member of the cast that a scene shows, the main one of several."""
        return self._subjects[scene.subject if isinstance(scene, Scene) else scene.actors[0].subject]

    def scene(self, index: int, *, split: Split = "train") -> AnyScene:
        """The facts of clip `index` of a split; no pixels are drawn."""
        return self._drawn((split, index), split)

    def still(self, index: int, *, split: Split = "train") -> AnyScene:
        """The facts of picture `index` of a split: nothing moves, and the resting combination is of that split."""
        return self._drawn(("still", split, index), split, is_still=True)

    def _drawn(self, purpose: tuple[int | str, ...], split: Split, *, is_still: bool = False) -> AnyScene:
        is_flat = self.config.edition == "flat"
        rng = random.Random(mix(self.config.seed, "sprites" if is_flat else "staged sprites", *purpose))
        while True:
            scene = draw_scene(self.subjects, rng) if is_flat else draw_staged(self.subjects, rng, self._repertoire)
            if is_still:
                scene = replace(scene, motion="still", camera="static") if isinstance(scene, Scene) else at_rest(scene)
            if self.config.held_out_fraction == 0 or self.is_held_out(scene) == (split == "held_out"):
                return scene

    @property
    def _repertoire(self) -> Repertoire:
        return self.config.repertoire

    def scenes(self, *, split: Split = "train", start: int = 0) -> Iterator[AnyScene]:
        """The scenes of a split from `start` on, without end."""
        while True:
            yield self.scene(start, split=split)
            start += 1

    def is_held_out(self, scene: AnyScene) -> bool:
        """True when a combination of subject, background, motion and camera is never trained on, or a pair of subjects.

        One of them is enough.
        """
        fraction = self.config.held_out_fraction
        if isinstance(scene, Scene):
            return is_held_out(scene.combination, fraction)
        pairs = any(is_pair_held_out(pair, fraction) for pair in scene.pairs)
        return pairs or any(is_held_out(combination, fraction) for combination in scene.combinations)

    def clip(self, index: int, *, split: Split = "train") -> SpriteClip:
        """Clip `index`: pixels, captions and facts."""
        scene = self.scene(index, split=split)
        caption = self.structured(scene)
        return SpriteClip(pixels=self.render(scene), caption=caption.short, structured=caption, scene=scene)

    def image(self, index: int, *, split: Split = "train") -> SpriteClip:
        """A picture of a resting scene, pixels (1, h, w, 3), with a caption that claims no movement."""
        scene = self.still(index, split=split)
        caption = self.captions(scene, 1, is_image=True)[0]
        facts = replace(self.structured(scene), short=caption)
        return SpriteClip(pixels=self.render(scene, num_frames=1), caption=caption, structured=facts, scene=scene)

    def captions(self, scene: AnyScene, num_variants: int = 4, *, is_image: bool = False) -> tuple[str, ...]:
        """Captions of a scene in different wordings (equal ones may occur), the first one short.

        Flat: all short. Staged: short ones in turn with ones composed of the structured fields, except for pictures.
        """
        variants = range(num_variants)
        if isinstance(scene, Scene):
            subject = self.subject(scene)
            return tuple(short_caption(scene, subject, variant=k, is_image=is_image) for k in variants)
        return tuple(staged_caption(scene, self._subjects, variant=k, is_image=is_image) for k in variants)

    def short_caption(self, scene: AnyScene, variant: int = 0) -> str:
        """A caption of one to four short sentences."""
        if isinstance(scene, Scene):
            return short_caption(scene, self.subject(scene), variant=variant)
        return short_staged(scene, self._subjects, variant=variant)

    def long_caption(self, scene: AnyScene, variant: int = 0) -> str:
        """A dense caption of about 60 words."""
        if isinstance(scene, Scene):
            return long_caption(scene, self.subject(scene), variant=variant)
        return dense_staged(scene, self._subjects, variant=variant)

    def structured(self, scene: AnyScene) -> StructuredCaption:
        """Every field of the paper's caption."""
        if isinstance(scene, Scene):
            return structured(scene, self.subject(scene))
        return structured_staged(scene, self._subjects)

    def render(self, scene: AnyScene, *, size_px: Size = None, num_frames: int | None = None) -> np.ndarray:
        """A scene's pixels, uint8 (t, h, w, 3). `size_px` is (width, height) or the side of a square.

        Fewer frames than the config's show the clip's beginning; more stretch the movement over the longer clip. One
        frame is a picture: the middle of the movement.
        """
        if isinstance(scene, Scene):
            film = draw_flat(self._flat(scene, size_px, num_frames))
        else:
            film = draw_performance(self._staged(scene, size_px, num_frames))
        return rearrange(film.round_().clamp_(0, 255).to(torch.uint8), "t c h w -> t h w c").contiguous().numpy()

    def truth(self, scene: AnyScene, *, size_px: Size = None, num_frames: int | None = None) -> Truth:
        """Who is where in the pixels that `render` draws with the same arguments."""
        if isinstance(scene, Scene):
            return witness_flat(self._flat(scene, size_px, num_frames))
        return witness(self._staged(scene, size_px, num_frames))

    def flow(self, scene: AnyScene, *, size_px: Size = None, num_frames: int | None = None) -> Flow:
        """The optical flow of those pixels. Raises InvalidInput on a scene of the flat edition."""
        if isinstance(scene, Scene):
            raise invalid("a flat scene", "its flow is not known", "take one of complete_sprites()")
        performance = self._staged(scene, size_px, num_frames)
        return optical_flow(performance, witness(performance))

    def _flat(self, scene: Scene, size_px: Size, num_frames: int | None) -> FlatPerformance:
        progress, seconds = self._times(num_frames or self.config.num_frames)
        subject, frame = self.subject(scene), self._frame(size_px)
        return perform_flat(
            scene, subject, library=self.library, frame=frame, progress=progress, seconds=seconds
        )  # fmt: skip

    def _staged(self, scene: StagedScene, size_px: Size, num_frames: int | None) -> Performance:
        progress, seconds = self._times(num_frames or self.config.num_frames)
        return perform(
            scene, self._subjects, library=self.library, frame=self._frame(size_px), progress=progress, seconds=seconds
        )

    def _frame(self, size_px: Size) -> Frame:
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
