"""Exact captions of physics scenes in varied prose, and the paper's structured form of them."""

import random
from types import MappingProxyType

from muybridge.core.seeding import mix
from muybridge.worlds.movements import movement_sentence, pick
from muybridge.worlds.physics.looks import MATERIALS, second_colour
from muybridge.worlds.physics.places import LIGHTS, PLACES
from muybridge.worlds.physics.scene import PhysicsScene, Thing
from muybridge.worlds.physics.shapes import SHAPES
from muybridge.worlds.structured import StructuredCaption, compose, with_article

STYLES = ("clean 3D computer graphics", "simple 3D computer animation", "a plain 3D rendering")
_COUNTS = MappingProxyType({3: "three", 4: "four", 5: "five"})

# What the subject does: third person, participle. {way} left or right, {other} the partner, {place} where.
_DOES: MappingProxyType[str, tuple[tuple[str, str], ...]] = MappingProxyType({
    "static": (
        ("stands still {place}", "standing still {place}"), ("rests {place}", "resting {place}"),
        ("is {place} and does not move", "motionless {place}"),
    ),
    "drop": (
        ("falls down and lands {place}", "falling down and landing {place}"),
        ("drops from above and lands {place}", "dropping from above and landing {place}"),
        ("is dropped and hits the floor {place}", "dropping to the floor {place}"),
    ),
    "bounce": (
        ("bounces {place}", "bouncing {place}"),
        ("falls and bounces back up {place}", "falling and bouncing back up {place}"),
        ("bounces off the floor {place}", "bouncing off the floor {place}"),
    ),
    "roll": (
        ("rolls to the {way} {place}", "rolling to the {way} {place}"),
        ("rolls from {from} to {way} {place}", "rolling from {from} to {way} {place}"),
        ("rolls {way} {place}", "rolling {way} {place}"),
    ),
    "slide": (
        ("slides to the {way} {place}", "sliding to the {way} {place}"),
        ("slides from {from} to {way} {place} and slows down", "sliding from {from} to {way} {place} and slowing down"),
        ("glides to the {way} {place} until it stops", "gliding to the {way} {place} until it stops"),
    ),
    "topple": (
        ("topples over to the {way} {place}", "toppling over to the {way} {place}"),
        ("tips over and falls to the {way} {place}", "tipping over and falling to the {way} {place}"),
        ("topples {place}", "toppling {place}"),
    ),
    "collide": (
        ("collides with {other} {place}", "colliding with {other} {place}"),
        ("crashes into {other} {place}", "crashing into {other} {place}"),
        ("hits {other} {place}", "hitting {other} {place}"),
        ("comes from the {from} and collides with {other} {place}",
         "coming from the {from} and colliding with {other} {place}"),
    ),
    "swing": (
        ("swings on a rod {place}", "swinging on a rod {place}"),
        ("swings from a beam like a pendulum {place}", "swinging from a beam like a pendulum {place}"),
        ("hangs from a beam and swings to the {way} {place}", "hanging from a beam and swinging to the {way} {place}"),
    ),
    "orbit": (
        ("orbits {other} {place}", "orbiting {other} {place}"),
        ("circles around {other} {place}", "circling around {other} {place}"),
        ("flies in an orbit around {other} {place}", "flying in an orbit around {other} {place}"),
    ),
})  # fmt: skip
_COURSE: MappingProxyType[str, tuple[str, ...]] = MappingProxyType({
    "static": ("Nothing happens to it.", "It keeps its place from the first moment to the last."),
    "drop": (
        "At first it is in the air; in the end it is on the floor.",
        "It falls faster and faster until it hits the floor.",
    ),
    "bounce": (
        "When it hits the floor it springs back into the air.", "It comes down, touches the floor and rises again.",
    ),
    "roll": (
        "It turns as it goes, at an even speed.", "It starts on the {from} and ends on the {way}, turning all the way.",
    ),
    "slide": (
        "Friction slows it down until it stops.", "It starts fast on the {from} and comes to a stop on the {way}.",
    ),
    "topple": (
        "At first it stands upright; in the end it lies on its side.",
        "It tilts slowly at first, then faster, and ends lying down.",
    ),
    "collide": ("After the impact both move differently.", "They meet, strike each other and part."),
    "swing": ("It starts on the {from}, sweeps through its lowest point and rises on the {way}.",),
    "orbit": ("In front of the big one it passes to the {way}, behind it to the {from}.",),
})  # fmt: skip
_SCENERY_LIFTED = frozenset(("swing", "orbit"))  # happens in the air


def describe(thing: Thing, rng: random.Random, *, is_full: bool = False) -> str:
    """A thing's colour, material and shape without an article: shiny red ball, blue and white striped cube."""
    words = MATERIALS[thing.material].words
    word = words[0] if is_full else pick(rng, words)
    shape = SHAPES[thing.shape].names
    name = shape[0] if is_full or rng.random() < 0.7 else pick(rng, shape)
    if MATERIALS[thing.material].pattern in ("", "brushed"):
        says_material = is_full or rng.random() < 0.6
        return " ".join(part for part in (word if says_material else "", thing.colour, name) if part)
    colours = thing.colour
    if is_full or rng.random() < 0.5:
        colours = f"{thing.colour} and {second_colour(thing.colour)}"
    return f"{colours} {word} {name}"


