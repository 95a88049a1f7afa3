"""Scenes drawn from random numbers: what is seen, where, in which light, from where."""

import random
from collections.abc import Sequence

import numpy as np

from muybridge.worlds.movements import pick
from muybridge.worlds.physics.camera import CameraPath, shoot
from muybridge.worlds.physics.launches import Cast, launch
from muybridge.worlds.physics.looks import COLOURS, MATERIALS
from muybridge.worlds.physics.places import PLACES, lights_of
from muybridge.worlds.physics.scene import PhysicsScene, Viewpoint
from muybridge.worlds.physics.shapes import shapes_for
from muybridge.worlds.physics.simulate import Motion

Combination = tuple[str, str, str]
SMALLEST_SHARE = 0.13  # of the frame's height: a smaller subject is not recognised at 64 px
_STATIC_SHARE, _HANDHELD_SHARE = 0.3, 0.1
_CLOSE, _MEDIUM = 0.4, 0.24  # the subject's share of the frame's height in close and medium shots


def draw_combination(events: Sequence[str], rng: random.Random) -> Combination:
    """A colour, a shape and an event that go together."""
    event = pick(rng, events)
    return pick(rng, tuple(COLOURS)), pick(rng, shapes_for(event)), event


def draw_scene(combination: Combination, cameras: Sequence[str], rng: random.Random, *, clip_s: float) -> PhysicsScene:
    """A scene of a combination. Its event is likely to happen, and has to be verified."""
    colour, shape, event = combination
    others = [name for name in COLOURS if name != colour]
    cast = Cast(
        shape=shape, colour=colour, material=_material(colour, event, rng), other_colour=(other := pick(rng, others)),
        other_material=_material(other, event, rng), direction=1 if rng.random() < 0.5 else -1, clip_s=clip_s,
    )  # fmt: skip
    things = launch(event, cast, rng)
    shown = {colour, other} if any(thing.colour == other for thing in things) else {colour}
    place = pick(rng, [name for name, place in PLACES.items() if not shown & set(place.tones)])
    light = pick(rng, lights_of(place))
    viewpoint = Viewpoint(
        camera=_camera(cameras, rng), azimuth_deg=rng.uniform(-16, 16), elevation_deg=rng.uniform(9, 20),
        fov_deg=rng.uniform(38, 44),
    )  # fmt: skip
    return PhysicsScene(
        event=event, things=things, direction=cast.direction, place=place, light=light, sun_deg=rng.uniform(-80, 80),
        viewpoint=viewpoint, shot_type="", detail_seed=int(rng.random() * 2**40),
    )  # fmt: skip


def _material(colour: str, event: str, rng: random.Random) -> str:
    """Patterns more often where something turns; nothing black glows."""
    choices = [name for name in MATERIALS if not (name == "glowing" and colour in ("black", "brown", "grey"))]
    if event in ("roll", "orbit", "bounce"):
        choices += ["checker", "striped", "dotted"]
    return pick(rng, choices)


def _camera(cameras: Sequence[str], rng: random.Random) -> str:
    kind = rng.random()
    for name, share in (("static", _STATIC_SHARE), ("handheld", _HANDHELD_SHARE)):
        if kind < share and name in cameras:
            return name
        kind -= share
    moving = [name for name in cameras if name not in ("static", "handheld")]
    return pick(rng, moving or cameras)


def film_path(scene: PhysicsScene, motion: Motion, *, progress: np.ndarray, aspect: float) -> CameraPath:
    """The camera's path for a simulated scene, framed on all its things in the motion's frames."""
    centres = motion.at_frames(motion.positions)
    radii = np.array([thing.reach_m for thing in scene.things])
    if scene.event == "swing" and scene.subject.hinge is not None:  # the beam belongs to the picture
        beam = np.broadcast_to(np.array(scene.subject.hinge.pivot), centres[:, :1].shape)
        centres, radii = np.concatenate([centres, beam], axis=1), np.append(radii, 0.15)
    return shoot(scene.viewpoint, centres, radii, progress=progress, aspect=aspect, seed=scene.detail_seed)


def subject_share(scene: PhysicsScene, motion: Motion, path: CameraPath) -> float:
    """The subject's height in the middle frame as a share of the frame's."""
    middle = len(path.tan_half) // 2
    seen = path.seen(motion.at_frames(motion.positions))[middle, 0]
    return scene.subject.reach_m / float(seen[2] * path.tan_half[middle])


def shot_type(share: float, elevation_deg: float) -> str:
    """How large the subject is, and from how high it is seen."""
    size = "close shot" if share > _CLOSE else "medium shot" if share > _MEDIUM else "wide shot"
    return f"{size} from slightly above" if elevation_deg > 14 else size
