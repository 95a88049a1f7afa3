"""Parts of a prompt that weigh more or less: "(a red ball:1.3) on grass".

    (words:1.3)                those words 1.3 times as strong; 0 ... 4
    (a (red:1.5) ball:1.2)     red 1.8 times: weights multiply
    \\(words:1.3\\)            plain text; so are parentheses without a number, and "\\\\" is a backslash

A weight acts on the language model's states of exactly the tokens of its words: they move away from the mean state of
their prompt, or towards it. The words are read as a whole and without weights, and the pooled vector stays as it is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch

from muybridge.core.errors import invalid
from muybridge.flow.schedules import digits
from muybridge.text.encoder import TextStates

MAX_WEIGHT = 4.0  # convention: beyond it a network has never seen such states
_END = re.compile(r":\s*(\d+(?:\.\d*)?|\.\d+)\s*\)")
_EXAMPLE = "write it like (a red ball:1.3)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Words and what they weigh."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightedPrompt:
    """A prompt in spans, in order; neighbours differ in weight. `str` gives a text that `parse` takes back."""

    spans: tuple[Span, ...]

    @classmethod
    def parse(cls, prompt: str) -> Self:
        """The spans that a prompt means. Raises InvalidInput on a weight without words or beyond its range."""
        spans = _joined(_Reader(prompt).read())
        for span in spans:
            if span.weight > MAX_WEIGHT:
                given = f"prompt with {span.text!r} {span.weight:g} times"
                raise invalid(given, f"weights lie within 0 and {MAX_WEIGHT:g}, also multiplied", "use 1.3")
        return cls(spans=spans)

    @property
    def text(self) -> str:
        """The words alone: what the encoder reads."""
        return "".join(span.text for span in self.spans)

    @property
    def is_plain(self) -> bool:
        """Whether all of it weighs 1."""
        return all(span.weight == 1 for span in self.spans)

    def __str__(self) -> str:
        return "".join(
            _escaped(span.text) if span.weight == 1 else f"({_escaped(span.text)}:{digits(span.weight)})"
            for span in self.spans
        )

    def token_weights(self, places: Sequence[tuple[int, int]]) -> list[float]:
        """What each token weighs, by the characters of the text that it stands for, from and up to.

        A token of no characters weighs 1, one of several spans their mean by characters; a leading space counts only
        where there is nothing else, as tokenizers put the space before a word into its token.
        """
        weights = [span.weight for span in self.spans for _ in span.text]
        return [_mean(weights, self.text, start, stop) for start, stop in places]


class _Reader:
    """One pass over a prompt: plain letters, escapes, and groups on a stack."""

    def __init__(self, prompt: str) -> None:
        self._prompt, self._at = prompt, 0
        self._groups: list[list[Span]] = [[]]

    def read(self) -> list[Span]:
        while self._at < len(self._prompt):
            self._take()
        while len(self._groups) > 1:
            self._dissolve("")
        return self._groups[0]

    def _take(self) -> None:
        rest, letter = self._prompt[self._at : self._at + 2], self._prompt[self._at]
        end = _END.match(self._prompt, self._at)
        if len(rest) == 2 and letter == "\\" and rest[1] in "()\\":
            self._put(rest[1], length=2)
        elif letter == "(":
            self._groups.append([])
            self._at += 1
        elif end is not None:
            self._close(float(end[1]), end)
        elif letter == ")" and len(self._groups) > 1:
            self._dissolve(")")
            self._at += 1
        else:
            self._put(letter, length=1)

    def _put(self, text: str, *, length: int) -> None:
        self._groups[-1].append(Span(text=text))
        self._at += length

    def _dissolve(self, end: str) -> None:
        """Parentheses without a number are part of the text."""
        group = self._groups.pop()
        self._groups[-1] += [Span(text="("), *group] + ([Span(text=end)] if end else [])

    def _close(self, weight: float, end: re.Match[str]) -> None:
        if len(self._groups) == 1:
            raise invalid(
                f"prompt with {end[0]!r}", "ends a weight that no ( has begun", rf"{_EXAMPLE}, or \) for text"
            )
        group = self._groups.pop()
        if not "".join(span.text for span in group).strip():
            raise invalid(f"prompt with {end[0]!r}", "weighs no words", _EXAMPLE)
        self._groups[-1] += [replace(span, weight=span.weight * weight) for span in group]
        self._at = end.end()


def weighted(text: TextStates, weights: Sequence[float]) -> TextStates:
    """The states of one prompt, its last tokens', one for each weight, scaled about their mean; 1 changes no bit.

    About their mean, because what all tokens share is no meaning of any of them. On gallop this does as well as about
    zero, and better than about the mean of an empty prompt (docs/how-to/control-the-text.md).
    """
    if all(weight == 1 for weight in weights):
        return text
    stop = int(text.mask[0].sum())
    own = text.states[0, stop - len(weights) : stop]  # before them there may be tokens of a picture
    scales = torch.tensor(weights, dtype=torch.float32)[:, None].to(own.device)
    centre = own.float().mean(0)
    moved = (centre + scales * (own.float() - centre)).to(own.dtype)
    states = text.states.clone()
    states[0, stop - len(weights) : stop] = torch.where(scales == 1, own, moved)
    return replace(text, states=states)


def _mean(weights: Sequence[float], text: str, start: int, stop: int) -> float:
    word = start + len(text[start:stop]) - len(text[start:stop].lstrip())
    own = weights[word if word < stop else start : stop]
    if not own:
        return 1.0
    return own[0] if len(set(own)) == 1 else sum(own) / len(own)  # a mean of equals may round


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Neighbours of one weight as one span."""
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].weight == span.weight:
            joined[-1] = replace(span, text=joined[-1].text + span.text)
        else:
            joined.append(span)
    return tuple(joined)


def _escaped(text: str) -> str:
    return re.sub(r"([()\\])", r"\\\1", text)
