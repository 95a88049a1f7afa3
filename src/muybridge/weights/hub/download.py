"""A repository's folder on this machine, with every file that is needed."""

import shutil
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import constants

from muybridge.core.env import cache_folder, hub_folder, is_offline
from muybridge.core.errors import AssetError
from muybridge.core.files import OnBytes
from muybridge.weights.hub.folder import FolderHub
from muybridge.weights.hub.hugging_face import HuggingFace
from muybridge.weights.hub.listing import Hub, HubFile, Listing

OnDownload = Callable[[str, int, int], None]  # file, its bytes so far, its size
GIB = 2**30


def hub_in_use() -> Hub:
    """The mirror that the environment names, else huggingface.co."""
    mirror = hub_folder()
    return HuggingFace() if mirror is None else FolderHub(mirror, cache_folder() / "hub")


def download(repo_id: str, patterns: Sequence[str] | None, *, hub: Hub, on_progress: OnDownload | None = None) -> Path:
    """The local folder of a repository with every file that fits a pattern; None takes those of a model folder.

    Files that are there already are kept, an interrupted one continues at its last byte, each new one is compared with
    the size and the digest that the hub tells. Offline, what is there is taken as it is.
    Raises AssetError, with the remedy, where the hub cannot be used, the disk is full, or a file arrives damaged.
    """
    if is_offline():
        return _fetched_before(repo_id, hub)
    listing = hub.listing(repo_id)
    wanted = [
        file for file in listing.files if any(fnmatch(file.path, each) for each in patterns or _of_a_model(listing))
    ]
    if not wanted:
        raise AssetError(f"{repo_id}: holds none of the files that are needed; check the name of the repository.")
    missing = [file for file in wanted if not _is_there(hub.cached(listing, file), file)]
    _check_room(repo_id, sum(file.size_bytes - hub.held_bytes(listing, file) for file in missing))
    for file in missing:
        hub.fetch(listing, file, on_bytes=_counted(file, on_progress))
    folder = hub.folder(repo_id)
    if folder is None:
        raise AssertionError(f"{repo_id}: fetched {len(wanted)} files, but its folder is not there")
    return folder


def _fetched_before(repo_id: str, hub: Hub) -> Path:
    folder = hub.folder(repo_id)
    if folder is None:
        remedy = "go online once, or fetch it elsewhere and give its folder as the model"
        raise AssetError(f"{repo_id}: was never fetched to this machine, and downloads are switched off; {remedy}.")
    return folder


def _of_a_model(listing: Listing) -> tuple[str, ...]:
    """Patterns for a repository that the catalogue does not know: a diffusers folder without its second copies."""
    if not any(file.path == "model_index.json" for file in listing.files):
        return ("*",)
    return ("*.json", "*/*.safetensors", "*/*.txt", "*/*.model")


def _is_there(path: Path | None, file: HubFile) -> bool:
    return path is not None and path.is_file() and path.stat().st_size == file.size_bytes


def _check_room(repo_id: str, num_bytes: int) -> None:
    folder = cache_folder() if hub_folder() else Path(constants.HF_HUB_CACHE)
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if num_bytes > free:
        rule = f"{num_bytes / GIB:.3g} GiB are to be fetched and the disk of {folder} has {free / GIB:.3g} GiB free"
        raise AssetError(f"{repo_id}: {rule}; free space, or set HF_HOME to a folder on a larger disk.")


def _counted(file: HubFile, on_progress: OnDownload | None) -> OnBytes:
    done = 0

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        if on_progress is not None:
            on_progress(file.path, min(done, file.size_bytes), file.size_bytes)

    return on_bytes
