"""The structured caption as JSON: its schema, strict validation with exact complaints, and canonical text.   Paper 3.2.

Phrases that nobody could tell are empty, the camera, source and quality then "unknown": a caption never has to invent.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from types import MappingProxyType
from typing import Any

from muybridge.core.errors import invalid
from muybridge.worlds.movements import MOVEMENTS
from muybridge.worlds.structured import CLEAN, RENDERED, UNKNOWN, StructuredCaption

FIELDS: tuple[str, ...] = tuple(field.name for field in fields(StructuredCaption))
MAX_CHARACTERS: Mapping[str, int] = MappingProxyType(  # twice the longest of the worlds' captions, in round numbers
    {
        "short": 400, "dense": 2000, "background": 300, "style": 160, "shot_type": 100, "lighting": 200,
        "atmosphere": 160,
    }
)  # fmt: skip
REQUIRED_PROSE = ("short", "dense")  # never empty
SOURCES = ("camera footage", RENDERED, "drawn animation", "screen recording", "still picture", UNKNOWN)
QUALITIES = (CLEAN, "medium quality", "low quality", UNKNOWN)
CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"camera": (*MOVEMENTS, UNKNOWN), "source": SOURCES, "quality": QUALITIES}
)


def json_schema() -> dict[str, Any]:
    """The schema of one caption, draft 2020-12, as chat endpoints take it for structured output."""
    properties: dict[str, Any] = {}
    for name in FIELDS:
        if name in CHOICES:
            properties[name] = {"type": "string", "enum": list(CHOICES[name])}
        else:
            least = int(name in REQUIRED_PROSE)
            properties[name] = {"type": "string", "minLength": least, "maxLength": MAX_CHARACTERS[name]}
    return {"type": "object", "properties": properties, "required": list(FIELDS), "additionalProperties": False}


def problems(value: object) -> tuple[str, ...]:
    """What keeps `value` from being a caption, field by field; nothing where it is one."""
    if not isinstance(value, Mapping):
        return (f"the caption is {type(value).__name__}, not an object",)
    strange = [f"{name!r} is no field" for name in value if name not in FIELDS]
    return (*(f"{name}: {why}" for name in FIELDS if (why := _problem(name, value))), *strange)


def validated(value: Mapping[str, Any]) -> StructuredCaption:
    """The caption in a mapping of exactly its fields. Raises InvalidInput that names every field that is wrong."""
    if found := problems(value):
        raise invalid("caption", "; ".join(found), f"give {', '.join(FIELDS)} as the schema says")
    return StructuredCaption(**value)


def to_json(caption: StructuredCaption) -> str:
    """The caption as one line of JSON, fields in the schema's order."""
    return json.dumps(asdict(caption), ensure_ascii=False)


def _problem(name: str, value: Mapping[str, Any]) -> str:
    if name not in value:
        return "is missing"
    text = value[name]
    if not isinstance(text, str):
        return f"is {type(text).__name__}, not text"
    if name in CHOICES:
        return "" if text in CHOICES[name] else f"{text[:40]!r} is not one of {', '.join(CHOICES[name])}"
    if name in REQUIRED_PROSE and not text:
        return "is empty"
    if len(text) > MAX_CHARACTERS[name]:
        return f"has {len(text)} characters, at most {MAX_CHARACTERS[name]} are allowed"
    if text != text.strip() or any(letter < " " or letter == "\x7f" for letter in text):
        return "has line breaks, control characters or spaces around it"
    return ""
