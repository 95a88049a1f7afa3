"""Licences that must be accepted before downloaded weights are used: shown once for each machine and model."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from muybridge.core.env import accepted_licences, cache_folder
from muybridge.core.errors import AssetError
from muybridge.core.files import atomic_path

_FOLDER = "licences"


@dataclass(frozen=True, kw_only=True, slots=True)
class Licence:
    """title: its name. limits: what it denies, in words. url: where it can be read."""

    title: str
    limits: str
    url: str


def check_accepted(model: str, licence: Licence) -> None:
    """Raises AssetError, with the licence's limits and how to accept it, unless the user did so for this model."""
    if model in accepted_licences() or _file(model).is_file():
        return
    raise AssetError(
        f"{model}: its weights are under the {licence.title} ({licence.limits}; {licence.url}); read it, then accept "
        f"it with `muybridge fetch {model} --accept-licence`, or set MUYBRIDGE_ACCEPT_LICENCE={model}."
    )


def accept(model: str, licence: Licence) -> Path:
    """Remember that the user accepts a model's licence; the file that says so."""
    with atomic_path(_file(model)) as temporary:
        record = {"model": model, "licence": licence.title, "url": licence.url, "accepted_s": int(time.time())}
        temporary.write_text(json.dumps(record, indent=1) + "\n")
    return _file(model)


def _file(model: str) -> Path:
    return cache_folder() / _FOLDER / f"{model}.json"
