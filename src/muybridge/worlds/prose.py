"""Captions of the staged edition: who does what where, how they stand to each other, style, light and camera."""

import random
from collections.abc import Mapping
from types import MappingProxyType

from muybridge.core.seeding import mix
from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.captions import action, noun_phrase, whereabouts
from muybridge.worlds.lights import LIGHTS
from muybridge.worlds.movements import movement_sentence, pick
from muybridge.worlds.staging import Actor, Relation, StagedScene
from muybridge.worlds.structured import StructuredCaption, compose, without_colours
from muybridge.worlds.styles import PLAIN_STYLE, STYLES
from muybridge.worlds.subjects import Subject

Cast = Mapping[str, Subject]
_SAID: Mapping[Relation, tuple[str, ...]] = MappingProxyType(
    {
        "left of": ("to the left of", "on the left of", "beside, to the left of,"),
        "right of": ("to the right of", "on the right of", "beside, to the right of,"),
        "behind": ("behind", "in the background behind", "farther away behind"),
        "in front of": ("in front of", "in the foreground, in front of", "closer to the camera, in front of"),
    }
)
_INVERSE: Mapping[Relation, Relation] = MappingProxyType(
    {"left of": "right of", "right of": "left of", "behind": "in front of", "in front of": "behind"}
)
_COURSE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "right": ("It enters at the left edge of the frame and ends at the right edge.",
                  "First it is on the left of the picture, at the end on the right."),
        "left": ("It enters at the right edge of the frame and ends at the left edge.",
                 "First it is on the right of the picture, at the end on the left."),
        "up": ("It starts low in the picture and ends near the top.", "It climbs from the bottom to the top."),
        "down": ("It starts near the top of the picture and ends low.", "It comes from the top to the bottom."),
        "toward": ("It is small and far away at first and large at the end.", "It grows as it comes nearer."),
        "away": ("It is large at first and small and far away at the end.", "It shrinks as it goes."),
        "hop": ("It leaves the ground twice.", "Each time it lands where it started."),
        "circle": ("It returns to where it began.", "At the end it is back where it started."),
        "still": ("It stays where it is.", "It does not leave its place."),
    }
)  # fmt: skip
_NAMES_LIGHT = 0.35  # share of short captions that mention the light


def short_staged(scene: StagedScene, cast: Cast, *, variant: int = 0, is_image: bool = False) -> str:
    """One short caption in a wording of its own: a style other than the plain one and a moving camera are named."""
    rng = random.Random(mix(scene.detail_seed, "staged short", variant))
    sentences = [_coloured(scene, _main_sentence(scene, cast, rng, is_image=is_image))]
    if scene.style != PLAIN_STYLE or rng.random() < 0.3:
        style = pick(rng, STYLES[scene.style].phrases)
        if rng.random() < 0.5:
            is_of = _begins_with_article(style) and _begins_with_article(sentences[0])
            sentences[0] = f"{style} of {sentences[0]}" if is_of else f"{sentences[0]}, {style}"
        else:
            sentences.append(style)
    if rng.random() < _NAMES_LIGHT:
        sentences.append(_coloured(scene, LIGHTS[scene.light].lighting))
    if not is_image and (scene.camera != "static" or rng.random() < 0.4):
        sentences.append(movement_sentence(scene.camera, rng))
    return " ".join(f"{_capital(sentence).rstrip('.')}." for sentence in sentences)


def dense_staged(scene: StagedScene, cast: Cast, *, variant: int = 0) -> str:
    """What happens, in several sentences: everyone, where they stand, how the main one's movement runs, the camera."""
    rng = random.Random(mix(scene.detail_seed, "staged dense", variant))
    main = scene.actors[0]
    name = cast[main.subject].name
    first = _alone(main, scene, cast, rng)
    sentences = [f"{_capital(first)}.", pick(rng, _COURSE[main.motion])]
    for other, relation in zip(scene.actors[1:], scene.relations, strict=True):
        subject = cast[other.subject]
        doing = action(other.motion, subject, rng, form=0)
        who = noun_phrase(subject, rng)
        sentences.append(f"{_capital(who)} {doing} {pick(rng, _SAID[relation])} the {name}.")
    sentences.append(_extent(main, name, rng))
    sentences.append(movement_sentence(scene.camera, rng))
    return _coloured(scene, " ".join(sentences))


