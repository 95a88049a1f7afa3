"""huggingface.co, or what $HF_ENDPOINT names, and the cache on this machine that all its clients share."""

import os
import time
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_url, try_to_load_from_cache
from huggingface_hub.utils import build_hf_headers

from muybridge.core.errors import AssetError
from muybridge.core.files import OnBytes, atomic_path
from muybridge.weights.hub import unfinished
from muybridge.weights.hub.answers import explained
from muybridge.weights.hub.listing import HubFile, Listing
from muybridge.weights.hub.transfer import FIRST_PAUSE_S, receive

_STALE_S = 14 * 24 * 3600  # an unfinished file of a version that nobody fetches any more


class HuggingFace:
    """The hub by HTTP, with the client's own endpoint, proxies, token and cache.

    The client's own downloads give each run a temporary file and begin anew; ours gather in blobs/DIGEST.partial.
    """

    def __init__(self, *, first_pause_s: float = FIRST_PAUSE_S) -> None:
        """`first_pause_s`: after the first failure; each further one in a row doubles it."""
        self._first_pause_s = first_pause_s

    def listing(self, repo_id: str) -> Listing:
        """As `Hub.listing`."""
        with explained(repo_id):
            info = HfApi().model_info(repo_id, files_metadata=True, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
        files = tuple(
            HubFile(
                path=each.rfilename,
                size_bytes=each.size or 0,
                digest=each.blob_id if each.lfs is None else each.lfs.sha256,
            )
            for each in info.siblings or ()
        )
        return Listing(repo_id=repo_id, revision=info.sha or constants.DEFAULT_REVISION, files=files)

    def cached(self, listing: Listing, file: HubFile) -> Path | None:
        """As `Hub.cached`."""
        found = try_to_load_from_cache(listing.repo_id, file.path, revision=listing.revision)
        return Path(found) if isinstance(found, str) else None

    def held_bytes(self, listing: Listing, file: HubFile) -> int:
        """As `Hub.held_bytes`."""
        return unfinished.held_bytes(unfinished.partial_path(_blob(listing, file)))

    def fetch(self, listing: Listing, file: HubFile, *, on_bytes: OnBytes) -> Path:
        """As `Hub.fetch`: the bytes in the cache's `blobs`, and a link to them in its snapshot."""
        blob, folder = _blob(listing, file), _repository(listing.repo_id)

        def rest(partial: Path) -> None:
            receive(
                hf_hub_url(listing.repo_id, file.path, revision=listing.revision),
                partial,
                size_bytes=file.size_bytes,
                headers=build_hf_headers(),
                on_bytes=on_bytes,
                first_pause_s=self._first_pause_s,
            )

        with explained(listing.repo_id):
            lock = folder.parent / ".locks" / folder.name / f"{blob.name}.lock"  # the one that other clients take
            unfinished.gather(blob, file, receive=rest, lock=lock, repo_id=listing.repo_id)
            with atomic_path(folder / "refs" / constants.DEFAULT_REVISION) as temporary:
                temporary.write_text(listing.revision)
            _remove_stale(blob.parent)
            return _linked(blob, folder / "snapshots" / listing.revision / file.path)

    def folder(self, repo_id: str) -> Path | None:
        """As `Hub.folder`: the snapshot that was fetched last."""
        snapshots = [each for each in (_repository(repo_id) / "snapshots").glob("*") if each.is_dir()]
        return max(snapshots, key=lambda each: each.stat().st_mtime_ns, default=None)


def _repository(repo_id: str) -> Path:
    return Path(constants.HF_HUB_CACHE) / f"models--{repo_id.replace('/', '--')}"


def _blob(listing: Listing, file: HubFile) -> Path:
    """Where the cache keeps a file's bytes, by their digest."""
    if file.digest is None:
        raise AssetError(f"{listing.repo_id}: its hub tells no digest of {file.path}; fetch it from another.")
    return _repository(listing.repo_id) / "blobs" / file.digest


def _linked(blob: Path, pointer: Path) -> Path:
    """`pointer`, which leads to `blob`, or is it where the disk has no links."""
    if pointer.exists() and pointer.samefile(blob):
        return pointer
    pointer.parent.mkdir(parents=True, exist_ok=True)
    pointer.unlink(missing_ok=True)
    try:
        pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    except FileExistsError:  # of another process
        return pointer
    except OSError:
        os.replace(blob, pointer)
    return pointer


def _remove_stale(blobs: Path) -> None:
    for left in blobs.glob("*.partial*"):
        if time.time() - left.stat().st_mtime > _STALE_S:
            left.unlink(missing_ok=True)
