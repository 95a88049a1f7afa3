"""Which characters of a prompt each of its tokens stands for."""

from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from muybridge.text.encoder import Place
from muybridge.text.templates import Template


def token_places(tokenizer: PreTrainedTokenizerBase, template: Template, prompt: str) -> list[Place]:
    """The place of every token of the filled template, in order. The tokenizer must be a fast one."""
    offsets = tokenizer(template.fill(prompt), return_offsets_mapping=True)["offset_mapping"]
    return [_within(start - len(template.prefix), stop - len(template.prefix), len(prompt)) for start, stop in offsets]


def _within(start: int, stop: int, length: int) -> Place:
    start, stop = min(max(start, 0), length), min(max(stop, 0), length)
    return start, stop
