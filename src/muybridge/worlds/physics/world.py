"""The physics world: rigid bodies that fall, roll and collide, every clip a pure function of (seed, index).

world = PhysicsWorld(PhysicsConfig(width_px=128, height_px=128))
scene = world.scene(7)                                 # simulated and verified, not drawn
texts = world.captions(scene, 4)                       # four wordings
pixels = world.render(scene, size_px=128)              # uint8 (t, h, w, 3); needs EGL
truth = world.truth(scene, size_px=128)                # depth, segments, flow, contacts, trajectories, cameras
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from muybridge.core.errors import RunFailed, invalid
from muybridge.core.seeding import mix
from muybridge.worlds.movements import MOVEMENTS
from muybridge.worlds.physics.camera import CameraPath
from muybridge.worlds.physics.captions import structured_caption, training_caption
from muybridge.worlds.physics.composing import (
    SMALLEST_SHARE,
    Combination,
    draw_combination,
    draw_scene,
    film_path,
    shot_type,
    subject_share,
)
from muybridge.worlds.physics.config import PhysicsConfig
from muybridge.worlds.physics.events import happens
from muybridge.worlds.physics.render import draw_film, draw_geometry
from muybridge.worlds.physics.scene import PhysicsScene, is_held_out
from muybridge.worlds.physics.shapes import EVENTS
from muybridge.worlds.physics.simulate import Motion, simulate
from muybridge.worlds.physics.truth import PhysicsTruth, measure
from muybridge.worlds.structured import StructuredCaption
from muybridge.worlds.world import Split

_MAX_DRAWS = 200  # of one scene; measured: 1.5 on average


@dataclass(frozen=True, kw_only=True, slots=True)
class PhysicsClip:
    """One clip: pixels uint8 (t, h, w, 3), its first caption, the structured one, and the facts."""

    pixels: np.ndarray
    caption: str
    structured: StructuredCaption
    scene: PhysicsScene


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shooting:
    """A scene ready to be drawn: how it moves, which of the simulated frames are shown, and the camera."""

    motion: Motion
    path: CameraPath
    width_px: int
    height_px: int


class PhysicsWorld:
    """Endless captioned clips of rigid bodies. Nothing is stored: equal (config, index) give equal scenes."""

    def __init__(self, config: PhysicsConfig) -> None:
        self.config = config

    @property
    def settings(self) -> Mapping[str, Any]:
        """What decides the scenes and their pixels, JSON-ready."""
        return {"world": "physics", **asdict(self.config)}

    @property
    def fps(self) -> int:
        """Frames a second at which clips are played."""
        return self.config.fps

    def scene(self, index: int, *, split: Split = "train") -> PhysicsScene:
        """The facts of clip `index` of a split. Its event is verified by simulation; else it is drawn again."""
        config = self.config
        rng = random.Random(mix(config.seed, "physics", split, index))
        combination = self._combination(rng, split)
        for _ in range(_MAX_DRAWS):
            scene = draw_scene(combination, config.cameras or MOVEMENTS, rng, clip_s=config.clip_s)
            if split == "train" and any(self._is_held_out(thing.combination(scene.event)) for thing in scene.things):
                continue
            motion = simulate(scene, num_frames=config.num_frames, fps=config.fps)
            if not happens(scene, motion):
                continue
            path = film_path(scene, motion, progress=self._progress(config.num_frames), aspect=self._aspect)
            share = subject_share(scene, motion, path)
            if share >= SMALLEST_SHARE:
                return replace(scene, shot_type=shot_type(share, scene.viewpoint.elevation_deg))
        raise RunFailed(f"clip {index}: no scene of {', '.join(combination)} passed its test in {_MAX_DRAWS} draws.")

    def _combination(self, rng: random.Random, split: Split) -> Combination:
        while True:
            combination = draw_combination(self.config.events or EVENTS, rng)
            if self.config.held_out_fraction == 0 or self._is_held_out(combination) == (split == "held_out"):
                return combination

    def scenes(self, *, split: Split = "train", start: int = 0) -> Iterator[PhysicsScene]:
        """The scenes of a split from `start` on, without end."""
        while True:
            yield self.scene(start, split=split)
            start += 1

    def is_held_out(self, scene: PhysicsScene) -> bool:
        """True when the subject's combination of colour, shape and event is never trained on."""
        return self._is_held_out(scene.subject.combination(scene.event))

    def _is_held_out(self, combination: Combination) -> bool:
        return is_held_out(combination, self.config.held_out_fraction)

    def clip(self, index: int, *, split: Split = "train") -> PhysicsClip:
        """Clip `index`: pixels, captions and facts."""
        scene = self.scene(index, split=split)
        return PhysicsClip(
            pixels=self.render(scene),
            caption=self.captions(scene, 1)[0],
            structured=self.structured(scene),
            scene=scene,
        )

    def captions(self, scene: PhysicsScene, num_variants: int = 4, *, is_image: bool = False) -> tuple[str, ...]:
        """The scene in different wordings: short ones in turn with ones of several sentences."""
        return tuple(training_caption(scene, variant=k, is_image=is_image) for k in range(num_variants))

    def structured(self, scene: PhysicsScene) -> StructuredCaption:
        """Every field of the paper's caption."""
        return structured_caption(scene)

    def motion(self, scene: PhysicsScene, *, num_frames: int | None = None) -> Motion:
        """How the scene's things move."""
        return simulate(scene, num_frames=num_frames or self.config.num_frames, fps=self.config.fps)

    def camera(
        self, scene: PhysicsScene, *, size_px: tuple[int, int] | int | None = None, num_frames: int | None = None
    ) -> CameraPath:
        """The camera's poses for pictures of a size (the framing follows the frame's shape)."""
        return self._shooting(scene, size_px, num_frames).path

    def render(
        self, scene: PhysicsScene, *, size_px: tuple[int, int] | int | None = None, num_frames: int | None = None
    ) -> np.ndarray:
        """A scene's pixels, uint8 (t, h, w, 3). `size_px` is (width, height) or the side of a square.

        Frames are 1/fps apart: fewer than the config's show the clip's beginning; more show what comes after, and the
        camera takes longer for its movement. One frame is a picture of the middle. RunFailed where there is no EGL.
        """
        shot = self._shooting(scene, size_px, num_frames)
        return draw_film(scene, shot.motion.qpos, shot.path, width_px=shot.width_px, height_px=shot.height_px)

    def truth(
        self, scene: PhysicsScene, *, size_px: tuple[int, int] | int | None = None, num_frames: int | None = None
    ) -> PhysicsTruth:
        """The truth of the frames that `render` draws with the same arguments."""
        shot = self._shooting(scene, size_px, num_frames)
        seen = draw_geometry(scene, shot.motion.qpos, shot.path, width_px=shot.width_px, height_px=shot.height_px)
        return measure(scene, shot.motion, shot.path, seen)

    @property
    def _aspect(self) -> float:
        return self.config.width_px / self.config.height_px

    def _progress(self, num_frames: int) -> np.ndarray:
        return np.arange(num_frames) / (max(self.config.num_frames, num_frames) - 1)

    def _shooting(
        self, scene: PhysicsScene, size_px: tuple[int, int] | int | None, num_frames: int | None
    ) -> _Shooting:
        width, height = self._size(size_px)
        count = num_frames or self.config.num_frames
        if count < 1:
            raise invalid(f"num_frames={num_frames}", "a clip has at least one frame", "use 17")
        whole = self.motion(scene, num_frames=max(count, self.config.num_frames))
        path = film_path(scene, whole, progress=self._progress(len(whole.qpos)), aspect=width / height)
        first, last = (len(whole.qpos) // 2, len(whole.qpos) // 2 + 1) if count == 1 else (0, count)
        return _Shooting(motion=whole.cut(first, last), path=path.cut(first, last), width_px=width, height_px=height)

    def _size(self, size_px: tuple[int, int] | int | None) -> tuple[int, int]:
        if size_px is None:
            return self.config.width_px, self.config.height_px
        width, height = (size_px, size_px) if isinstance(size_px, int) else size_px
        return replace(self.config, width_px=width, height_px=height).width_px, height
