"""The models known by name: where their weights are, what they are good for, and the settings they were made with.

The table is `catalogue.toml`; gallop and folders with a `model.json` describe themselves.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from muybridge.core.errors import WeightsError, invalid
from muybridge.weights.hub import Hub, OnDownload, download, hub_in_use
from muybridge.weights.licences import Licence, check_accepted

Size = tuple[int, int]  # width, height in pixels
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".json", ".gguf")
_MODEL_FILE = "model.json"
_EMBEDDED = Path(__file__).parent / "embedded"
_TABLE = Path(__file__).parent / "catalogue.toml"
_STRANGERS = "hunyuanvideo"  # whose defaults other weights take


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueEntry:
    """One model. source: `embedded` in the package, on the `hub` under `repo_id`, or `local` at `path`.

    defaults: how it is meant to be run, by the names of the command line: width, height, frames, fps, steps, shift,
    guidance (embedded), cfg (true classifier-free), sampler, negative. native_sizes: trained for, by preset.
    terms: a licence that must be accepted before the weights are used. repos: by hub id, patterns of the files that
    each part needs. num_tensors, num_parameters: of the whole transformer in the official layout, 0 where not known.
    is_runnable: False where no pipeline here runs it. picture_use: by name, how the weights take a picture
    (`weights.picture_use`), None where only their files tell.
    """

    name: str
    title: str
    licence: str
    source: Literal["embedded", "hub", "local"]
    defaults: Mapping[str, Any]
    native_sizes: Mapping[str, tuple[Size, ...]] = field(default_factory=dict)
    repo_id: str | None = None
    path: Path | None = None
    terms: Licence | None = None
    repos: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    num_tensors: int = 0
    num_parameters: int = 0
    is_runnable: bool = True
    picture_use: str | None = None


def catalogue() -> dict[str, CatalogueEntry]:
    """Every model known by name; embedded models only where their weights are in the package."""
    entries = [_from_folder(folder, "embedded") for folder in sorted(_EMBEDDED.glob(f"*/{_MODEL_FILE}"))]
    return {entry.name: entry for entry in entries} | _released()


def resolve(name: str | Path) -> CatalogueEntry:
    """The model meant by a catalogue name, a hub id `owner/name`, or a local file or folder.

    A folder with a `model.json` brings its own defaults; other local weights and hub ids take HunyuanVideo's.
    Raises InvalidInput on an unknown name, with the nearest one and all that are known.
    """
    known = catalogue()
    text = str(name)
    if text in known:
        return known[text]
    if (entry := _by_repo(text)) is not None:
        return entry
    path = Path(name).expanduser()
    if text and path.exists():
        return _local(path)
    if _HUB_ID.fullmatch(text) and path.suffix not in _WEIGHT_SUFFIXES:
        return _stranger(name=text, title=text, licence="see its page on the hub", source="hub", repo_id=text)
    if "/" in text or path.suffix in _WEIGHT_SUFFIXES:
        raise invalid(text, "no such file or folder", f"check the path, or use one of {', '.join(known)}")
    close = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    meant = f"did you mean {close[0]}? known are" if close else "use one of"
    raise invalid(f"model={text}", "unknown", f"{meant} {', '.join(known)}, a path, or a hub id owner/name")


def locate(
    entry: CatalogueEntry,
    *,
    without: Collection[str] = (),
    hub: Hub | None = None,
    on_progress: OnDownload | None = None,
) -> Path:
    """The local file or folder with an entry's weights; what is on the hub is fetched first.

    without: parts that are not needed, such as a transformer that comes from elsewhere. hub: default is the one in use.
    Raises AssetError, with the remedy, where the licence is not accepted or the hub cannot be used.
    """
    if entry.path is not None:
        return entry.path
    if entry.repo_id is None:
        raise AssertionError(f"{entry.name} has neither path nor repo_id")
    if entry.terms is not None:
        check_accepted(entry.name, entry.terms)
    parts = entry.repos.get(entry.repo_id)
    patterns = (
        None if parts is None else [each for part, found in parts.items() if part not in without for each in found]
    )
    return download(entry.repo_id, patterns, hub=hub or hub_in_use(), on_progress=on_progress)


@cache
def _released() -> dict[str, CatalogueEntry]:
    """The entries of the table."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    licences = {name: Licence(**values) for name, values in table["licences"].items()}
    files = {
        name: {part: tuple(patterns) for part, patterns in parts.items()} for name, parts in table["files"].items()
    }
    models: dict[str, dict[str, Any]] = {}
    for name, values in table["models"].items():
        models[name] = models.get(values.get("like"), {}) | values
    return {
        name: CatalogueEntry(
            name=name,
            title=values["title"],
            licence=licences[values["licence"]].title,
            source="hub",
            defaults=values["defaults"],
            native_sizes=_sizes(table["sizes"][values["sizes"]]),
            repo_id=next(iter(values["repos"])),
            terms=licences[values["licence"]],
            repos={repo_id: files[patterns] for repo_id, patterns in values["repos"].items()},
            num_tensors=values["tensors"],
            num_parameters=values["parameters"],
            is_runnable=values.get("runs", True),
            picture_use=values.get("picture_use"),
        )
        for name, values in models.items()
    }


def _by_repo(repo_id: str) -> CatalogueEntry | None:
    """The one entry that a hub id holds; raises InvalidInput where it holds several."""
    found = [entry for entry in _released().values() if repo_id in entry.repos]
    if len(found) > 1:
        names = ", ".join(entry.name for entry in found)
        raise invalid(f"model={repo_id}", f"holds {len(found)} models", f"choose one of {names}")
    return replace(found[0], repo_id=repo_id) if found else None


def _stranger(**known: Any) -> CatalogueEntry:
    """Weights that the table does not know, with the defaults of those that most come from."""
    like = _released()[_STRANGERS]
    return CatalogueEntry(defaults=like.defaults, native_sizes=like.native_sizes, **known)


def _local(path: Path) -> CatalogueEntry:
    if path.is_dir() and (path / _MODEL_FILE).is_file():
        return _from_folder(path / _MODEL_FILE, "local")
    return _stranger(name=path.name, title=str(path), licence="unknown", source="local", path=path)


def _from_folder(file: Path, source: Literal["embedded", "local"]) -> CatalogueEntry:
    """An entry from a `model.json`: a map with the defaults, and title, licence, native_sizes if it likes.

    Raises WeightsError where it is not what it should be.
    """
    folder = file.parent
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        about = {name: values.pop(name) for name in ("name", "title", "licence", "native_sizes") if name in values}
        defaults = values.pop("defaults", values)
        width, height = int(defaults["width"]), int(defaults["height"])
        sizes = _sizes(about.get("native_sizes", {f"{height}p": [[width, height]]}))
    except (ValueError, AttributeError, TypeError, KeyError, OSError):
        rule = "needs a JSON map with at least width and height"
        raise WeightsError(f"{file}: {rule}; restore the file.") from None
    return CatalogueEntry(
        name=str(about.get("name", folder.name)),
        title=str(about.get("title", folder.name)),
        licence=str(about.get("licence", "Apache-2.0" if source == "embedded" else "unknown")),
        source=source,
        defaults=defaults,
        native_sizes=sizes,
        path=folder,
    )


def _sizes(values: Mapping[str, Any]) -> dict[str, tuple[Size, ...]]:
    return {preset: tuple((int(width), int(height)) for width, height in sizes) for preset, sizes in values.items()}
