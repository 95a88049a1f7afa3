"""What a hub can answer, as one line with the remedy."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError

from muybridge.core.errors import AssetError


@contextmanager
def explained(repo_id: str) -> Iterator[None]:
    """Raises AssetError for every way in which the block can fail to reach a hub or to write to the disk."""
    page = f"{constants.ENDPOINT}/{repo_id}"
    try:
        yield
    except GatedRepoError:
        remedy = f"ask for access at {page}, then log in with `hf auth login`"
        raise AssetError(f"{repo_id}: is gated; {remedy}.") from None
    except RepositoryNotFoundError:
        remedy = "check the name, and for a private one log in with `hf auth login`"
        raise AssetError(f"{repo_id}: there is no such repository, or it is private; {remedy}.") from None
    except EntryNotFoundError as error:
        raise AssetError(f"{repo_id}: lacks a file ({_first_line(error)}); check {page}.") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise AssetError(f"{repo_id}: the disk is full; free space and run the same command again.") from None
        remedy = "run the same command again to continue, or fetch it elsewhere and give its folder as the model"
        raise AssetError(f"{repo_id}: cannot be fetched ({_first_line(error)}); {remedy}.") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(". ")
