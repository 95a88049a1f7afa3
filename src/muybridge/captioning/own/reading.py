"""The likeliest answers that go together: no network is asked what the worlds cannot show.

Each slot is answered for itself, so that their likeliest answers may contradict each other: the same animal twice, a
whale in the desert, rolling cubes. What is searched for is the scene of either world whose answers are likeliest
together; the worlds' own rules say which there are.
"""

import collections
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from jaxtyping import Float
from torch import Tensor

from muybridge.captioning.own.answered_scenes import SIZES, names
from muybridge.captioning.own.scene_answers import (
    EVENTS,
    MOTIONS,
    PAIRED,
    PHYSICS_STYLE,
    SIDEWAYS,
    WAYS,
    light_phrase,
    subject_phrase,
)  # fmt: skip
from muybridge.captioning.own.slots import NOTHING, SLOTS, Phrases, Seen, seen
from muybridge.core.errors import invalid
from muybridge.worlds.backgrounds import BACKGROUNDS, Background
from muybridge.worlds.lights import LIGHTS as STAGED_LIGHTS
from muybridge.worlds.lights import lights_of as staged_lights_of
from muybridge.worlds.physics.looks import COLOURS
from muybridge.worlds.physics.places import LIGHTS, PLACES, lights_of
from muybridge.worlds.physics.shapes import SHAPES
from muybridge.worlds.subjects import SUBJECTS, Subject

NUM_PLACES, NUM_SUBJECTS = 3, 8  # the likeliest, which are tried
SURE = 0.48  # share from where a subject is called by its name; chosen on held-out clips that no report scores
MOSTLY = 0.8  # share of the likely subjects that are of a kind, from where it is named
LEAST = 1e-9  # share: whose logarithm still is a number
OBJECT, ANIMAL, THING = "object", "animal", "thing"
KINDS: Mapping[str, str] = MappingProxyType({
    **dict.fromkeys(("car", "bus", "tractor", "fire engine", "taxi", "rocket", "helicopter"), "vehicle"),
    "flying saucer": "vehicle",
    **dict.fromkeys(("ghost", "snowman", "robot"), "figure"),
})  # fmt: skip
WHO = ("who", "who2", "who3")
_FLYING = frozenset(("up", "down", "circle"))  # motions of what flies

Logs = Mapping[str, Mapping[str, float]]  # of each slot the log share of each answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """Answers of some slots, and the sum of their log shares."""

    score: float = 0.0
    answers: Mapping[str, str] = field(default_factory=dict[str, str])

    def __add__(self, other: "Option") -> "Option":
        return Option(score=self.score + other.score, answers={**self.answers, **other.answers})


