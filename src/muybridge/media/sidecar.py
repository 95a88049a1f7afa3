"""Settings beside a file (`ball.json` by `ball.mp4`) and back, from inside the file or from beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from muybridge.core.errors import MediaError
from muybridge.core.files import atomic_path
from muybridge.media import image, video
from muybridge.media.envelope import pack, unpack
from muybridge.media.sequence import is_sequence, stem_of


def sidecar_path(path: Path) -> Path:
    """Where the settings of `path` lie: the same name with .json, for frame-%05d.png frame.json."""
    path = Path(path)
    if not is_sequence(path):
        return path.with_suffix(".json")
    return path.with_name(f"{stem_of(path)}.json")


def write_settings(path: Path, settings: Mapping[str, Any]) -> Path:
    """Write the settings beside the film or picture `path`, and return where. Raises MediaError or InvalidInput."""
    text = pack(settings, indent=2) + "\n"
    with atomic_path(sidecar_path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return sidecar_path(path)


def read_settings(path: Path) -> dict[str, Any]:
    """The settings that `path` was made with: a sidecar is read, a film or picture is asked, then its sidecar.

    What is inside the file wins, because it cannot be parted from it. Raises MediaError where the file is absent or
    damaged, or carries no settings of ours and has no sidecar.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        return _read_sidecar(path)
    settings = _embedded(path)
    if settings is None and sidecar_path(path).exists():
        settings = _read_sidecar(sidecar_path(path))
    if settings is None:
        raise MediaError(f"{path}: carries no settings; give a film that muybridge made, or its .json.")
    return settings


def _embedded(path: Path) -> dict[str, Any] | None:
    if path.suffix.lower() in image.IMAGE_SUFFIXES:
        return image.read_metadata(path)
    return video.read_metadata(path)


def _read_sidecar(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file; check the name.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"{path}: cannot be read ({error}); use another copy of the file.") from None
    return unpack(text, source=path)
