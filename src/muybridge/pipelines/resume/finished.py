"""Films that are in their files already."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from muybridge.core.errors import MediaError
from muybridge.media.sidecar import read_settings


def recorded_film(path: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is recorded with the film at `path`, if that is the one which these settings make; else None."""
    if not path.is_file():
        return None
    try:
        record = read_settings(path)
    except MediaError:
        return None
    wanted = json.loads(json.dumps(settings))
    return record if all(record.get(name) == value for name, value in wanted.items()) else None
