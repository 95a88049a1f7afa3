"""What there is to see in a clip that is shown in a mirror, so that each clip teaches twice."""

import re

from muybridge.captioning.own.slots import SLOTS, Seen

UNSURE = "?"  # what the mirror does not tell; no answer, and nothing is learned from it
_SIDED = ("way", "relation2", "relation3", "light", "side", "camera")
_DUO = ("left of", "right of")


def mirrored(seen: Seen) -> Seen:
    """The answers with left and right exchanged, in the order that `scene_answers.staged_answers` gives them."""
    found = dict(zip(SLOTS, seen.answers, strict=True))
    found |= {name: _turned(found[name]) for name in _SIDED}
    if (found["relation2"], found["relation3"]) == ("right of", "left of"):  # a trio: the left one is told first
        _exchange(found, "who2", "who3")
        _exchange(found, "relation2", "relation3")
    elif found["relation2"] in _DUO and not found["who3"]:
        _reorder(found)
    return Seen(answers=tuple(found.values()))


def _reorder(found: dict[str, str]) -> None:
    """Of two that rest the left one comes first; who is said to jump may be either of them."""
    if found["motion"] == "still":
        _exchange(found, "who", "who2")
        found |= {"motion": UNSURE, "relation2": _turned(found["relation2"])}
    else:
        found |= dict.fromkeys(("who", "who2", "motion", "relation2"), UNSURE)


def _exchange(found: dict[str, str], first: str, second: str) -> None:
    found[first], found[second] = found[second], found[first]


def _turned(text: str) -> str:
    return re.sub(r"\b(left|right)\b", lambda side: "right" if side[0] == "left" else "left", text)
