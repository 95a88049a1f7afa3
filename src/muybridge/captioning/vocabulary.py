"""A tokenizer's tokens as the bytes that they stand for, sorted by how they may stand inside a JSON text."""

import json
import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from muybridge.core.errors import WeightsError

NUM_STATES = 8  # of UTF-8 within a character
MAX_PIECE_BYTES = 32  # longer tokens are rows of spaces or dashes
QUOTE = 0x22
_SPACE = "\u2581"  # how SentencePiece writes one
# The first byte of a text: Latin, Cyrillic, CJK; no spaces, signs or marks, so that no text is blank.
_FIRST = frozenset((*b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 0xC3, 0xD0, 0xD1))
_FIRST_WIDE = range(0xE4, 0xEE)
_PLAIN = re.compile(rb"[ !#-\[\]-~]+")  # ASCII that needs no escape
_LEADS: Mapping[int, tuple[range, int]] = MappingProxyType(  # state: bytes that may come next, and the state after them
    {
        1: (range(0x80, 0xC0), 0), 2: (range(0x80, 0xC0), 1), 3: (range(0x80, 0xC0), 2), 4: (range(0xA0, 0xC0), 1),
        5: (range(0x80, 0xA0), 1), 6: (range(0x90, 0xC0), 2), 7: (range(0x80, 0x90), 2),
    }
)  # fmt: skip


class Vocabulary:
    """What a tokenizer can write, for a model with `num_logits` outputs.

    `pieces` are the tokens' bytes, None for special tokens. `inside[s]` are the tokens that may stand within a text
    whose last character has got as far as UTF-8 state `s` (0: complete); none holds a quote, a backslash or a control
    character. `characters` counts those that a token begins, `is_opening` says that it may begin a text.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, num_logits: int) -> None:
        """Raises WeightsError where the tokenizer is not one of bytes or of pieces, or cannot write JSON."""
        self.pieces = _pieces(tokenizer, num_logits)
        self.ids: dict[bytes, int] = {}
        for index, piece in enumerate(self.pieces):
            if piece:
                self.ids.setdefault(piece, index)
        self.quoted = tuple(index for index, piece in enumerate(self.pieces) if piece and QUOTE in piece)
        self.inside = _inside(self.pieces)
        self.characters: Int[Tensor, " v"] = torch.tensor([num_characters(piece or b"") for piece in self.pieces])
        self.is_opening: Bool[Tensor, " v"] = torch.tensor([may_open(piece or b"") for piece in self.pieces])
        missing = [letter for letter in '{}":, ' if letter.encode() not in self.ids]
        if missing:
            raise WeightsError(f"tokenizer: cannot write {missing[0]!r}, which JSON needs; use the model's own.")

    def longest(self, text: bytes) -> int:
        """The longest token with which `text` begins. Raises WeightsError where there is none."""
        for length in range(min(len(text), MAX_PIECE_BYTES), 0, -1):
            if (found := self.ids.get(text[:length])) is not None:
                return found
        raise WeightsError(f"tokenizer: cannot write {text[:12]!r}; use the model's own.")


def end_state(piece: bytes, state: int) -> int | None:
    """The UTF-8 state after `piece` within a text; None where it may not stand there."""
    for byte in piece:
        following = _step(state, byte)
        if following is None:
            return None
        state = following
    return state


def num_characters(piece: bytes) -> int:
    """Characters that begin in a piece."""
    if piece.isascii():
        return len(piece)
    return sum(byte & 0xC0 != 0x80 for byte in piece)


def may_open(piece: bytes) -> bool:
    """Whether a text may begin with the piece."""
    return bool(piece) and (piece[0] in _FIRST or piece[0] in _FIRST_WIDE)


@cache
def _step(state: int, byte: int) -> int | None:
    if state:
        allowed, following = _LEADS[state]
        return following if byte in allowed else None
    if 0x20 <= byte < 0x7F and byte not in (QUOTE, 0x5C):
        return 0
    special = {0xE0: 4, 0xED: 5, 0xF0: 6, 0xF4: 7}
    if byte in special:
        return special[byte]
    return 1 if 0xC2 <= byte < 0xE0 else 2 if 0xE1 <= byte < 0xF0 else 3 if 0xF1 <= byte < 0xF4 else None


def _inside(pieces: list[bytes | None]) -> Bool[Tensor, "s v"]:
    allowed: list[list[int]] = [[] for _ in range(NUM_STATES)]
    for index, piece in enumerate(pieces):
        if not piece or len(piece) > MAX_PIECE_BYTES:
            continue
        if piece.isascii():
            if _PLAIN.fullmatch(piece):
                allowed[0].append(index)
            continue
        for state in range(1, NUM_STATES) if piece[0] & 0xC0 == 0x80 else (0,):
            if end_state(piece, state) is not None:
                allowed[state].append(index)
    found = torch.zeros(NUM_STATES, len(pieces), dtype=torch.bool)
    for state, indices in enumerate(allowed):
        found[state, torch.tensor(indices, dtype=torch.long)] = True
    return found


def _pieces(tokenizer: PreTrainedTokenizerBase, num_logits: int) -> list[bytes | None]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise WeightsError(f"tokenizer {tokenizer.name_or_path}: has no tokenizer.json; convert it to a fast one.")
    kinds = set(_types(json.loads(backend.to_str()).get("decoder") or {}))
    if not kinds & {"ByteLevel", "Metaspace", "ByteFallback", "Replace"}:
        rule = "is not one of bytes (BPE) or of pieces (SentencePiece)"
        raise WeightsError(f"tokenizer {tokenizer.name_or_path}: {rule}; take a captioner of another family.")
    added = set(tokenizer.added_tokens_decoder) | set(tokenizer.all_special_ids)
    pieces: list[bytes | None] = [None] * num_logits
    for text, index in tokenizer.get_vocab().items():
        if index < num_logits and index not in added:
            pieces[index] = _from_letters(text) if "ByteLevel" in kinds else _from_piece(text)
    return pieces


def _types(decoder: Mapping[str, Any]) -> list[str]:
    inner = [name for part in decoder.get("decoders", ()) for name in _types(part)]
    return [str(decoder.get("type")), *inner]


def _from_letters(text: str) -> bytes | None:
    """The bytes that byte-level BPE writes as letters."""
    codes = _letter_codes()
    return bytes(codes[letter] for letter in text) if all(letter in codes for letter in text) else None


def _from_piece(text: str) -> bytes:
    if len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
        return bytes([int(text[3:5], 16)])
    return text.replace(_SPACE, " ").encode()


@cache
def _letter_codes() -> Mapping[str, int]:
    """GPT-2's letters for bytes: printable ones stand for themselves, the others for letters from 256 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    codes = {chr(byte): byte for byte in plain}
    return MappingProxyType(codes | {chr(256 + place): byte for place, byte in enumerate(others)})
