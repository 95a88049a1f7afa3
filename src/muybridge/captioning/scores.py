"""How near captions come to the truth: F1 of the words of each field, and how often subjects are made up.

Texts are compared as bags of words in lower case, without endings of number and tense and without small words, so that
"a brown horse gallops" and "the brown horse galloping" are alike. Camera, source and quality are right or wrong.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from muybridge.captioning.schema import CHOICES, FIELDS
from muybridge.core.errors import invalid
from muybridge.worlds.structured import StructuredCaption

SMALL_WORDS = frozenset(
    "a an the of in on at to is are be and with its it that this from by as there for into over has have was".split()
)
_ENDINGS = ("ings", "ing", "edly", "ed", "ies", "es", "s", "ly")

Aliases = Collection[str]  # names of one subject


def words(text: str) -> list[str]:
    """The words that count, without their endings."""
    return [_stem(word) for word in re.findall(r"[^\W_]+", text.lower()) if word not in SMALL_WORDS]


def word_f1(said: str, truth: str) -> float:
    """Harmonic mean of the shares of words that are right and that are found, 0 to 1; 1 where both are empty."""
    ours, theirs = Counter(words(said)), Counter(words(truth))
    if not ours or not theirs:
        return float(ours == theirs)
    return 2 * sum((ours & theirs).values()) / (sum(ours.values()) + sum(theirs.values()))


def field_scores(said: StructuredCaption, truth: Sequence[StructuredCaption]) -> dict[str, float]:
    """F1 of each field against the wording of the truth that it is nearest to, 0 to 1; exact for classes.

    truth: one clip's, in one wording or several. Raises InvalidInput where there is none.
    """
    if not truth:
        raise invalid("no truth", "a caption is scored against at least one", "give the scene's")
    return {name: max(_score(name, getattr(said, name), getattr(one, name)) for one in truth) for name in FIELDS}


def mean_scores(scores: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each field over clips, and as `mean` that of the fields."""
    rows = list(scores)
    if not rows:
        raise invalid("no scores", "a mean is taken of at least one clip", "score some clips")
    means = {name: sum(row[name] for row in rows) / len(rows) for name in FIELDS}
    return means | {"mean": sum(means.values()) / len(FIELDS)}


def subjects_named(text: str, subjects: Iterable[Aliases]) -> list[Aliases]:
    """The subjects of a vocabulary that a text names."""
    spoken = f" {' '.join(words(text))} "
    return [names for names in subjects if any(f" {' '.join(words(name))} " in spoken for name in names if words(name))]


def made_up(said: StructuredCaption, truth: Sequence[StructuredCaption], *, subjects: Iterable[Aliases]) -> int:
    """How many subjects of the vocabulary the prose names that no text of the truth names."""
    theirs = " . ".join(getattr(one, name) for one in truth for name in FIELDS if name not in CHOICES)
    named = subjects_named(f"{said.short} . {said.dense}", subjects)
    return len(named) - len(subjects_named(theirs, named))


def _score(name: str, said: str, truth: str) -> float:
    return float(said == truth) if name in CHOICES else word_f1(said, truth)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)].removesuffix("e")
    return word.removesuffix("e") if len(word) > 3 else word
