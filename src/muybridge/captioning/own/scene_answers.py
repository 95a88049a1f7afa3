"""What there is to see in a scene of the worlds, as answers for the slots of our captioner."""

from collections.abc import Mapping
from types import MappingProxyType

from muybridge.captioning.own.slots import NOTHING, Seen, seen
from muybridge.worlds.backgrounds import BACKGROUNDS, Background
from muybridge.worlds.lights import LIGHTS as STAGED_LIGHTS
from muybridge.worlds.lights import Light as StagedLight
from muybridge.worlds.physics.looks import MATERIALS
from muybridge.worlds.physics.places import LIGHTS, PLACES, Light, Place
from muybridge.worlds.physics.scene import PhysicsScene, Thing
from muybridge.worlds.physics.shapes import SHAPES
from muybridge.worlds.prose import Cast
from muybridge.worlds.staging import Relation, StagedScene
from muybridge.worlds.styles import STYLES, Style
from muybridge.worlds.subjects import Subject

RIGHT, LEFT = "from left to right", "from right to left"
WAYS: Mapping[str, str] = MappingProxyType({"right": RIGHT, "left": LEFT})
MOTIONS: Mapping[str, str] = MappingProxyType(
    {
        "still": "still", "right": "moves across", "left": "moves across", "up": "upwards", "down": "downwards",
        "toward": "towards camera, closer", "away": "away from camera", "hop": "jumps up and down",
        "circle": "in a circle",
    }
)  # fmt: skip
EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "static": "motionless", "drop": "drops, falls and lands", "bounce": "bounces", "roll": "rolls",
        "slide": "slides", "topple": "topples over", "collide": "collides with", "swing": "swings from a beam",
        "orbit": "orbits around",
    }
)  # fmt: skip
SIDEWAYS = frozenset(("roll", "slide", "topple", "collide", "swing", "orbit"))  # events that have a direction
PAIRED = frozenset(("collide", "orbit"))  # events of two things
ROWS: Mapping[int, str] = MappingProxyType({3: "row of three", 4: "row of four", 5: "row of five"})
SIDES: Mapping[int, str] = MappingProxyType({0: NOTHING, 1: "from the right", -1: "from the left"})  # of the sun
PHYSICS_STYLE = "clean 3D computer graphics"
INVERSE: Mapping[Relation, Relation] = MappingProxyType({"left of": "right of", "in front of": "behind"})


def staged_answers(scene: StagedScene, cast: Cast, *, is_ordered: bool = False) -> Seen:
    """Of a staged scene. The first of two that rest is the left or the nearer one where `is_ordered`.

    The worlds draw at random who of the two comes first, which nobody could see.
    """
    actors, relations = scene.actors, scene.relations
    if is_ordered and len(actors) == 2 and actors[0].motion == "still" and relations[0] in INVERSE:
        actors, relations = actors[::-1], (INVERSE[relations[0]],)
    subjects = (subject_phrase(cast[actor.subject]) for actor in actors)
    return seen(
        {
            "motion": MOTIONS[actors[0].motion], "way": WAYS.get(actors[0].motion, NOTHING),
            "place": place_phrase(BACKGROUNDS[scene.background]), "light": light_phrase(STAGED_LIGHTS[scene.light]),
            "style": style_phrase(STYLES[scene.style]), "shot": scene.shot_type, "camera": scene.camera,
            **dict(zip(("who", "who2", "who3"), subjects, strict=False)),
            **dict(zip(("relation2", "relation3"), relations, strict=False)),
        }
    )  # fmt: skip


def physics_answers(scene: PhysicsScene) -> Seen:
    """Of a physics scene."""
    is_even = abs(scene.sun_deg) < 30 or scene.light == "overcast"  # as its captions have it
    others = _thing(scene.things[1], "2") if scene.event in PAIRED else {}
    return seen(
        {
            **_thing(scene.subject, ""), **others,
            "count": ROWS.get(len(scene.things), NOTHING) if scene.event == "topple" else NOTHING,
            "motion": EVENTS[scene.event],
            "way": (RIGHT if scene.direction > 0 else LEFT) if scene.event in SIDEWAYS else NOTHING,
            "place": place_phrase(PLACES[scene.place]), "light": light_phrase(LIGHTS[scene.light]),
            "side": SIDES[0 if is_even else 1 if scene.sun_deg > 0 else -1], "style": PHYSICS_STYLE,
            "shot": scene.shot_type, "camera": scene.camera,
        }
    )  # fmt: skip


def subject_phrase(subject: Subject) -> str:
    """The answer for a subject of the staged edition."""
    return f"{subject.colour} {subject.name} {subject.moves[0][0]}, {subject.rests[0][0]}"


def place_phrase(place: Background | Place) -> str:
    """The answer for a place of either world."""
    if isinstance(place, Place):
        return f"{place.setting}, {place.on[0]}"
    return f"{place.setting}, {place.within[0]}, {place.atmosphere}"


def light_phrase(light: StagedLight | Light) -> str:
    """The answer for a light of either world."""
    return f"{light.words[0] if isinstance(light, Light) else light.lighting}, {light.mood}"


def style_phrase(style: Style) -> str:
    """The answer for a style of the staged edition."""
    return f"{style.phrases[0]}, {style.atmosphere}"


def _thing(thing: Thing, number: str) -> dict[str, str]:
    answers = {
        "who": SHAPES[thing.shape].names[0],
        "colour": thing.colour,
        "material": MATERIALS[thing.material].words[0],
    }
    return {f"{name}{number}": answer for name, answer in answers.items()}