IMPOSSIBLE = Option(score=-math.inf)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The answers; of the slots whose subject is in doubt, a more general word for what is there."""

    seen: Seen
    doubtful: Mapping[str, str]


def likeliest(shares: Sequence[Float[Tensor, " p"]], phrases: Phrases, *, sure: float = SURE) -> Reading:
    """The answers of the scene that is likeliest by the shares of each slot's phrases.

    A subject is in doubt where its share among those of its world is less than `sure` in every slot where one is told:
    who of two comes first may be unsure where both are not. Raises InvalidInput where sight knows no whole scene.
    """
    logs = {
        slot: {phrase: math.log(max(share, LEAST)) for phrase, share in zip(known, each.tolist(), strict=True)}
        for slot, known, each in zip(SLOTS, phrases, shares, strict=True)
    }
    best = max((*_staged(logs), *_physical(logs)), key=lambda option: option.score, default=IMPOSSIBLE)
    if best.score == -math.inf:
        raise invalid("phrases of sight", "no scene of the worlds has such answers alone", "train it on more scenes")
    is_physical = best.answers["style"] == PHYSICS_STYLE
    told = [slot for slot in WHO if best.answers[slot]]
    among = {slot: _among(names("shape" if is_physical else "subject"), logs[slot]) for slot in told}
    doubtful = {
        slot: OBJECT if is_physical else _kind(among[slot])
        for slot in told if max(each.get(best.answers[slot], 0.0) for each in among.values()) < sure
    }  # fmt: skip
    return Reading(seen=seen(best.answers), doubtful=doubtful)


def _among(kin: Collection[str], logs: Mapping[str, float]) -> dict[str, float]:
    """The shares of some answers, together 1."""
    shares = {answer: math.exp(log) for answer, log in logs.items() if answer in kin}
    return {answer: share / sum(shares.values()) for answer, share in shares.items()}


def _kind(shares: Mapping[str, float]) -> str:
    """The word for what nearly all of the likely subjects are."""
    weights = collections.defaultdict[str, float](float)
    for phrase, share in shares.items():
        weights[KINDS.get(names("subject")[phrase], ANIMAL)] += share
    kind = max(weights, key=weights.__getitem__)
    return kind if weights[kind] >= MOSTLY else THING


def _staged(logs: Logs) -> Iterator[Option]:
    for place in _top("place", names("background"), logs, NUM_PLACES):
        background = BACKGROUNDS[names("background")[place.answers["place"]]]
        lights = [light_phrase(STAGED_LIGHTS[name]) for name in staged_lights_of(background)]
        scenery = _sum(
            place, _best("light", lights, logs), _best("style", names("style"), logs), _best("shot", SIZES, logs),
            _best("camera", logs["camera"], logs), *_nothing(("colour", "material", "count", "side", "colour2",
            "material2"), logs),
        )  # fmt: skip
        home = [subject_phrase(subject) for subject in SUBJECTS if _suits(subject, background)]
        for main in _top("who", home, logs, NUM_SUBJECTS):
            others = [phrase for phrase in home if phrase != main.answers["who"]]
            company = max(_company(others, logs), key=lambda option: option.score)
            yield _sum(scenery, main, _staged_motion(main.answers["who"], logs), company)


def _company(others: Sequence[str], logs: Logs) -> Iterator[Option]:
    """Nobody, one or two beside the main subject."""
    alone, beside = _sum(*_nothing(("who3", "relation3"), logs)), _best("relation2", _some("relation2", logs), logs)
    yield _sum(alone, *_nothing(("who2", "relation2"), logs))
    behind = _best("relation3", _some("relation3", logs), logs)
    for second in _top("who2", others, logs, NUM_SUBJECTS):
        yield _sum(alone, second, beside)
        third = _best("who3", [phrase for phrase in others if phrase != second.answers["who2"]], logs)
        yield _sum(second, beside, third, behind)


def _staged_motion(who: str, logs: Logs) -> Option:
    realm = next(subject.realm for subject in SUBJECTS if subject_phrase(subject) == who)
    fitting = [
        name for name in MOTIONS
        if (name not in _FLYING or realm == "air") and (name != "hop" or realm == "ground")
    ]  # fmt: skip
    return max(
        (_moving(MOTIONS[name], (WAYS.get(name, NOTHING),), logs) for name in fitting), key=lambda each: each.score
    )


def _physical(logs: Logs) -> Iterator[Option]:
    for place in _top("place", names("place"), logs, NUM_PLACES):
        lights = [light_phrase(LIGHTS[name]) for name in lights_of(names("place")[place.answers["place"]])]
        scenery = _sum(
            place, _best("light", lights, logs), _best("side", logs["side"], logs),
            _best("style", (PHYSICS_STYLE,), logs), _best("shot", logs["shot"].keys() - SIZES.keys() | {"wide shot",
            "medium shot"}, logs), _best("camera", logs["camera"], logs),
            *_nothing(("relation2", "who3", "relation3"), logs),
        )  # fmt: skip
        tones = PLACES[names("place")[place.answers["place"]]].tones
        for event in EVENTS:
            yield scenery + _event(event, [colour for colour in COLOURS if colour not in tones], logs)


def _event(event: str, colours: Sequence[str], logs: Logs) -> Option:
    shapes = [shape.names[0] for shape in SHAPES.values() if event in shape.events]
    others = _thing("2", names("shape"), colours, logs) if event in PAIRED else _sum(*_nothing(
        ("who2", "colour2", "material2"), logs))  # fmt: skip
    counts = logs["count"] if event == "topple" else (NOTHING,)
    return _sum(
        _thing("", shapes, colours, logs), others, _best("count", counts, logs),
        _moving(EVENTS[event], tuple(WAYS.values()) if event in SIDEWAYS else (NOTHING,), logs),
    )  # fmt: skip


def _thing(number: str, shapes: Iterable[str], colours: Sequence[str], logs: Logs) -> Option:
    return _sum(
        _best(f"who{number}", shapes, logs), _best(f"colour{number}", colours, logs),
        _best(f"material{number}", names("material"), logs),
    )  # fmt: skip


def _moving(motion: str, ways: Iterable[str], logs: Logs) -> Option:
    return _best("motion", (motion,), logs) + _best("way", ways, logs)


def _suits(subject: Subject, background: Background) -> bool:
    """Whether the worlds show a subject before a background."""
    if set(background.tones) & set(subject.tones):
        return False
    return not background.is_place or subject.realm == "air" or (background.name == "sea") == (subject.realm == "water")


def _some(slot: str, logs: Logs) -> list[str]:
    return [answer for answer in logs[slot] if answer != NOTHING]


def _nothing(slots: Iterable[str], logs: Logs) -> list[Option]:
    return [_best(slot, (NOTHING,), logs) for slot in slots]


def _best(slot: str, allowed: Iterable[str], logs: Logs) -> Option:
    """The likeliest of the answers that are allowed; impossible where sight knows none of them."""
    return max(_options(slot, allowed, logs), key=lambda option: option.score, default=IMPOSSIBLE)


def _top(slot: str, allowed: Iterable[str], logs: Logs, count: int) -> list[Option]:
    return sorted(_options(slot, allowed, logs), key=lambda option: -option.score)[:count]


def _options(slot: str, allowed: Iterable[str], logs: Logs) -> list[Option]:
    known = logs[slot]
    return [Option(score=known[answer], answers={slot: answer}) for answer in allowed if answer in known]


def _sum(*options: Option) -> Option:
    return sum(options, start=Option())
