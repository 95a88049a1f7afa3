"""The JSON text in which settings travel, inside films and pictures and beside them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from muybridge.core.errors import MediaError

KEY = "muybridge"  # marks the text as ours; its value is the version of this format
VERSION = 1
MARK_CHARACTERS = 64  # `pack` writes the key first


def pack(settings: Mapping[str, Any], *, indent: int | None = None) -> str:
    """The settings as text, `{"muybridge": 1, "settings": {...}}`. Raises MediaError on what JSON cannot hold."""
    try:
        return json.dumps(
            {KEY: VERSION, "settings": dict(settings)}, ensure_ascii=False, allow_nan=False, indent=indent
        )
    except (TypeError, ValueError) as error:
        raise MediaError(f"settings: {error}; use numbers, text, lists and dicts.") from None


def unpack(text: str, *, source: Path) -> dict[str, Any]:
    """The settings in `text`, which was found in `source`. Raises MediaError where it is damaged, foreign or newer."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise MediaError(f"{source}: its settings are damaged JSON ({error}); use another copy of the file.") from None
    if not isinstance(content, dict) or KEY not in content or not isinstance(content.get("settings"), dict):
        raise MediaError(f"{source}: holds JSON that muybridge did not write; give the .json beside one of its films.")
    if content[KEY] != VERSION:
        raise MediaError(f"{source}: settings of format {content[KEY]}, this is {VERSION}; use a newer muybridge.")
    return content["settings"]


def find(text: str | None, *, source: Path) -> dict[str, Any] | None:
    """The settings in a free-text field of `source`, None where it is absent or somebody else's. Raises as `unpack`."""
    if text is None or not text.lstrip().startswith("{") or f'"{KEY}"' not in text[:MARK_CHARACTERS]:
        return None
    return unpack(text, source=source)
