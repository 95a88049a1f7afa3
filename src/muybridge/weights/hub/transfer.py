"""A file over HTTP, continued where it stopped: after a pause in this run, and in the next one from what is on disk."""

import re
import time
from collections.abc import Mapping
from pathlib import Path

import httpx2
from huggingface_hub import constants
from huggingface_hub.utils import get_session, hf_raise_for_status

from muybridge.core.files import OnBytes
from muybridge.weights.hub.unfinished import held_bytes

MAX_IDLE_ATTEMPTS = 6  # in a row, that bring nothing: with pauses from 1 s on, half a minute
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
_PART, _NOTHING_THERE = 206, 416  # HTTP
_BUSY = (408, 429, 500, 502, 503, 504)
_START = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


def receive(
    url: str,
    partial: Path,
    *,
    size_bytes: int,
    headers: Mapping[str, str],
    on_bytes: OnBytes,
    first_pause_s: float = FIRST_PAUSE_S,
) -> None:
    """Add to `partial` what it lacks of the file at `url`; `on_bytes` first hears what is there already.

    What the server calls its version of the file is kept beside `partial`, so that bytes of two versions never meet:
    where it differs, or the server sends only whole files, the file begins anew and `on_bytes` hears a negative count.
    Raises the client's error where several attempts in a row bring nothing, or the server refuses.
    """
    on_bytes(held_bytes(partial))
    num_idle = 0
    while (held := held_bytes(partial)) < size_bytes or not partial.exists():
        try:
            _attempt(url, partial, size_bytes=size_bytes, headers=headers, on_bytes=on_bytes)
            fault = httpx2.RemoteProtocolError("the server's answer ends before the file does")
        except (httpx2.TransportError, _Busy) as error:
            fault = error
        if held_bytes(partial) >= size_bytes and partial.exists():
            break
        num_idle = 0 if held_bytes(partial) > held else num_idle + 1
        if num_idle == MAX_IDLE_ATTEMPTS:
            raise fault
        asked_s = fault.pause_s if isinstance(fault, _Busy) else 0.0
        time.sleep(min(LONGEST_PAUSE_S, max(asked_s, first_pause_s * 2**num_idle)))
    _tag_path(partial).unlink(missing_ok=True)


class _Busy(httpx2.HTTPError):
    """An answer that is likely to be another one soon."""

    def __init__(self, answer: httpx2.Response) -> None:
        super().__init__(f"the server answers {answer.status_code} {answer.reason_phrase}")
        asked = answer.headers.get("Retry-After", "")
        self.pause_s = float(asked) if asked.isdigit() else 0.0


def _attempt(url: str, partial: Path, *, size_bytes: int, headers: Mapping[str, str], on_bytes: OnBytes) -> None:
    """One request for the rest of the file, written as it arrives."""
    held = held_bytes(partial)
    asked = {**headers, "Accept-Encoding": "identity", **_rest(partial, held)}
    with get_session().stream(
        "GET", url, headers=asked, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT, follow_redirects=True
    ) as answer:
        if answer.status_code in _BUSY:
            raise _Busy(answer)
        if answer.status_code == _NOTHING_THERE:
            partial.unlink(missing_ok=True)
            raise ValueError(f"the server has nothing after byte {held}, so its file is not the one that it lists")
        hf_raise_for_status(answer)
        _write(answer, partial, size_bytes=size_bytes, on_bytes=on_bytes)


def _write(answer: httpx2.Response, partial: Path, *, size_bytes: int, on_bytes: OnBytes) -> None:
    """Put an answer's bytes where they belong, as they arrive; one that is too long is left at that."""
    held = held_bytes(partial)
    start = _start(answer, held)
    on_bytes(start - held)
    with partial.open("r+b" if held else "wb", buffering=0) as file:
        file.truncate(start)
        file.seek(start)
        _tag_path(partial).write_text(_strong_tag(answer))
        for chunk in answer.iter_raw():
            file.write(chunk)
            on_bytes(len(chunk))
            if file.tell() > size_bytes:
                return


def _rest(partial: Path, held: int) -> dict[str, str]:
    """Headers that ask for what is missing, if the server still has the version that is held."""
    if not held:
        return {}
    tag = _tag_path(partial).read_text() if _tag_path(partial).is_file() else ""
    return {"Range": f"bytes={held}-"} | ({"If-Range": tag} if tag else {})


def _start(answer: httpx2.Response, held: int) -> int:
    """The byte of the file at which an answer begins. Raises ValueError where it leaves a hole."""
    if answer.status_code != _PART:
        return 0
    said = answer.headers.get("Content-Range", "")
    found = _START.fullmatch(said)
    if found is None or int(found[1]) > held:
        raise ValueError(f"asked for byte {held} on, the server sends {said[:60]!r}")
    return int(found[1])


def _strong_tag(answer: httpx2.Response) -> str:
    """The server's name for the exact bytes; a weak one (W/) names only their meaning."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else ""


def _tag_path(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.etag")