def short_caption(scene: PhysicsScene, *, variant: int = 0, is_image: bool = False) -> str:
    """One caption of at most about 30 words; `variant` chooses the wording. A moving camera is always named."""
    rng = random.Random(mix(scene.detail_seed, "physics short", variant))
    said = [_image_sentence(scene, rng) if is_image else _sentence(scene, rng)]
    if rng.random() < 0.3:
        said.append(_lighting(scene, rng))
    if not is_image and (scene.camera != "static" or rng.random() < 0.4):
        said.append(movement_sentence(scene.camera, rng))
    return _joined(said)


def dense_caption(scene: PhysicsScene, *, variant: int = 0) -> str:
    """What happens in several sentences: the looks of all things, the course of the event, the camera."""
    rng = random.Random(mix(scene.detail_seed, "physics dense", variant))
    said = [_sentence(scene, rng, is_full=True)]
    if len(scene.things) > 1 and scene.event in ("collide", "orbit"):
        said.append(f"The other one is {with_article(describe(scene.things[1], rng, is_full=True))}")
    course = (
        "One after another they fall"
        if scene.event == "topple" and len(scene.things) > 1
        else pick(rng, _COURSE[scene.event])
    )
    said += [course.format_map(_ways(scene)), movement_sentence(scene.camera, rng)]
    return _joined(said)


def structured_caption(scene: PhysicsScene, *, variant: int = 0, is_image: bool = False) -> StructuredCaption:
    """Every field of the paper's caption (arXiv 2412.03603 3.2); the short one leaves light and camera to theirs."""
    rng = random.Random(mix(scene.detail_seed, "physics fields", variant))
    short = _image_sentence(scene, rng) if is_image else _sentence(scene, rng)
    return StructuredCaption(
        short=_joined([short]), dense=dense_caption(scene, variant=variant),
        background=PLACES[scene.place].setting, style=STYLES[0] if variant == 0 else pick(rng, STYLES),
        shot_type=scene.shot_type, lighting=_lighting(scene, rng), atmosphere=LIGHTS[scene.light].mood,
        camera=scene.camera,
    )  # fmt: skip


def training_caption(scene: PhysicsScene, *, variant: int, is_image: bool = False) -> str:
    """Short captions (even variants) in turn with ones composed of the structured caption's fields (odd variants)."""
    if variant % 2 == 0 or is_image:
        return short_caption(scene, variant=variant, is_image=is_image)
    rng = random.Random(mix(scene.detail_seed, "physics composed", variant))
    return compose(structured_caption(scene, variant=variant), rng)


def _ways(scene: PhysicsScene) -> dict[str, str]:
    names = ("left", "right") if scene.direction > 0 else ("right", "left")
    return {"from": names[0], "way": names[1]}


def _who(scene: PhysicsScene, rng: random.Random, *, is_full: bool) -> str:
    plain = describe(scene.subject, rng, is_full=is_full)
    if scene.event == "topple" and len(scene.things) > 1:
        return f"a row of {_COUNTS[len(scene.things)]} {plain}es"
    return with_article(f"small {plain}" if scene.event == "orbit" and rng.random() < 0.4 else plain)


def _other(scene: PhysicsScene, rng: random.Random, *, is_full: bool) -> str:
    if scene.event not in ("collide", "orbit"):
        return ""
    plain = describe(scene.things[1], rng, is_full=is_full)
    return with_article(f"big {plain}" if scene.event == "orbit" else plain)


def _sentence(scene: PhysicsScene, rng: random.Random, *, is_full: bool = False) -> str:
    who, place = _who(scene, rng, is_full=is_full), _place(scene, rng)
    forms = pick(rng, _DOES[scene.event])
    style = rng.random()
    words = {"other": _other(scene, rng, is_full=is_full), **_ways(scene)}
    if style < 0.2:
        return f"{place}, {who} {forms[0].format(place='', **words).strip()}".replace("  ", " ")
    return f"{who} {forms[0 if style < 0.75 else 1].format(place=place, **words)}"


def _image_sentence(scene: PhysicsScene, rng: random.Random) -> str:
    """The things and the place, without any movement."""
    who, place = _who(scene, rng, is_full=False), _place(scene, rng)
    other = _other(scene, rng, is_full=False)
    return f"{who} and {other} {place}" if other else f"{who} {place}"


def _place(scene: PhysicsScene, rng: random.Random) -> str:
    place = PLACES[scene.place]
    return pick(rng, place.over if scene.event in _SCENERY_LIFTED else place.on)


def _lighting(scene: PhysicsScene, rng: random.Random) -> str:
    words = pick(rng, LIGHTS[scene.light].words)
    if abs(scene.sun_deg) < 30 or scene.light == "overcast" or "above" in words:
        return words
    return f"{words} from the {'right' if scene.sun_deg > 0 else 'left'}"


def _joined(sentences: list[str]) -> str:
    """The sentences with a capital first and a full stop last."""
    return " ".join(f"{text[:1].upper()}{text[1:]}".rstrip(".") + "." for text in sentences)
