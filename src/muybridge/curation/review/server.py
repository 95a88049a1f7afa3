"""A web server for one desk, for the browser of this machine alone.

It listens on the loopback and answers only requests that name it by its own address and know the token in the path:
other pages in the same browser cannot read or send anything, nor can names that were bent to the loopback.
"""

import json
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from muybridge.core.errors import InvalidInput, MuybridgeError, RunFailed
from muybridge.curation.review.desk import Desk
from muybridge.curation.review.page import page_of

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 2**16  # a vote with a whole caption is a tenth of it
_CHUNK_BYTES = 2**16
_TYPES = {".mp4": "video/mp4", ".png": "image/png", ".webp": "image/webp"}
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_START = re.compile(r"[0-9]{1,9}")
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
OnApply = Callable[[], Mapping[str, Any]]


class ReviewServer(ThreadingHTTPServer):
    """Serves until `shutdown`. on_apply: writes verdicts back and says what came of it, JSON-ready.

    Raises RunFailed where the port is taken; port 0 is any free one.
    """

    daemon_threads = True

    def __init__(self, desk: Desk, *, on_apply: OnApply, port: int = 0) -> None:
        self.desk, self.on_apply, self.token = desk, on_apply, secrets.token_urlsafe(16)
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except (OSError, OverflowError) as error:
            raise RunFailed(f"port {port}: cannot be listened on ({error}); choose another, or 0 for any.") from None

    @property
    def address(self) -> str:
        """What a browser opens."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names by which requests may call this server."""
        return f"{LOOPBACK}:{self.server_port}", f"localhost:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds without a word from the browser

    def do_GET(self) -> None:
        """The page, what it asks for, and clips."""
        parts = self._allowed()
        if parts is None:
            return
        desk = self.server.desk
        match parts:
            case [""]:
                self._page()
            case ["api", "state"]:
                self._answer(desk.state)
            case ["api", "clips", start] if _START.fullmatch(start):
                self._answer(lambda: desk.part(int(start)))
            case ["api", "agreement"]:
                self._answer(desk.agreement)
            case ["api", "clip", clip] if _ID.fullmatch(clip):
                self._answer(lambda: desk.clip(clip))
            case ["clip", clip] if _ID.fullmatch(clip):
                self._clip(clip)
            case _:
                self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """A vote, or the wish to write verdicts back."""
        parts = self._allowed()
        if parts is None:
            return
        said = self._body()
        if said is None:
            return
        match parts:
            case ["api", "vote"]:
                self._answer(lambda: self.server.desk.vote(said))
            case ["api", "apply"]:
                self._answer(lambda: dict(self.server.on_apply()))
            case _:
                self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    def log_message(self, format: str, *parts: Any) -> None:
        """Only for those who debug: addresses hold the token."""
        logger.debug("review %s", self.command)

    def _allowed(self) -> list[str] | None:
        """What follows the token in the path; None where the request was refused."""
        origin = self.headers.get("Origin")
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0] not in self.server.hosts:
            return self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "this server has another name")
        if origin is not None and origin.removeprefix("http://") not in self.server.hosts:
            return self._refuse(HTTPStatus.FORBIDDEN, "asked by another page")
        path = urlsplit(self.path).path
        token, _, rest = path.removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode()):
            return self._refuse(HTTPStatus.FORBIDDEN, "the address lacks its token; open the one that was printed")
        return rest.split("/")

    def _body(self) -> dict[str, Any] | None:
        """The JSON that was sent; None where the request was refused."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get_content_type() != "application/json" or not re.fullmatch(r"[0-9]{1,9}", length):
            return self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON")
        if int(length) > MAX_BODY_BYTES:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long")
        try:
            said = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            said = None
        return said if isinstance(said, dict) else self._refuse(HTTPStatus.BAD_REQUEST, "send a JSON object")

    def _page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        content = page_of(nonce).encode()
        self._send(HTTPStatus.OK, content, "text/html; charset=utf-8", policy=_POLICY.format(nonce=nonce))

    def _answer(self, found: Callable[[], Mapping[str, Any]]) -> None:
        """JSON, or what was wrong in one line."""
        try:
            status, said = HTTPStatus.OK, found()
        except InvalidInput as error:
            status, said = HTTPStatus.BAD_REQUEST, {"error": str(error)}
        except (MuybridgeError, OSError) as error:
            status, said = HTTPStatus.CONFLICT, {"error": str(error)}
        self._send(status, json.dumps(said, allow_nan=False).encode(), "application/json")

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True  # what was sent along is not read
        self._send(status, json.dumps({"error": why}).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str, *, policy: str = "default-src 'none'") -> None:
        self.send_response(status)
        self._send_headers({"Content-Type": kind, "Content-Length": str(len(content)), "Cache-Control": "no-store"})
        self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _send_headers(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        if self.close_connection:
            self.send_header("Connection", "close")

    def _clip(self, clip: str) -> None:
        """A clip's bytes, or the range of them that a browser needs for seeking."""
        try:
            path = self.server.desk.file(clip)
            size = path.stat().st_size
        except (InvalidInput, OSError):
            return self._refuse(HTTPStatus.NOT_FOUND, "the clip is gone")
        asked = self.headers.get("Range")
        span = span_of(asked, size)
        headers = {"Content-Type": _TYPES.get(path.suffix, "application/octet-stream"), "Accept-Ranges": "bytes"}
        if span is None:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self._send_headers({"Content-Range": f"bytes */{size}", "Content-Length": "0"})
            self.end_headers()
            return
        start, end = span
        is_part = asked is not None and (start, end) != (0, size)
        self.send_response(HTTPStatus.PARTIAL_CONTENT if is_part else HTTPStatus.OK)
        headers |= {"Content-Range": f"bytes {start}-{end - 1}/{size}"} if is_part else {}
        self._send_headers({**headers, "Content-Length": str(end - start), "Cache-Control": "no-store"})
        self.end_headers()
        if self.command != "HEAD":
            self._copy(path, start, end)

    def _copy(self, path: Path, start: int, end: int) -> None:
        with path.open("rb") as file:
            file.seek(start)
            while start < end and (content := file.read(min(_CHUNK_BYTES, end - start))):
                try:
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):  # the reviewer went on to the next clip
                    self.close_connection = True
                    return
                start += len(content)
        self.close_connection |= start < end


def span_of(asked: str | None, size: int) -> tuple[int, int] | None:
    """(first byte, byte after the last) of a Range header, all for one that is not understood; None where none is."""
    found = _RANGE.fullmatch(asked or "")
    if not found or found.groups() == ("", ""):
        return 0, size
    if not found[1]:
        return (max(0, size - int(found[2])), size) if int(found[2]) else None
    start, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
    return (start, end) if start < end else None
