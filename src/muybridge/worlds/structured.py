"""The paper's structured caption (arXiv 2412.03603 3.2) and the prose that it is turned into for training."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from muybridge.core.errors import invalid
from muybridge.worlds.movements import MOVEMENTS, movement_sentence, pick

RENDERED, CLEAN = "rendered animation", "high quality"
UNKNOWN = "unknown"  # a camera, source or quality that nobody could tell


@dataclass(frozen=True, kw_only=True, slots=True)
class StructuredCaption:
    """The fields of the paper's caption.

    `short` and `dense` are prose: what happens, the dense one with positions, transitions and the camera's movement but
    without style, light and mood. `camera` is a class name; the others are phrases that need no capital, empty where
    nothing is known. `source` and `quality` are the paper's tags. The worlds' captions are whole and exact.
    """

    short: str
    dense: str
    background: str
    style: str
    shot_type: str
    lighting: str
    atmosphere: str
    camera: str
    source: str = RENDERED
    quality: str = CLEAN


_PHRASINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "background": ("The background is {}.", "The scene is {}.", "Behind everything lies {}.", "Setting: {}."),
        "style": ("The style is {}.", "Made in the style of {}.", "Style: {}.", "It looks like {}."),
        "shot_type": ("Framed as {a}.", "{A}.", "This is {a}.", "Shot type: {}."),
        "lighting": ("The lighting is {}.", "Lit by {}.", "{C}.", "Lighting: {}."),
        "atmosphere": ("The mood is {}.", "The atmosphere is {}.", "It feels {}.", "Atmosphere: {}."),
    }
)
TAILED = 0.3  # share of composed captions that end as a list: style, lighting, atmosphere


def compose(caption: StructuredCaption, rng: random.Random, *, dropout: float = 0.3, is_permuted: bool = True) -> str:
    """One training caption from the fields: what happens first, then the other fields as sentences.

    It opens with the dense description, or with the short one with probability `dropout`; each further field is left
    out with that probability, or when it is empty or the opening says it already; their order changes when
    `is_permuted`. A camera that is known to move is always named.
    """
    if not 0 <= dropout <= 1:
        raise invalid(f"dropout={dropout}", "a probability lies in [0, 1]", "use 0.3")
    opening = _closed(caption.short if rng.random() < dropout else caption.dense)
    kept = {name for name in _PHRASINGS if rng.random() >= dropout and not _says(opening, getattr(caption, name))}
    tail = [getattr(caption, name) for name in ("style", "lighting", "atmosphere") if name in kept]
    is_tailed = is_permuted and rng.random() < TAILED and len(tail) > 1
    if is_tailed:
        kept -= {"style", "lighting", "atmosphere"}
    said = [_sentence(name, getattr(caption, name), rng) for name in _PHRASINGS if name in kept]
    is_dropped = caption.camera == UNKNOWN or (caption.camera == "static" and rng.random() < dropout)
    if not is_dropped and not _names_camera(opening, caption.camera):
        said.append(camera_sentence(caption.camera, rng))
    if is_permuted:
        rng.shuffle(said)
    if is_tailed:
        said.append(_closed(_capital(", ".join(tail))))
    return " ".join([opening, *said])


def camera_sentence(camera: str, rng: random.Random) -> str:
    """The movement named in a sentence; cameras outside the paper's fourteen are named as they are."""
    return movement_sentence(camera, rng) if camera in MOVEMENTS else f"Camera: {camera}."


_COLOURS = "red|reddish|orange|yellow|golden|green|blue|purple|pink|brown|ginger|tan|white|black|grey|silver|warm|cool"
_COLOURED = re.compile(rf"\b(?:(an?) )?(?:(?:{_COLOURS})(?:-headed)?(?: and | ))+(\w+)", re.IGNORECASE)


def without_colours(text: str) -> str:
    """The text as it fits a picture without colours: an orange bus becomes a bus."""

    def renamed(found: re.Match[str]) -> str:
        if found[1] is None:
            return _capital(found[2]) if found[0][0].isupper() else found[2]
        said = with_article(found[2])
        return _capital(said) if found[1][0].isupper() else said

    return _COLOURED.sub(renamed, text)


def with_article(phrase: str) -> str:
    """The phrase with "a" or "an" by its sound: an orange bus, a UFO."""
    first = phrase.split()[0]
    is_vowel = first[0].lower() in "aeiou" and first.lower() not in ("ufo", "unicorn")
    return f"{'an' if is_vowel else 'a'} {phrase}"


def _says(opening: str, phrase: str) -> bool:
    return phrase.lower() in opening.lower()


def _names_camera(opening: str, camera: str) -> bool:
    """Whether the opening names the movement."""
    words = ("camera", "static") if camera == "static" else (camera.split()[0],)
    return any(word in opening.lower() for word in words)


def _sentence(name: str, phrase: str, rng: random.Random) -> str:
    article = with_article(phrase)
    return pick(rng, _PHRASINGS[name]).format(phrase, a=article, A=_capital(article), C=_capital(phrase))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _closed(text: str) -> str:
    """The text as sentences: a capital first, a full stop last."""
    return _capital(text).rstrip(".") + "."
