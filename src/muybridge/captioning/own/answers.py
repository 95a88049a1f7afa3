"""Captions as the tokens that constrained decoding will have them written in, to train on."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from muybridge.captioning.constrained import OneOf, caption_fields
from muybridge.captioning.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The tokens of one caption up to the last text, and which of them the model chooses: the others are forced."""

    ids: Int[Tensor, " l"]
    is_chosen: Bool[Tensor, " l"]


def answer(caption: Mapping[str, str], tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary) -> Answer:
    """The caption as `constrained.Constraint` has it written where classes are known: these in the longest tokens."""
    ids, chosen = list[int](), list[bool]()

    def add(new: list[int], *, is_chosen: bool) -> None:
        ids.extend(new)
        chosen.extend([is_chosen] * len(new))

    for place, field in enumerate(caption_fields()):
        add(_longest(f'{", " if place else "{"}"{field.name}": "', vocabulary), is_chosen=False)
        text = caption[field.name]
        if isinstance(field, OneOf):
            add(_longest(f'{text}"', vocabulary), is_chosen=False)
        else:
            add(list(tokenizer(text, add_special_tokens=False)["input_ids"]), is_chosen=True)
            add(_longest('"', vocabulary), is_chosen=True)
    end = len(chosen) - chosen[::-1].index(True)
    return Answer(ids=torch.tensor(ids[:end]), is_chosen=torch.tensor(chosen[:end]))


def _longest(text: str, vocabulary: Vocabulary) -> list[int]:
    rest, ids = text.encode(), list[int]()
    while rest:
        ids.append(vocabulary.longest(rest))
        piece = vocabulary.pieces[ids[-1]]
        assert piece
        rest = rest[len(piece) :]
    return ids