def structured_staged(scene: StagedScene, cast: Cast, *, variant: int = 0, is_image: bool = False) -> StructuredCaption:
    """Every field of the paper's caption."""
    rng = random.Random(mix(scene.detail_seed, "staged fields", variant))
    background, light, style = BACKGROUNDS[scene.background], LIGHTS[scene.light], STYLES[scene.style]
    moods = [light.mood or background.atmosphere, *([] if scene.style == PLAIN_STYLE else [style.atmosphere])]
    return StructuredCaption(
        short=short_staged(scene, cast, variant=variant, is_image=is_image),
        dense=dense_staged(scene, cast, variant=variant), background=_coloured(scene, background.setting),
        style=style.phrases[0] if variant == 0 else pick(rng, style.phrases), shot_type=scene.shot_type,
        lighting=_coloured(scene, light.lighting), atmosphere=", ".join(moods), camera=scene.camera,
    )  # fmt: skip


def staged_caption(scene: StagedScene, cast: Cast, *, variant: int, is_image: bool = False) -> str:
    """A training caption: short ones (even variants) in turn with ones composed of the fields (odd variants)."""
    if variant % 2 == 0 or is_image:
        return short_staged(scene, cast, variant=variant, is_image=is_image)
    rng = random.Random(mix(scene.detail_seed, "staged composed", variant))
    return compose(structured_staged(scene, cast, variant=variant), rng)


def _coloured(scene: StagedScene, text: str) -> str:
    """The text, without colours where the style shows none."""
    return text if STYLES[scene.style].has_colours else without_colours(text)


def _main_sentence(scene: StagedScene, cast: Cast, rng: random.Random, *, is_image: bool) -> str:
    """Everyone in one sentence, without a full stop."""
    main, others = scene.actors[0], scene.actors[1:]
    if not others:
        return _alone(main, scene, cast, rng, is_image=is_image)
    where = whereabouts(BACKGROUNDS[scene.background], main.motion, cast[main.subject], rng)
    who, second = (noun_phrase(cast[actor.subject], rng) for actor in (main, others[0]))
    relation = scene.relations[0]
    style = rng.random()
    if style < 0.55:
        doing = "" if is_image else f"{action(main.motion, cast[main.subject], rng, form=0)} "
        text = f"{who} {doing}{pick(rng, _SAID[_INVERSE[relation]])} {second} {where}"
    elif style < 0.8 or relation in ("behind", "in front of"):
        resting = "" if is_image else f"{action(others[0].motion, cast[others[0].subject], rng, form=0)} "
        doing = "" if is_image else f" {action(main.motion, cast[main.subject], rng, form=1)}"
        text = f"{second} {resting}{pick(rng, _SAID[relation])} {who}{doing} {where}"
    else:
        side = "left" if relation == "right of" else "right"
        text = f"{who} and {second} side by side {where}, {_the(who)} on the {side}"
    if len(others) > 1:
        third, place = noun_phrase(cast[others[1].subject], rng), pick(rng, _SAID[scene.relations[1]])
        text = f"{text}, with {third} {place} {_the(who)}"
    return text


def _alone(actor: Actor, scene: StagedScene, cast: Cast, rng: random.Random, *, is_image: bool = False) -> str:
    subject = cast[actor.subject]
    who, where = noun_phrase(subject, rng), whereabouts(BACKGROUNDS[scene.background], actor.motion, subject, rng)
    says_facing = actor.facing != "front" and actor.motion not in ("left", "right") and rng.random() < 0.4
    aside = f" facing {actor.facing}" if says_facing else ""
    if is_image:
        return f"{who}{aside} {where}"
    doing = action(actor.motion, subject, rng, form=0 if rng.random() < 0.75 else 1)
    return f"{where}, {who}{aside} {doing}" if rng.random() < 0.2 else f"{who}{aside} {doing} {where}"


def _extent(main: Actor, name: str, rng: random.Random) -> str:
    size = main.screen_size
    if size > 0.72:
        said = ("fills most of the frame", "is seen from close by")
    elif size > 0.4:
        said = ("takes about half of the frame's height", "is of medium size in the picture")
    else:
        said = ("is small in the frame, with much room around", "is seen from a distance")
    return f"The {name} {pick(rng, said)}."


def _the(who: str) -> str:
    """A noun phrase again, now known: the brown horse."""
    return f"the {who.split(' ', 1)[1]}"


def _begins_with_article(phrase: str) -> bool:
    return phrase.startswith(("a ", "an "))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
