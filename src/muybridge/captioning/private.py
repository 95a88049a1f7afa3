"""Captions without the addresses, numbers and names of accounts that a model may have read in the picture."""

from dataclasses import asdict

from muybridge.captioning.parse import shortened
from muybridge.captioning.schema import CHOICES, MAX_CHARACTERS, validated
from muybridge.curation.text.redaction import redact
from muybridge.worlds.structured import StructuredCaption


def redacted(caption: StructuredCaption) -> StructuredCaption:
    """The caption with personal data in its texts replaced by what kind of data it was."""
    fields = asdict(caption)
    for name in fields.keys() - CHOICES.keys():
        fields[name] = shortened(redact(fields[name])[0].strip(), MAX_CHARACTERS[name])
    return validated(fields)
