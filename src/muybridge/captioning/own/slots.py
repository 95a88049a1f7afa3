"""What our captioner sees of a clip: some questions, each answered by one of the phrases that training knew."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from muybridge.captioning.scores import SMALL_WORDS
from muybridge.core.errors import invalid

SLOTS: tuple[str, ...] = (
    "who", "colour", "material", "count", "motion", "way", "who2", "colour2", "material2", "relation2", "who3",
    "relation3", "place", "light", "side", "style", "shot", "camera",
)  # fmt: skip
NOTHING = ""  # the answer where there is nothing of the kind

Phrases = tuple[tuple[str, ...], ...]  # of each slot


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """The answers of a scene, in the order of `SLOTS`."""

    answers: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.answers) != len(SLOTS):
            raise invalid(f"{len(self.answers)} answers", f"there are {len(SLOTS)} slots", "answer each")


def seen(answers: Mapping[str, str]) -> Seen:
    """Answers by the names of slots; those that are left out are nothing. Raises InvalidInput on other names."""
    if strange := sorted(set(answers) - set(SLOTS)):
        raise invalid(f"slot {strange[0]!r}", "there is no such one", f"choose from {', '.join(SLOTS)}")
    return Seen(answers=tuple(answers.get(name, NOTHING) for name in SLOTS))


def phrases_of(scenes: Sequence[Seen]) -> Phrases:
    """Every answer that occurs, slot by slot in alphabetical order."""
    return tuple(tuple(sorted(set(answers))) for answers in zip(*(scene.answers for scene in scenes), strict=True))


def numbers(scene: Seen, phrases: Phrases) -> list[int]:
    """The place of each answer among the phrases. Raises InvalidInput on one that is not among them."""
    for name, answer, known in zip(SLOTS, scene.answers, phrases, strict=True):
        if answer not in known:
            raise invalid(f"{name}={answer!r}", "training knew no such answer", "train on scenes that have it")
    return [known.index(answer) for answer, known in zip(scene.answers, phrases, strict=True)]


def plain_words(phrase: str) -> str:
    """The phrase without small words and signs: what the writer is shown of it."""
    return " ".join(word for word in re.findall(r"[\w-]+", phrase) if word.lower() not in SMALL_WORDS)
