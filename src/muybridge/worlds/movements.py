"""The paper's fourteen camera movements (arXiv 2412.03603 3.2), and what captions call them.

Here a pan moves the camera sideways or up and down without turning it, so near things pass far ones; a tilt turns it on
the spot, so everything moves alike and upright lines lean; around is both at once, about the subject. The paper names
the classes and does not define them: this reading makes all fourteen tell apart.
"""

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

T = TypeVar("T")

MOVEMENTS: tuple[str, ...] = (
    "zoom in", "zoom out", "pan up", "pan down", "pan left", "pan right", "tilt up", "tilt down", "tilt left",
    "tilt right", "around left", "around right", "static", "handheld",
)  # fmt: skip


def pick(rng: random.Random, choices: Sequence[T]) -> T:
    """One of the choices, each as likely; takes one number from `rng`."""
    return choices[int(rng.random() * len(choices))]


def movement_sentence(movement: str, rng: random.Random) -> str:
    """A sentence that names a camera movement, one of the fourteen."""
    return pick(rng, _SENTENCES[movement])


def plain_sentence(movement: str) -> str:
    """The plainest of the sentences that name a camera movement, one of the fourteen."""
    return _SENTENCES[movement][0]


def _zooming(way: str) -> tuple[str, ...]:
    change = "grows" if way == "in" else "shrinks"
    return (
        f"The camera zooms {way}.", f"The camera slowly zooms {way}.", f"Zoom {way}.",
        f"The lens zooms {way} and everything {change}.",
    )  # fmt: skip


def _panning(way: str) -> tuple[str, ...]:
    to = "the " + way if way in ("left", "right") else way + "wards"
    slides = f"slides to {to}" if way in ("left", "right") else f"{'rises' if way == 'up' else 'sinks'} straight {way}"
    return (
        f"The camera pans {way}.", f"The camera pans smoothly {way}.", f"Pan {way}.",
        f"The camera pans {way}: it {slides} without turning.",
    )  # fmt: skip


def _tilting(way: str) -> tuple[str, ...]:
    return (
        f"The camera tilts {way}.", f"The camera slowly tilts {way}.", f"Tilt {way}.",
        f"The camera tilts {way}, turning on the spot.",
    )  # fmt: skip


def _circling(way: str) -> tuple[str, ...]:
    return (
        f"The camera moves around to the {way}.", f"The camera circles around the scene to the {way}.",
        f"Around {way}.", f"The camera orbits around to the {way}.",
    )  # fmt: skip


_SENTENCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {f"zoom {way}": _zooming(way) for way in ("in", "out")}
    | {f"pan {way}": _panning(way) for way in ("up", "down", "left", "right")}
    | {f"tilt {way}": _tilting(way) for way in ("up", "down", "left", "right")}
    | {f"around {way}": _circling(way) for way in ("left", "right")}
    | {
        "static": ("The camera is still.", "Static shot.", "The camera does not move.", "Filmed from a fixed camera."),
        "handheld": ("Handheld camera.", "The handheld camera shakes slightly.", "Shaky handheld shot."),
    }
)
