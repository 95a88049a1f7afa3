"""Bytes from elsewhere: HTTP by its client, any other address by fsspec."""

import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlsplit

import httpx2

from muybridge.core.errors import InvalidInput, MediaError, MissingExtra, RunFailed
from muybridge.core.files import CHUNK_BYTES

try:
    import fsspec
except ImportError:
    fsspec = None

NUM_ATTEMPTS = 3
FIRST_PAUSE_S = 1.0
TIMEOUT_S = 30.0  # without a byte
SLOW_AFTER_S, SLOWEST_BYTES_PER_S = 60.0, 10_000  # what then comes more slowly would hold a worker for hours
DRIVERS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
_LASTING = (400, 401, 403, 404, 410, 451)  # HTTP: asking again brings the same
_SIGNATURES = {"signature", "sig", "x-amz-signature", "x-goog-signature"}  # of S3, GCS, CloudFront and Azure
_PASSWORDS = {"token", "access_token"}


def is_address(text: str) -> bool:
    """Whether it is SCHEME://..., not a path."""
    scheme, mark, _ = text.partition("://")
    return bool(mark) and scheme.isascii() and scheme[:1].isalpha() and scheme.replace("+", "").isalnum()


def is_http(address: str) -> bool:
    """Whether it is fetched over HTTP."""
    return address.lower().startswith(("http://", "https://"))


def lasting(address: str) -> str:
    """The address without what lets one in for a while: user, signature, token. What is left may be written down."""
    if not is_http(address):
        return address
    parts = urlsplit(address)
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    query = "" if names & _SIGNATURES else parts.query
    kept = [each for each in query.split("&") if each and each.partition("=")[0].lower() not in _PASSWORDS]
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="&".join(kept), fragment="").geturl()


def fetch(
    address: str, path: Path, *, first_pause_s: float = FIRST_PAUSE_S, slow_after_s: float = SLOW_AFTER_S
) -> None:
    """Write what is at `address` to `path`, in several attempts, each going on where the one before broke off.

    Raises MediaError where it cannot be had.
    """
    get = _HttpFile(address, path).go_on if is_http(address) else partial(_by_fsspec, address, path)
    for attempt in range(NUM_ATTEMPTS):
        try:
            get(slow_after_s)
            return
        except FileNotFoundError:
            raise MediaError(f"{_shown(address)}: is not there; check the address.") from None
        except (OSError, httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            is_lasting = isinstance(error, _Lasting | httpx2.InvalidURL | httpx2.TooManyRedirects)
            if attempt == NUM_ATTEMPTS - 1 or is_lasting:
                raise MediaError(f"{_shown(address)}: cannot be fetched ({said}); check the address.") from None
            time.sleep(first_pause_s * 2**attempt)


def file_system(address: str) -> tuple[Any, str]:
    """(the file system, the path in it) of an address. Raises MissingExtra, InvalidInput, RunFailed."""
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
    except OSError as error:
        raise RunFailed(f"{_shown(address)}: cannot be reached ({error}); check the address and your rights.") from None


class _Lasting(ValueError):
    """An answer that will not change."""


class _HttpFile:
    """A file that grows by one attempt after the other, as long as the server says that it is still the same."""

    def __init__(self, address: str, path: Path) -> None:
        self._address, self._path = address, path
        self._edition: str | None = None  # strong names alone may join parts.   RFC 9110, 13.1.5

    def go_on(self, slow_after_s: float) -> None:
        """Ask for what is missing, or all of it."""
        asked = {"Accept-Encoding": "identity"}  # bytes as they lie there
        if self._edition is not None and (num_bytes := self._path.stat().st_size):
            asked |= {"Range": f"bytes={num_bytes}-", "If-Range": self._edition}
        with httpx2.stream("GET", self._address, headers=asked, follow_redirects=True, timeout=TIMEOUT_S) as answer:
            if answer.status_code in _LASTING:
                raise _Lasting(f"the server answers {answer.status_code}")
            is_rest = answer.status_code == 206 and "Range" in asked
            if answer.is_error:
                self._edition = None
                raise OSError(f"the server answers {answer.status_code}")
            with self._path.open("ab" if is_rest else "wb") as file:
                edition = answer.headers.get("ETag", "W/")
                self._edition = None if edition.startswith("W/") else edition
                _write(answer.iter_bytes(), file, slow_after_s=slow_after_s)


def _by_fsspec(address: str, path: Path, slow_after_s: float) -> None:
    system, name = file_system(address)
    with system.open(name, "rb") as source, path.open("wb") as file:
        _write(_chunks(source), file, slow_after_s=slow_after_s)


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(CHUNK_BYTES):
        yield chunk


def _write(chunks: Iterable[bytes], file: BinaryIO, *, slow_after_s: float) -> None:
    """Raises `_Lasting` where they come too slowly."""
    begun, num_bytes = time.monotonic(), 0
    for chunk in chunks:
        file.write(chunk)
        num_bytes += len(chunk)
        took_s = time.monotonic() - begun
        if took_s > slow_after_s and num_bytes < SLOWEST_BYTES_PER_S * took_s:
            raise _Lasting(f"{num_bytes / took_s:.0f} bytes a second came")


def _shown(address: str) -> str:
    """The address without what may be a key: signed addresses carry it behind the question mark."""
    return lasting(address).partition("?")[0]
