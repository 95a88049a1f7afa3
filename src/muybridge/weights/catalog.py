"""The models known by name: where their weights are, what they are good for, and the settings they were made with."""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from muybridge.core.env import is_offline
from muybridge.core.errors import AssetError, WeightsError, invalid

Size = tuple[int, int]  # width, height in pixels
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_MODEL_FILE = "model.json"
_EMBEDDED = Path(__file__).parent / "embedded"


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueEntry:
    """One model. source: `embedded` in the package, on the `hub` under `repo_id`, or `local` at `path`.

    defaults: how it is meant to be run, by the names of the command line: width, height, frames, fps, steps, shift,
    guidance (embedded), cfg (true classifier-free), sampler, negative. native_sizes: trained for, by preset.
    """

    name: str
    title: str
    licence: str
    source: Literal["embedded", "hub", "local"]
    defaults: Mapping[str, Any]
    native_sizes: Mapping[str, tuple[Size, ...]] = field(default_factory=dict)
    repo_id: str | None = None
    path: Path | None = None


def catalogue() -> dict[str, CatalogueEntry]:
    """Every model known by name; embedded models only where their weights are in the package."""
    entries = [_from_folder(folder, "embedded") for folder in sorted(_EMBEDDED.glob(f"*/{_MODEL_FILE}"))]
    return {entry.name: entry for entry in (*entries, _HUNYUANVIDEO)}


def resolve(name: str | Path) -> CatalogueEntry:
    """The model meant by a catalogue name, a hub id `owner/name`, or a local file or folder.

    A folder with a `model.json` brings its own defaults; other local weights and hub ids take HunyuanVideo's.
    Raises InvalidInput on an unknown name, with the nearest one and all that are known.
    """
    known = catalogue()
    text = str(name)
    if text in known:
        return known[text]
    if text in HUNYUANVIDEO_REPOS:
        return replace(_HUNYUANVIDEO, repo_id=text)
    path = Path(name).expanduser()
    if text and path.exists():
        return _local(path)
    if _HUB_ID.fullmatch(text) and path.suffix not in (".safetensors", ".pt", ".pth", ".json"):
        return replace(_HUNYUANVIDEO, name=text, title=text, licence="see its page on the hub", repo_id=text)
    if "/" in text or path.suffix in (".safetensors", ".pt", ".pth", ".json"):
        raise invalid(text, "no such file or folder", f"check the path, or use one of {', '.join(known)}")
    close = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    meant = f"did you mean {close[0]}? known are" if close else "use one of"
    raise invalid(f"model={text}", "unknown", f"{meant} {', '.join(known)}, a path, or a hub id owner/name")


def locate(entry: CatalogueEntry) -> Path:
    """The local file or folder with an entry's weights; what is on the hub is fetched first.

    Raises AssetError, naming what to fetch, where the hub cannot be used.
    """
    if entry.path is not None:
        return entry.path
    if entry.repo_id is None:
        raise AssertionError(f"{entry.name} has neither path nor repo_id")
    try:
        return Path(snapshot_download(entry.repo_id, local_files_only=is_offline()))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = "offline" if is_offline() else type(error).__name__
        raise AssetError(
            f"{entry.repo_id}: cannot be fetched from huggingface.co ({reason}); "
            "download it elsewhere and give its folder as the model."
        ) from None


def _local(path: Path) -> CatalogueEntry:
    if path.is_dir() and (path / _MODEL_FILE).is_file():
        return _from_folder(path / _MODEL_FILE, "local")
    return replace(
        _HUNYUANVIDEO, name=path.name, title=str(path), licence="unknown", source="local", repo_id=None, path=path
    )


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


HUNYUANVIDEO_REPOS = ("hunyuanvideo-community/HunyuanVideo", "tencent/HunyuanVideo")
_HUNYUANVIDEO = CatalogueEntry(
    name="hunyuanvideo",
    title="HunyuanVideo, 13B (arXiv 2412.03603)",
    licence="Tencent Hunyuan Community License (not licensed in the EU, the UK and South Korea)",
    source="hub",
    repo_id=HUNYUANVIDEO_REPOS[0],
    defaults={  # as the released command line
        "width": 1280,
        "height": 720,
        "frames": 129,
        "fps": 24,
        "steps": 50,
        "shift": 7.0,
        "guidance": 6.0,
        "cfg": 1.0,
    },  # fmt: skip
    native_sizes={  # the released tables of sizes; 129 frames each
        "540p": ((960, 544), (544, 960), (832, 624), (624, 832), (720, 720)),
        "720p": ((1280, 720), (720, 1280), (1104, 832), (832, 1104), (960, 960)),
    },
)
