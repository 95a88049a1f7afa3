"""Bytes from elsewhere: HTTP by its client, any other address by fsspec."""

import time
from pathlib import Path
from typing import Any

import httpx2

from muybridge.core.errors import InvalidInput, MediaError, MissingExtra
from muybridge.core.files import CHUNK_BYTES

try:
    import fsspec
except ImportError:
    fsspec = None

NUM_ATTEMPTS = 3
FIRST_PAUSE_S = 1.0
TIMEOUT_S = 30.0  # without a byte
DRIVERS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
_LASTING = (400, 401, 403, 404, 410, 451)  # HTTP: asking again brings the same


def is_address(text: str) -> bool:
    """Whether it is SCHEME://..., not a path."""
    scheme, mark, _ = text.partition("://")
    return bool(mark) and scheme.isascii() and scheme[:1].isalpha() and scheme.replace("+", "").isalnum()


def is_http(address: str) -> bool:
    """Whether it is fetched over HTTP."""
    return address.lower().startswith(("http://", "https://"))


def fetch(address: str, path: Path, *, first_pause_s: float = FIRST_PAUSE_S) -> None:
    """Write what is at `address` to `path`, in several attempts. Raises MediaError where it cannot be had."""
    get = _over_http if is_http(address) else _by_fsspec
    for attempt in range(NUM_ATTEMPTS):
        try:
            get(address, path)
            return
        except FileNotFoundError:
            raise MediaError(f"{_shown(address)}: is not there; check the address.") from None
        except (OSError, httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            if attempt == NUM_ATTEMPTS - 1 or isinstance(error, _Lasting | httpx2.InvalidURL):
                raise MediaError(f"{_shown(address)}: cannot be fetched ({said}); check the address.") from None
            time.sleep(first_pause_s * 2**attempt)


def file_system(address: str) -> tuple[Any, str]:
    """(the file system, the path in it) of an address. Raises MissingExtra, InvalidInput."""
    if fsspec is None:
        raise MissingExtra(f"{_shown(address)}: needs fsspec; run pip install 'muybridge[curate]'.")
    scheme = address.partition("://")[0].lower()
    try:
        return fsspec.core.url_to_fs(address)
    except ImportError:
        driver = DRIVERS.get(scheme, f"its driver of {scheme}")
        raise MissingExtra(f"{_shown(address)}: fsspec needs {driver}; run pip install {driver}.") from None
    except ValueError as error:
        raise InvalidInput(f"{_shown(address)}: {error}; use s3://, gs://, https:// or a path.") from None


class _Lasting(ValueError):
    """An answer that will not change."""


def _over_http(address: str, path: Path) -> None:
    with httpx2.stream("GET", address, follow_redirects=True, timeout=TIMEOUT_S) as answer:
        if answer.status_code in _LASTING:
            raise _Lasting(f"the server answers {answer.status_code}")
        if answer.is_error:
            raise OSError(f"the server answers {answer.status_code}")
        with path.open("wb") as file:
            for chunk in answer.iter_bytes(CHUNK_BYTES):
                file.write(chunk)


def _by_fsspec(address: str, path: Path) -> None:
    system, name = file_system(address)
    with system.open(name, "rb") as source, path.open("wb") as file:
        while chunk := source.read(CHUNK_BYTES):
            file.write(chunk)


def _shown(address: str) -> str:
    """The address without what may be a key: signed addresses carry it behind the question mark."""
    return address.partition("?")[0]
