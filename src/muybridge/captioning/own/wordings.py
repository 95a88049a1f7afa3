"""How the worlds would tell what was seen: the most usual of their wordings, from which the writer chooses."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from muybridge.captioning.own.answered_scenes import answered_scene
from muybridge.captioning.own.reading import WHO, Reading
from muybridge.captioning.schema import FIELDS
from muybridge.captioning.scores import words
from muybridge.worlds.physics.captions import structured_caption
from muybridge.worlds.physics.shapes import SHAPES
from muybridge.worlds.prose import Cast, structured_staged
from muybridge.worlds.staging import StagedScene
from muybridge.worlds.structured import StructuredCaption
from muybridge.worlds.subjects import SUBJECTS

NUM_WORDINGS = 32  # that are compared
_MOVES, _RESTS = (("moves", "moving"),), (("stays in place", "staying in place"),)  # of whom only the kind is known


def wordings(reading: Reading, *, count: int) -> Mapping[str, tuple[str, ...]]:
    """For each field of the caption the most usual ways to say it, different ones, the most usual first."""
    return usual([asdict(said) for said in told(reading)], count=count)


def told(reading: Reading) -> list[StructuredCaption]:
    """Captions of a scene with these answers; what is in doubt is called by its general word."""
    scene = answered_scene(reading.seen)
    if isinstance(scene, StagedScene):
        cast = _cast(scene, reading.doubtful)
        return [_spaced(structured_staged(scene, cast, variant=number)) for number in range(NUM_WORDINGS)]
    words = {
        name: reading.doubtful[slot]
        for slot, thing in zip(("who", "who2"), (scene.things[0], scene.things[-1]), strict=True)
        if slot in reading.doubtful for name in SHAPES[thing.shape].names
    }  # fmt: skip
    return [_renamed(structured_caption(scene, variant=number), words) for number in range(NUM_WORDINGS)]


def usual(said: Sequence[Mapping[str, str]], *, count: int) -> Mapping[str, tuple[str, ...]]:
    """Of several wordings of a scene, field by field, those that share most words with the others."""
    return {name: _usual([caption[name] for caption in said], count) for name in FIELDS}


def _usual(texts: Sequence[str], count: int) -> tuple[str, ...]:
    bags = {text: Counter(words(text)) for text in texts}
    shared = {text: sum(_f1(bag, bags[other]) for other in texts) for text, bag in bags.items()}
    return tuple(sorted(bags, key=lambda text: -shared[text])[:count])


def _f1(first: Counter[str], second: Counter[str]) -> float:
    return 2 * sum((first & second).values()) / max(1, first.total() + second.total())


def _cast(scene: StagedScene, doubtful: Mapping[str, str]) -> Cast:
    """Everyone by name, and in place of those in doubt somebody of whom only the kind is known."""
    cast = {subject.name: subject for subject in SUBJECTS}
    for slot, actor in zip(WHO, scene.actors, strict=False):
        if slot in doubtful:
            cast[actor.subject] = replace(
                cast[actor.subject], name=doubtful[slot], colour="", also=(), moves=_MOVES, rests=_RESTS
            )
    return cast


def _spaced(caption: StructuredCaption) -> StructuredCaption:
    """Without the gaps of colours that nobody knows."""
    return replace(caption, short=" ".join(caption.short.split()), dense=" ".join(caption.dense.split()))


def _renamed(caption: StructuredCaption, words: Mapping[str, str]) -> StructuredCaption:
    def renamed(text: str) -> str:
        for name in sorted(words, key=len, reverse=True):
            text = re.sub(rf"\b{name}(es)?\b", words[name], text)
        return text

    return replace(caption, short=renamed(caption.short), dense=renamed(caption.dense))
