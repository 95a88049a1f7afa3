"""Exact captions in varied prose: what a scene shows, said in many ways, and the paper's structured form of it."""

import random

from muybridge.core.seeding import mix
from muybridge.worlds.backgrounds import BACKGROUNDS, Background
from muybridge.worlds.movements import pick
from muybridge.worlds.scene import Scene
from muybridge.worlds.structured import StructuredCaption, with_article
from muybridge.worlds.subjects import Subject, Verb

STYLE = "glossy 3D cartoon animation"


_CAMERA_WORDS: dict[str, tuple[str, ...]] = {
    "static": ("The camera is still.", "Static camera.", "Fixed shot.", "The camera does not move."),
    "pan left": ("The camera pans left.", "The camera pans to the left.", "Pan left."),
    "pan right": ("The camera pans right.", "The camera pans to the right.", "Pan right."),
    "tilt up": ("The camera tilts up.", "The camera tilts upwards.", "Tilt up."),
    "tilt down": ("The camera tilts down.", "The camera tilts downwards.", "Tilt down."),
    "zoom in": ("The camera zooms in.", "The camera slowly zooms in.", "Zoom in."),
    "zoom out": ("The camera zooms out.", "The camera slowly zooms out.", "Zoom out."),
    "follow": ("The camera follows it.", "The camera moves along with it.", "Tracking shot."),
    "handheld": ("Handheld camera.", "The camera shakes slightly.", "Shaky handheld shot."),
}

_DIRECTED: dict[str, tuple[str, ...]] = {
    "right": ("{move} to the right", "{move} from left to right", "{move} right", "{go} to the right"),
    "left": ("{move} to the left", "{move} from right to left", "{move} left", "{go} to the left"),
    "up": ("{move} up", "{move} upwards", "{rise}"),
    "down": ("{move} down", "{move} downwards", "{sink}"),
    "toward": ("{move} towards the camera", "{move} closer", "{come} closer"),
    "away": ("{move} away from the camera", "{move} away", "{go} away into the distance"),
    "hop": ("{jump} up and down", "{bounce} up and down", "{jump}"),
    "circle": ("{move} in a circle", "{move} in circles", "{circle}"),
}
_VERBS: dict[str, Verb] = {
    "go": ("moves", "moving"), "rise": ("rises", "rising"), "sink": ("comes down", "coming down"),
    "come": ("comes", "coming"), "jump": ("jumps", "jumping"), "bounce": ("bounces", "bouncing"),
    "circle": ("circles around", "circling around"),
}  # fmt: skip


def action(motion: str, subject: Subject, rng: random.Random, *, form: int) -> str:
    """The verb phrase in the third person (form 0) or as a participle (form 1)."""
    if motion == "still":
        return pick(rng, subject.rests)[form]
    template = pick(rng, _DIRECTED[motion])
    words = {name: verb[form] for name, verb in _VERBS.items()}
    return template.format(move=pick(rng, subject.moves)[form], **words)


def noun_phrase(subject: Subject, rng: random.Random, *, is_plain: bool = False) -> str:
    """The subject with its article: mostly with its colour, sometimes by another name."""
    name = pick(rng, (subject.name, *subject.also)) if rng.random() < 0.35 else subject.name
    return with_article(name if is_plain or rng.random() < 0.35 else f"{subject.colour} {name}")


def whereabouts(background: Background, motion: str, subject: Subject, rng: random.Random) -> str:
    """Where the subject is, or goes: in a meadow, across the sea."""
    is_out_of_water = subject.realm == "water" and background.is_place and "water" not in background.likes
    if subject.realm == "air" or is_out_of_water:
        return pick(rng, background.over)
    return pick(rng, background.across if motion in ("left", "right") else background.within)


def _facing(scene: Scene) -> str:
    return f"facing {scene.facing}"


def _sentence(scene: Scene, subject: Subject, rng: random.Random, *, is_image: bool) -> str:
    who, where = noun_phrase(subject, rng), whereabouts(BACKGROUNDS[scene.background], scene.motion, subject, rng)
    says_facing = scene.facing != "front" and scene.motion not in ("left", "right") and rng.random() < 0.5
    aside = f" {_facing(scene)}" if says_facing else ""
    if is_image or (scene.motion == "still" and rng.random() < 0.25):
        text = f"{who}{aside} {where}"
    else:
        style = rng.random()
        doing = action(scene.motion, subject, rng, form=0 if style < 0.7 else 1)
        if style < 0.5:
            text = f"{who}{aside} {doing} {where}"
        elif style < 0.7:
            text = f"{where}, {who}{aside} {doing}"
        else:
            text = f"{who}{aside} {doing} {where}"
    opening = text[0] if rng.random() < 0.15 else text[0].upper()  # people also type without capitals and full stops
    return opening + text[1:] + ("." if rng.random() < 0.8 else "")


def short_caption(scene: Scene, subject: Subject, *, variant: int = 0, is_image: bool = False) -> str:
    """One caption of at most about 25 words; `variant` chooses the wording. A moving camera is always named."""
    rng = random.Random(mix(scene.detail_seed, "short", variant))
    text = _sentence(scene, subject, rng, is_image=is_image)
    if is_image or (scene.camera == "static" and rng.random() < 0.5):
        return text
    camera = pick(rng, _CAMERA_WORDS[scene.camera])
    if rng.random() < 0.15:
        return f"{camera} {text[0].upper()}{text[1:]}"
    return f"{text.rstrip('.')}. {camera}"


def long_caption(scene: Scene, subject: Subject, *, variant: int = 0) -> str:
    """A dense caption: subject, action, setting, size, light, mood, style and camera."""
    rng = random.Random(mix(scene.detail_seed, "long", variant))
    background = BACKGROUNDS[scene.background]
    first = _sentence(scene, subject, rng, is_image=False).rstrip(".") + "."
    first = first[0].upper() + first[1:]
    scale = "fills much of the frame" if scene.size > 0.65 else "is of medium size in the frame"
    facts = [
        f"The {subject.name} {scale}.",
        f"The scene is {background.setting}.",
        f"{background.lighting.capitalize()}, the mood is {background.atmosphere}.",
        f"{STYLE[0].upper()}{STYLE[1:]}.",
    ]
    rng.shuffle(facts)
    return " ".join([first, *facts, pick(rng, _CAMERA_WORDS[scene.camera])])


def structured(scene: Scene, subject: Subject) -> StructuredCaption:
    """Every field of the structured caption for a scene."""
    background = BACKGROUNDS[scene.background]
    return StructuredCaption(
        short=short_caption(scene, subject), dense=long_caption(scene, subject), background=background.setting,
        style=STYLE, shot_type="close shot" if scene.size > 0.7 else "medium shot", lighting=background.lighting,
        atmosphere=background.atmosphere, camera=scene.camera,
    )  # fmt: skip
