"""Decoding that can write nothing but a caption: keys, quotes and classes are forced, texts are free up to a length.

Whatever the model, even an untrained one, what it writes is JSON that fits `schema`. The constraint knows tokens by
their bytes, so it works with any byte-level or SentencePiece vocabulary, from token ids as from `inputs_embeds`:

    constraint = Constraint(vocabulary, [caption_fields()] * batch_size, eos_ids=(tokenizer.eos_token_id,))
    model.generate(inputs_embeds=..., logits_processor=[constraint], max_new_tokens=constraint.max_new_tokens)
    answers = constraint.texts()
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers.generation.logits_process import LogitsProcessor

from muybridge.captioning.parse import ended
from muybridge.captioning.schema import CHOICES, FIELDS, MAX_CHARACTERS, REQUIRED_PROSE
from muybridge.captioning.vocabulary import MAX_PIECE_BYTES, QUOTE, Vocabulary, end_state, may_open, num_characters
from muybridge.core.errors import invalid

MAX_TOKENS = 40  # of a phrase (convention)
PROSE_TOKENS: Mapping[str, int] = {"short": 64, "dense": 256}
MAX_PERIOD = 32  # tokens: a text that goes round in circles of at most this length is closed


@dataclass(frozen=True, kw_only=True, slots=True)
class FreeText:
    """A field in the model's own words. Where it is not required it may be empty."""

    name: str
    max_characters: int
    max_tokens: int
    is_required: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class OneOf:
    """A field with one of some values; with one, it is given."""

    name: str
    options: tuple[str, ...]


Field = FreeText | OneOf


def caption_fields(
    known: Mapping[str, str] | None = None, *, max_tokens: Mapping[str, int] = PROSE_TOKENS
) -> tuple[Field, ...]:
    """The fields of the schema in its order; those in `known` are given and not asked. Raises InvalidInput."""
    known = known or {}
    fields: list[Field] = []
    for name in FIELDS:
        if name in known and known[name] not in CHOICES.get(name, (known[name],)):
            raise invalid(
                f"{name}={known[name]!r}", "is none of its classes", f"choose from {', '.join(CHOICES[name])}"
            )
        if name in known or name in CHOICES:
            fields.append(OneOf(name=name, options=(known[name],) if name in known else CHOICES[name]))
        else:
            limit = max_tokens.get(name, MAX_TOKENS)
            fields.append(
                FreeText(
                    name=name, max_characters=MAX_CHARACTERS[name], max_tokens=limit,
                    is_required=name in REQUIRED_PROSE,
                )
            )  # fmt: skip
    return tuple(fields)


class Constraint(LogitsProcessor):
    """The logits processor of one call of `generate`, greedy or sampled: a row of `rows` for each row of the batch.

    Every row ends by itself within `max_new_tokens`.
    """

    def __init__(self, vocabulary: Vocabulary, rows: Sequence[Sequence[Field]], *, eos_ids: Sequence[int]) -> None:
        """Raises InvalidInput without a token that ends an answer."""
        self.vocabulary = vocabulary
        self._masks: dict[tuple[object, ...], Bool[Tensor, " v"]] = {}
        self._rows = [_Row(self, fields) for fields in rows]
        self._ends = torch.zeros(len(vocabulary.pieces), dtype=torch.bool)
        if not eos_ids or None in eos_ids:
            raise invalid(f"eos_ids={tuple(eos_ids)}", "an answer ends with a token", "give the model's eos_token_id")
        self._ends[torch.tensor(eos_ids)] = True
        self._seen: int | None = None  # length of the ids that were read

    @property
    def max_new_tokens(self) -> int:
        """How many tokens the longest row can take, its end included."""
        return max(row.max_tokens for row in self._rows)

    def __call__(self, input_ids: Int[Tensor, "b l"], scores: Float[Tensor, "b v"]) -> Float[Tensor, "b v"]:
        """The scores, minus infinity where a token cannot come next."""
        if self._seen is not None:
            for row, ids in zip(self._rows, input_ids[:, self._seen :].tolist(), strict=True):
                for index in ids:
                    row.take(index)
        self._seen = input_ids.shape[1]
        allowed = torch.stack([self._ends if row.is_done else row.allowed() for row in self._rows])
        allowed = allowed.to(scores.device)
        lowest = torch.where(scores.isnan(), 0.0, scores).clamp_min(torch.finfo(scores.dtype).min)  # never all infinite
        return torch.where(allowed, lowest, -torch.inf)

    def texts(self) -> list[str]:
        """What each row has written: JSON."""
        return [row.text for row in self._rows]

    def num_tokens(self) -> list[int]:
        """How many tokens each row took, its end left out."""
        return [row.num_tokens for row in self._rows]

    def cut_fields(self) -> list[frozenset[str]]:
        """For each row the names of fields that were closed by force, at their limit or in a loop."""
        return [frozenset(row.cut) for row in self._rows]

    def free_mask(self, field: FreeText, *, rest: bytes, state: int, num_left: int, is_begun: bool) -> Tensor:
        """Tokens that may come within a text, or close it and go on with `rest`."""
        key = (field, rest, state, num_left, is_begun)
        if key not in self._masks:
            vocabulary = self.vocabulary
            allowed = vocabulary.inside[state] & (vocabulary.characters <= num_left)
            if not is_begun:
                allowed &= vocabulary.is_opening
            for index in vocabulary.quoted:
                piece = vocabulary.pieces[index]
                assert piece is not None
                before, after = piece.split(b'"', 1)
                is_whole = end_state(before, state) == 0 and num_characters(before) <= num_left
                is_fit = is_begun or (may_open(before) if before else not field.is_required)
                allowed[index] = is_whole and is_fit and rest.startswith(after)
            self._masks[key] = allowed
        return self._masks[key]


