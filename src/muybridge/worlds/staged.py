"""Drawing a staged scene: the place in its light, shadows on the ground, then the subjects from far to near.

The same performance gives the pixels and the truth about them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.cards import Card, Track, alpha_mask, cast_card, contact_card, cover, darken, standing_card
from muybridge.worlds.composite import Frame
from muybridge.worlds.lens import Lens, moving_lens
from muybridge.worlds.library import SpriteLibrary, drawn_frames, standing_half_width
from muybridge.worlds.lights import LIGHTS, Light, lit_place, pooled_light, shaded
from muybridge.worlds.stage import stage_depth, stage_frames
from muybridge.worlds.staging import Actor, StagedScene
from muybridge.worlds.styles import STYLES
from muybridge.worlds.subjects import Subject
from muybridge.worlds.tracks import SUNK, is_afloat, is_mirrored, track
from muybridge.worlds.truth import CameraPath, Truth, seen_masks

_SHADOW_PX = 32  # side of the drawings from which shadows are cast: coarse, so that they are soft


@dataclass(frozen=True, kw_only=True, slots=True)
class Performer:
    """One actor's way through a clip: in the world, on the screen, and its drawing (t, 4, s, s), unlit."""

    subject: Subject
    actor: Actor
    track: Track
    card: Card
    depth: np.ndarray
    sprite: Float[Tensor, "t 4 s s"]
    is_floating: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Performance:
    """A staged clip before it is drawn; the performers are in the scene's order."""

    scene: StagedScene
    library: SpriteLibrary
    frame: Frame
    lens: Lens
    seconds: np.ndarray
    performers: tuple[Performer, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """The performers' numbers from far to near."""
        depths = [float(performer.depth.mean()) for performer in self.performers]
        return tuple(sorted(range(len(depths)), key=lambda number: -depths[number]))


def perform(
    scene: StagedScene,
    cast: Mapping[str, Subject],
    *,
    library: SpriteLibrary,
    frame: Frame,
    progress: np.ndarray,
    seconds: np.ndarray,
) -> Performance:
    """The scene played at `progress` in [0, 1] and `seconds`, (t,) each."""
    lens = moving_lens(
        scene.camera, progress, pivot_z=scene.actors[0].z, sway=scene.sway, fit=min(1.0, frame.aspect)
    )  # fmt: skip
    performers = []
    for actor in scene.actors:
        subject = cast[actor.subject]
        is_floating = is_afloat(subject, scene.background)
        way = track(actor, subject, progress, aspect=frame.aspect, is_floating=is_floating)
        card = standing_card(way, lens)
        displayed_px = 2 * float(np.hypot(card.up[:, 0], card.up[:, 1]).max()) * frame.height_px
        sprite = drawn_frames(library, subject, seconds, phase=actor.phase, displayed_px=displayed_px).float()
        if is_mirrored(actor, subject):
            sprite = sprite.flip(-1)
        depth = lens.project(way.point())[1]
        performers.append(
            Performer(
                subject=subject, actor=actor, track=way, card=card, depth=depth, is_floating=is_floating,
                sprite=_sunk(sprite) if is_floating else sprite,
            )
        )  # fmt: skip
    return Performance(
        scene=scene, library=library, frame=frame, lens=lens, seconds=seconds, performers=tuple(performers)
    )


def draw_performance(performance: Performance) -> Float[Tensor, "t 3 h w"]:
    """The finished film, float32, 0-255."""
    scene, frame = performance.scene, performance.frame
    light = LIGHTS[scene.light]
    place = stage_frames(BACKGROUNDS[scene.background], performance.lens, frame=frame, detail_seed=scene.detail_seed)
    film = lit_place(place, light).expand(len(performance.seconds), -1, -1, -1).clone()
    for performer in performance.performers:
        _add_shadows(film, performer, performance, light)
    for number in performance.order:
        performer = performance.performers[number]
        cover(film, shaded(performer.sprite, light), performer.card, frame=frame)
    middles = np.mean([performer.card.middle for performer in performance.performers], axis=0)
    pooled_light(film, light, middles=middles)
    styled = STYLES[scene.style].apply(film.clamp_(0, 255), scene.detail_seed % 2**32)
    return styled.clamp(0, 255)


def witness(performance: Performance) -> Truth:
    """Who is where in every frame of the performance."""
    performers, frame = performance.performers, performance.frame
    covers = np.stack([alpha_mask(one.sprite[:, 3:], one.card, frame=frame) for one in performers])
    masks = seen_masks(covers, performance.order)
    depths = np.stack([one.depth for one in performers])
    depth = np.broadcast_to(stage_depth(performance.lens, frame), masks.shape[1:]).copy()
    for number, mask in enumerate(masks):
        depth = np.where(mask, depths[number].astype(np.float32)[:, None, None], depth)
    lens = performance.lens
    return Truth(
        masks=masks, middles=np.stack([one.card.middle for one in performers]), depths=depths,
        sizes=np.stack([2 * np.hypot(*one.card.up.T) for one in performers]), order=performance.order, depth=depth,
        camera=CameraPath(
            movement=performance.scene.camera, position=lens.position, yaw=lens.yaw, pitch=lens.pitch, roll=lens.roll,
            focal=lens.focal,
        ),
    )  # fmt: skip


def _add_shadows(film: Float[Tensor, "t 3 h w"], performer: Performer, performance: Performance, light: Light) -> None:
    """Darken the ground: a soft patch where the feet touch it and the silhouette that the light casts, in place."""
    way, frame, lens = performer.track, performance.frame, performance.lens
    aloft = np.maximum(way.height, 0) / way.size
    half = standing_half_width(performance.library, performer.subject.codepoints)
    radius = way.size * (1.25 * half if performer.subject.realm == "ground" else 0.3)
    strength = light.contact / (1 + 4 * aloft)
    darken(film, _scaled(_disc(), strength), contact_card(way, lens, radius=radius), frame=frame)
    if light.shadow and not performer.is_floating:
        drawing = drawn_frames(
            performance.library, performer.subject, performance.seconds, phase=performer.actor.phase,
            displayed_px=_SHADOW_PX,
        )  # fmt: skip
        silhouette = avg_pool2d(drawing[:, 3:].float() / 255, 5, stride=1, padding=2)
        silhouette *= torch.linspace(0.5, 1, drawing.shape[-1])[:, None]
        if is_mirrored(performer.actor, performer.subject):
            silhouette = silhouette.flip(-1)
        card = cast_card(way, lens, fall=light.fall)
        darken(film, _scaled(silhouette, light.shadow / (1 + 1.2 * aloft)), card, frame=frame)


def _scaled(texture: Float[Tensor, "#t 1 s s"], strength: np.ndarray) -> Float[Tensor, "t 1 s s"]:
    return texture * torch.from_numpy(strength.astype(np.float32))[:, None, None, None]


def _disc(side: int = 24) -> Float[Tensor, "1 1 s s"]:
    """A soft round patch."""
    axis = torch.linspace(-1, 1, side)
    return torch.clamp(1 - axis[None] ** 2 - axis[:, None] ** 2, 0, 1)[None, None] ** 1.5


def _sunk(sprite: Float[Tensor, "t 4 s s"]) -> Float[Tensor, "t 4 s s"]:
    """The drawing without the part under water."""
    down = torch.linspace(0, 1, sprite.shape[-1])[:, None]
    return sprite * torch.clamp((1 - SUNK - down) / 0.04 + 1, 0, 1)
