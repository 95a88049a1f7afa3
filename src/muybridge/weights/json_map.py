"""JSON that a file brings along: a map with every key once, or an error that names the file."""

import json
from typing import Any

from muybridge.core.errors import WeightsError

_REMEDY = "download or save it again"


def json_map(text: str | bytes, where: str) -> dict[str, Any]:
    """The map that a JSON text spells.

    where: the file and what in it is the text, with which messages begin. Raises WeightsError on text that is no JSON,
    nests without end, is no map, or has a key twice.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))
            raise WeightsError(f"{where} has the key {twice!r} twice; {_REMEDY}.")
        return found

    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        fields = json.loads(decoded, object_pairs_hook=once)
    except WeightsError:
        raise
    except (ValueError, RecursionError):
        raise WeightsError(f"{where} is not JSON; {_REMEDY}.") from None
    if not isinstance(fields, dict):
        raise WeightsError(f"{where} is not a map; {_REMEDY}.")
    return fields
