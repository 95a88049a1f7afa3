"""Scenes of the worlds that have given answers, to be told in their words: `scene_answers` the other way round.

What no answer says is left out or at a middle: nobody faces anywhere, and sizes follow the kind of shot.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from muybridge.captioning.own.scene_answers import (
    EVENTS,
    LEFT,
    MOTIONS,
    PHYSICS_STYLE,
    ROWS,
    SIDES,
    WAYS,
    light_phrase,
    place_phrase,
    style_phrase,
    subject_phrase,
)  # fmt: skip
from muybridge.captioning.own.slots import SLOTS, Seen
from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.lights import LIGHTS as STAGED_LIGHTS
from muybridge.worlds.physics.looks import MATERIALS
from muybridge.worlds.physics.places import LIGHTS, PLACES
from muybridge.worlds.physics.scene import PhysicsScene, Thing, Viewpoint
from muybridge.worlds.physics.shapes import SHAPES
from muybridge.worlds.staging import Actor, StagedScene
from muybridge.worlds.styles import STYLES
from muybridge.worlds.subjects import SUBJECTS

SIZES: Mapping[str, float] = MappingProxyType({"close-up": 0.8, "medium shot": 0.5, "wide shot": 0.3})  # of the frame
_SUN_DEG = 60.0  # to the side from where a light has one


def answered_scene(seen: Seen) -> StagedScene | PhysicsScene:
    """A scene with these answers, which have to be those of one."""
    told = dict(zip(SLOTS, seen.answers, strict=True))
    return _physics(told) if told["style"] == PHYSICS_STYLE else _staged(told)


@cache
def names(kind: str) -> Mapping[str, str]:
    """What the worlds call things, by answer. kind: subject, background, staged light, style, shape, and so on."""
    tables = {
        "subject": {subject_phrase(each): each.name for each in SUBJECTS},
        "background": {place_phrase(each): name for name, each in BACKGROUNDS.items()},
        "staged light": {light_phrase(each): name for name, each in STAGED_LIGHTS.items()},
        "style": {style_phrase(each): name for name, each in STYLES.items()},
        "shape": {each.names[0]: name for name, each in SHAPES.items()},
        "material": {each.words[0]: name for name, each in MATERIALS.items()},
        "place": {place_phrase(each): name for name, each in PLACES.items()},
        "light": {light_phrase(each): name for name, each in LIGHTS.items()},
        "event": {phrase: name for name, phrase in EVENTS.items()},
        "motion": {phrase: name for name, phrase in MOTIONS.items() if name not in WAYS},
    }
    return MappingProxyType(tables[kind])


def _staged(told: Mapping[str, str]) -> StagedScene:
    ways = {phrase: name for name, phrase in WAYS.items()}
    motion = ways[told["way"]] if told["way"] else names("motion")[told["motion"]]
    cast = [told[slot] for slot in ("who", "who2", "who3") if told[slot]]
    return StagedScene(
        actors=tuple(
            Actor(
                subject=names("subject")[who], motion="still" if place else motion, facing="front", x=0.0, z=1.0,
                size=SIZES[told["shot"]], phase=0.0,
            )
            for place, who in enumerate(cast)
        ),
        relations=tuple(told[slot] for slot in ("relation2", "relation3") if told[slot]),  # pyright: ignore
        background=names("background")[told["place"]], light=names("staged light")[told["light"]],
        style=names("style")[told["style"]], camera=told["camera"], sway=0.0, detail_seed=0,
    )  # fmt: skip


def _physics(told: Mapping[str, str]) -> PhysicsScene:
    count = next((number for number, phrase in ROWS.items() if phrase == told["count"]), 1)
    things = [_thing(told, "")] * count + ([_thing(told, "2")] if told["who2"] else [])
    return PhysicsScene(
        event=names("event")[told["motion"]], things=tuple(things), direction=-1 if told["way"] == LEFT else 1,
        place=names("place")[told["place"]], light=names("light")[told["light"]],
        sun_deg=next(_SUN_DEG * side for side, phrase in SIDES.items() if phrase == told["side"]),
        viewpoint=Viewpoint(camera=told["camera"], azimuth_deg=0.0, elevation_deg=0.0, fov_deg=40.0),
        shot_type=told["shot"], detail_seed=0,
    )  # fmt: skip


def _thing(told: Mapping[str, str], number: str) -> Thing:
    return Thing(
        name=f"thing{number}", shape=names("shape")[told[f"who{number}"]], colour=told[f"colour{number}"],
        material=names("material")[told[f"material{number}"]], scale=1.0, position=(0.0, 0.0, 0.0),
    )  # fmt: skip
