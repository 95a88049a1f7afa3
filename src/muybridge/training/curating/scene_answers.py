"""What there is to see in a scene of the worlds, as answers for the slots of our captioner."""

from collections.abc import Mapping
from types import MappingProxyType

from muybridge.captioning.own.slots import NOTHING, Seen, seen
from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.lights import LIGHTS as STAGED_LIGHTS
from muybridge.worlds.physics.looks import MATERIALS
from muybridge.worlds.physics.places import INDOORS, OUTDOORS, PLACES
from muybridge.worlds.physics.scene import PhysicsScene, Thing
from muybridge.worlds.physics.shapes import SHAPES
from muybridge.worlds.prose import Cast
from muybridge.worlds.staging import Actor, Relation, StagedScene
from muybridge.worlds.styles import STYLES
from muybridge.worlds.subjects import Subject

_RIGHT, _LEFT = "from left to right", "from right to left"
_WAYS: Mapping[str, str] = MappingProxyType({"right": _RIGHT, "left": _LEFT})
_MOTIONS: Mapping[str, str] = MappingProxyType(
    {
        "still": "still", "right": "moves across", "left": "moves across", "up": "upwards", "down": "downwards",
        "toward": "towards camera, closer", "away": "away from camera", "hop": "jumps up and down",
        "circle": "in a circle",
    }
)  # fmt: skip
_EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "static": "motionless", "drop": "drops, falls and lands", "bounce": "bounces", "roll": "rolls",
        "slide": "slides", "topple": "topples over", "collide": "collides with", "swing": "swings from a beam",
        "orbit": "orbits around",
    }
)  # fmt: skip
_SIDEWAYS = frozenset(("roll", "slide", "topple", "collide", "swing", "orbit"))  # events that have a direction
_PAIRED = frozenset(("collide", "orbit"))  # events of two things
_ROWS: Mapping[int, str] = MappingProxyType({3: "row of three", 4: "row of four", 5: "row of five"})
_PHYSICS_LIGHTS = MappingProxyType({**OUTDOORS, **INDOORS})
_PHYSICS_STYLE = "clean 3D computer graphics"
_INVERSE: Mapping[Relation, Relation] = MappingProxyType({"left of": "right of", "in front of": "behind"})


def staged_answers(scene: StagedScene, cast: Cast, *, is_ordered: bool = False) -> Seen:
    """Of a staged scene. The first of two that rest is the left or the nearer one where `is_ordered`.

    The worlds draw at random who of the two comes first, which nobody could see.
    """
    actors, relations = scene.actors, scene.relations
    if is_ordered and len(actors) == 2 and actors[0].motion == "still" and relations[0] in _INVERSE:
        actors, relations = actors[::-1], (_INVERSE[relations[0]],)
    background, light, style = BACKGROUNDS[scene.background], STAGED_LIGHTS[scene.light], STYLES[scene.style]
    return seen(
        {
            "motion": _MOTIONS[actors[0].motion], "way": _WAYS.get(actors[0].motion, NOTHING),
            "place": f"{background.setting}, {background.within[0]}, {background.atmosphere}",
            "light": f"{light.lighting}, {light.mood}", "style": f"{style.phrases[0]}, {style.atmosphere}",
            "shot": scene.shot_type, "camera": scene.camera,
            **dict(zip(("who", "who2", "who3"), (_subject(cast, actor) for actor in actors), strict=False)),
            **dict(zip(("relation2", "relation3"), relations, strict=False)),
        }
    )  # fmt: skip


def physics_answers(scene: PhysicsScene) -> Seen:
    """Of a physics scene."""
    place, light = PLACES[scene.place], _PHYSICS_LIGHTS[scene.light]
    is_even = abs(scene.sun_deg) < 30 or scene.light == "overcast"  # as its captions have it
    others = _thing(scene.things[1], "2") if scene.event in _PAIRED else {}
    return seen(
        {
            **_thing(scene.subject, ""), **others,
            "count": _ROWS.get(len(scene.things), NOTHING) if scene.event == "topple" else NOTHING,
            "motion": _EVENTS[scene.event],
            "way": (_RIGHT if scene.direction > 0 else _LEFT) if scene.event in _SIDEWAYS else NOTHING,
            "place": f"{place.setting}, {place.on[0]}", "light": f"{light.words[0]}, {light.mood}",
            "side": NOTHING if is_even else "from the right" if scene.sun_deg > 0 else "from the left",
            "style": _PHYSICS_STYLE, "shot": scene.shot_type, "camera": scene.camera,
        }
    )  # fmt: skip


def _subject(cast: Cast, actor: Actor) -> str:
    subject: Subject = cast[actor.subject]
    return f"{subject.colour} {subject.name} {subject.moves[0][0]}, {subject.rests[0][0]}"


def _thing(thing: Thing, number: str) -> dict[str, str]:
    answers = {
        "who": SHAPES[thing.shape].names[0],
        "colour": thing.colour,
        "material": MATERIALS[thing.material].words[0],
    }
    return {f"{name}{number}": answer for name, answer in answers.items()}