class _Row:
    """Where one row stands in its fields."""

    def __init__(self, constraint: Constraint, fields: Sequence[Field]) -> None:
        self.constraint = constraint
        self.fields = fields
        self.cut: set[str] = set()
        # What comes before each field and after the last one; the quote that closes a text belongs to the text.
        self._before = [f'{", " if place else "{"}"{field.name}": "'.encode() for place, field in enumerate(fields)]
        self._before.append(b"}")
        self._place = 0
        self._forced = self._before[0]  # what has still to be written before the field at `_place`
        self._written = b""
        self.num_tokens = 0
        self._begin_field()

    @property
    def is_done(self) -> bool:
        """Whether the object is closed."""
        return self._place == len(self.fields) and not self._forced

    @property
    def text(self) -> str:
        """What was written so far."""
        return self._written.decode(errors="replace")

    @property
    def max_tokens(self) -> int:
        """Each byte that is forced, each text's tokens with three to end a character and the quote, and the end."""
        forced = sum(map(len, self._before))
        free = sum(field.max_tokens + 4 for field in self.fields if isinstance(field, FreeText))
        return forced + free + sum(_longest(field) for field in self.fields if isinstance(field, OneOf)) + 1

    def allowed(self) -> Bool[Tensor, " v"]:
        """The tokens that may come next."""
        vocabulary = self.constraint.vocabulary
        if self._forced:
            return self._only({vocabulary.longest(self._forced)})
        field = self.fields[self._place]
        if isinstance(field, OneOf):
            ends = (option.encode() + b'"' for option in field.options)
            left = [end[len(self._own) :] for end in ends if end.startswith(self._own)]
            return self._only({vocabulary.longest(end) for end in left})
        num_left = field.max_characters - num_characters(self._own)
        if len(self._tokens) >= field.max_tokens or is_circling(self._tokens):
            num_left = 0
        if num_left == 0:
            self.cut.add(field.name)
        return self.constraint.free_mask(
            field, rest=self._before[self._place + 1], state=self._state, is_begun=bool(self._own),
            num_left=min(num_left, MAX_PIECE_BYTES),
        )  # fmt: skip

    def take(self, index: int) -> None:
        """Go on by a token; what comes after the end is left out."""
        if self.is_done:
            return
        piece = self.constraint.vocabulary.pieces[index]
        assert piece is not None, "a token that was not allowed"
        self._tokens.append(index)
        self.num_tokens += 1
        self._written += piece
        for byte in piece:
            self._take_byte(byte)

    def _take_byte(self, byte: int) -> None:
        if self._forced:
            assert self._forced[0] == byte
            self._forced = self._forced[1:]
            if not self._forced:
                self._begin_field()
            return
        if byte == QUOTE:
            self._place += 1
            self._forced = self._before[self._place]
            return
        self._own += bytes([byte])
        if isinstance(self.fields[self._place], FreeText):
            state = end_state(bytes([byte]), self._state)
            assert state is not None
            self._state = state

    def _begin_field(self) -> None:
        self._own, self._state = b"", 0
        self._tokens: list[int] = []

    def _only(self, indices: set[int]) -> Bool[Tensor, " v"]:
        allowed = torch.zeros(len(self.constraint.vocabulary.pieces), dtype=torch.bool)
        allowed[list(indices)] = True
        return allowed


def is_circling(tokens: Sequence[int]) -> bool:
    """Whether the tokens end in the same words again: a passage of 4 to 32 twice, a shorter one four times."""
    for period in range(1, min(MAX_PERIOD, len(tokens) // 2) + 1):
        num_repeats = 2 if period >= 4 else 4
        tail = tokens[-period * num_repeats :]
        if len(tail) == period * num_repeats and tail[period:] == tail[:-period]:
            return True
    return False


def finished_texts(value: Mapping[str, str], cut: frozenset[str]) -> dict[str, str]:
    """The fields with those that were cut ended at a sentence or a word."""
    return {name: ended(text) if name in cut else text for name, text in value.items()}


def _longest(field: OneOf) -> int:
    return max(len(option.encode()) for option in field.options) + 1
