"""A language model's answer as a caption: what can be mended is mended and named, what cannot is an error."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from muybridge.captioning.lenient import read_object
from muybridge.captioning.schema import CHOICES, FIELDS, MAX_CHARACTERS, REQUIRED_PROSE, validated
from muybridge.captioning.spoken_movements import movement_called
from muybridge.core.errors import InvalidInput, invalid
from muybridge.worlds.structured import UNKNOWN, StructuredCaption

_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```\w*")
_LABELLED = re.compile(r"^[\s*#>\-\d.]*([A-Za-z][A-Za-z _]{2,30}?)[\s*]*:[\s*]*(.+?)[\s*]*$", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_ALIASES = {
    "summary": "short", "brief": "short", "title": "short", "caption": "short",
    "detailed": "dense", "long": "dense", "description": "dense", "detail": "dense", "full": "dense",
    "setting": "background", "scene": "background", "environment": "background",
    "shot": "shot_type", "shottype": "shot_type", "framing": "shot_type", "light": "lighting", "mood": "atmosphere",
    "movement": "camera", "motion": "camera", "visual": "style",
}  # fmt: skip
_FILLERS = {"description", "caption", "text", "type", "tag", "tags", "camera", "video", "the", "of", "field"}
_NOTHING = {"", "none", "null", "n/a", "na", "unknown", "unspecified", "not specified", "not visible", "unclear"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """One thing that was mended in an answer. `where` is a field, or "answer" for the whole of it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """A caption that fits the schema, and what was mended to make it so."""

    caption: StructuredCaption
    repairs: tuple[Repair, ...]


def parse(text: str) -> Parsed:
    """The caption in an answer.

    Mended: thoughts, code fences and prose around the object, quotes, commas and brackets, an answer that was cut
    short, other names and orders of fields, lists for texts, lengths, movements in other words. Missing phrases are
    empty. Raises InvalidInput where neither a short nor a dense description can be found.
    """
    plain = _FENCE.sub("", _THOUGHTS.sub("", text)).strip().removeprefix("\ufeff")
    repairs = [Repair(where="answer", what="a code fence or thoughts around it")] if plain != text.strip() else []
    found, notes = _object(plain)
    repairs += [Repair(where="answer", what=note) for note in notes]
    named = _named(found, repairs)
    _fill_prose(named, repairs)
    fields = {name: _field(name, named.get(name), repairs) for name in FIELDS}
    return Parsed(caption=validated(fields), repairs=tuple(repairs))


def shortened(text: str, limit: int) -> str:
    """The text's whole sentences within `limit` characters; where not even one fits, its whole words."""
    if len(text) <= limit:
        return text
    return ended(text[: limit + 1])[:limit].rstrip()


def ended(text: str) -> str:
    """The whole sentences of a text that was cut; where there is none, it without its last word."""
    if ends := [found.end() for found in _SENTENCE_END.finditer(text)]:
        return text[: ends[-1]]
    return (text.rsplit(" ", 1)[0] if " " in text else text).rstrip(" ,;:-")


def _object(plain: str) -> tuple[Mapping[str, Any], list[str]]:
    """The fields as they were written: of an object, of an object within it, or of lines `name: text`."""
    try:
        found, notes = read_object(plain)
    except InvalidInput:
        lines = {name: said for name, said in _LABELLED.findall(plain) if _field_called(name)}
        if not lines:
            raise
        return lines, ["lines instead of an object"]
    inner = [value for value in found.values() if isinstance(value, Mapping)]
    if not any(_field_called(name) for name, value in found.items() if isinstance(value, str)) and inner:
        return inner[0], [*notes, "an object within another"]
    return found, notes


def _named(found: Mapping[str, Any], repairs: list[Repair]) -> dict[str, str]:
    """Texts by the schema's names; fields that the schema has not are left out."""
    named: dict[str, str] = {}
    exact = [key for key in found if key in FIELDS]
    for key in (*exact, *(key for key in found if key not in FIELDS)):
        name, text = _field_called(key), _said(found[key])
        if name is None:
            repairs.append(Repair(where=str(key)[:40], what="no such field, left out"))
        elif name not in named:
            named[name] = " ".join(text.split())
            if name != key:
                repairs.append(Repair(where=name, what=f"was called {str(key)[:40]!r}"))
            if named[name] != found[key]:
                repairs.append(Repair(where=name, what="was no single line of text"))
    return named


def _field_called(key: object) -> str | None:
    """The field that a key means."""
    plain = re.sub(r"[^a-z]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(key)).lower()).strip("_")
    if plain in FIELDS:
        return plain
    words = [word for word in plain.split("_") if word not in _FILLERS] or plain.split("_")[:1]
    meant = "_".join(words)
    if meant in FIELDS or meant in _ALIASES:
        return meant if meant in FIELDS else _ALIASES[meant]
    last = next((word for word in words if word in FIELDS or word in _ALIASES), None)
    return _ALIASES.get(last, last) if last else None


def _said(value: Any) -> str:
    """A value as text: lists and objects one after another."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(filter(None, (_said(item) for item in value.values())))
    if isinstance(value, list):
        return ", ".join(filter(None, map(_said, value)))
    return str(value)


def _fill_prose(named: dict[str, str], repairs: list[Repair]) -> None:
    """Each of the two descriptions from the other where only one is there."""
    short, dense = (named.get(name, "") for name in REQUIRED_PROSE)
    if not short and not dense:
        raise invalid("answer", "says neither short nor dense what the clip shows", "fill both fields")
    if not short:
        found = _SENTENCE_END.search(dense)
        named["short"] = dense[: found.end()] if found else dense
        repairs.append(Repair(where="short", what="was missing; the dense description's first sentence"))
    if not dense:
        named["dense"] = short
        repairs.append(Repair(where="dense", what="was missing; the short description"))


def _field(name: str, text: str | None, repairs: list[Repair]) -> str:
    if name in CHOICES:
        return _choice(name, text, repairs)
    if text is None:
        repairs.append(Repair(where=name, what="was missing"))
        return ""
    clean = "".join(letter for letter in text if letter >= " " and letter != "\x7f").strip()
    if name not in REQUIRED_PROSE and clean.lower().rstrip(".") in _NOTHING:
        return ""
    if len(clean) > MAX_CHARACTERS[name]:
        repairs.append(Repair(where=name, what=f"had {len(clean)} characters"))
    return shortened(clean, MAX_CHARACTERS[name])


def _choice(name: str, text: str | None, repairs: list[Repair]) -> str:
    """The class that is meant."""
    if text in CHOICES[name]:
        return str(text)
    if text is None:
        repairs.append(Repair(where=name, what="was missing"))
        return UNKNOWN
    plain = text.lower().strip(" .")
    meant = (
        movement_called(plain) if name == "camera" else next((each for each in CHOICES[name] if each in plain), None)
    )
    if name == "quality" and meant is None:
        meant = next((each for each in CHOICES[name] if each.split()[0] == plain), None)
    if meant is None and plain in _NOTHING:
        return UNKNOWN
    repairs.append(Repair(where=name, what=f"{text[:40]!r} means {meant or UNKNOWN}"))
    return meant or UNKNOWN
