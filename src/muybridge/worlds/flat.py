"""Drawing a scene of the flat edition: one subject over a painted place, seen by a camera that slides and zooms."""

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.camera import View, look, parallax
from muybridge.worlds.composite import Frame, add_shadow, add_sprite, background_frames, on_screen
from muybridge.worlds.library import SpriteLibrary, drawn_frames, standing_half_width
from muybridge.worlds.motion import Placement, place, rest_height
from muybridge.worlds.scene import Scene
from muybridge.worlds.subjects import Subject
from muybridge.worlds.truth import CameraPath, Truth, seen_masks

_MAX_WIDTH = MappingProxyType({"left": 0.68, "right": 0.68})  # of a frame's width, to leave way to go; others 0.85


@dataclass(frozen=True, kw_only=True, slots=True)
class FlatPerformance:
    """A flat clip before it is drawn: the camera, the subject's way on the screen, and its drawing (t, 4, s, s)."""

    scene: Scene
    subject: Subject
    frame: Frame
    view: View
    seen: Placement
    sprite: UInt8[Tensor, "t 4 s s"]
    is_mirrored: bool
    half_width: float


def perform_flat(
    scene: Scene, subject: Subject, *, library: SpriteLibrary, frame: Frame, progress: np.ndarray, seconds: np.ndarray
) -> FlatPerformance:
    """The scene played at `progress` in [0, 1] and `seconds`, (t,) each."""
    size = min(scene.size, _MAX_WIDTH.get(scene.motion, 0.85) * frame.aspect)
    path = place(
        scene.motion, subject.realm, progress, size=size, offset=scene.offset, aspect=frame.aspect,
        is_followed=scene.camera == "follow",
    )  # fmt: skip
    path, is_mirrored = _oriented(path, scene, subject)
    target = (path.x, rest_height(subject.realm, size))
    view = look(scene.camera, progress, target=target, sway=scene.phase, aspect=frame.aspect)
    seen = on_screen(path, view)
    displayed_px = float(seen.size.max()) * frame.height_px
    sprite = drawn_frames(library, subject, seconds, phase=scene.phase, displayed_px=displayed_px)
    return FlatPerformance(
        scene=scene, subject=subject, frame=frame, view=view, seen=seen, sprite=sprite, is_mirrored=is_mirrored,
        half_width=standing_half_width(library, subject.codepoints),
    )  # fmt: skip


def draw_flat(performance: FlatPerformance) -> Float[Tensor, "t 3 h w"]:
    """The finished film, float32, 0-255."""
    background, frame = BACKGROUNDS[performance.scene.background], performance.frame
    film = background_frames(background, performance.view, frame=frame, detail_seed=performance.scene.detail_seed)
    film = film.expand(len(performance.sprite), -1, -1, -1).clone()
    if performance.subject.realm == "ground":
        add_shadow(film, performance.seen, frame=frame, half_width=performance.half_width)
    light = torch.tensor(background.light, dtype=torch.float32)
    add_sprite(
        film, performance.sprite, performance.seen, frame=frame, is_mirrored=performance.is_mirrored, light=light
    )
    return film.round_()


def witness_flat(performance: FlatPerformance) -> Truth:
    """Where the subject is in every frame; distances are what the place's parallax amounts to."""
    seen, frame, view = performance.seen, performance.frame, performance.view
    white = torch.zeros(len(performance.sprite), 3, frame.height_px, frame.width_px)
    opaque = performance.sprite[:, 3:].expand(-1, 4, -1, -1)
    add_sprite(white, opaque, seen, frame=frame, is_mirrored=performance.is_mirrored, light=torch.ones(3))
    masks = seen_masks(rearrange(white[:, 0], "t h w -> 1 t h w").numpy() / 255, (0,))
    world_y = 0.5 + view.y[:, None] + (frame.rows[None] - 0.5) / view.zoom[:, None]
    depth = np.broadcast_to(1 / parallax(world_y)[:, :, None], masks.shape[1:])
    zero = np.zeros_like(view.x)
    return Truth(
        masks=masks, middles=np.stack([seen.x, seen.y - seen.size / 2], axis=1)[None], sizes=seen.size[None],
        depths=np.ones_like(seen.size)[None], order=(0,), depth=np.where(masks[0], 1, depth).astype(np.float32),
        camera=CameraPath(
            movement=performance.scene.camera, position=np.stack([view.x, view.y, zero], axis=1), yaw=zero, pitch=zero,
            roll=zero, focal=view.zoom,
        ),
    )  # fmt: skip


def _oriented(path: Placement, scene: Scene, subject: Subject) -> tuple[Placement, bool]:
    """The path with the drawing turned along it, and whether the drawing is mirrored."""
    is_mirrored = subject.facing != "front" and scene.facing != subject.facing
    if subject.upright_deg and scene.motion in ("up", "down"):
        turn = subject.upright_deg * (-1 if is_mirrored else 1)
        return replace(path, turn_deg=path.turn_deg + turn), is_mirrored
    return path, is_mirrored
