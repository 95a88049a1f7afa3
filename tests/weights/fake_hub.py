"""A hub on this machine that speaks as much of huggingface.co's HTTP as a download needs, and misbehaves as told."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0" * 40
REFUSALS = {"gated": (401, "GatedRepo"), "forbidden": (403, "GatedRepo"), "missing": (404, "RepoNotFound")}


class FakeHub(ThreadingHTTPServer):
    """Serves `files` of any repository OWNER/NAME; a NAME in `REFUSALS` is refused so.

    lies: files that arrive with other bytes than listed. versions: what ETag a file has, if not its SHA-256.
    cuts: at how many bytes each of the next answers of over that many breaks off. stalls_after_bytes: the next large
    answer stops there until `released`. ignores_ranges: sends whole files only. busy: statuses to answer first.
    sends_from: another server, to which large files are redirected.
    ranges, tags, tokens: the Range, If-Range and Authorization headers that came with requests for files.
    sent: how many bytes of each file went out.
    """

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(files)
        self.lies: dict[str, bytes] = {}
        self.versions: dict[str, str] = {}
        self.cuts: list[int] = []
        self.stalls_after_bytes: int | None = None
        self.released = threading.Event()
        self.ignores_ranges = False
        self.busy: list[int] = []
        self.sends_from: str | None = None
        self.ranges: list[str] = []
        self.tags: list[str] = []
        self.tokens: list[str | None] = []
        self.sent: dict[str, int] = {}

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is to be."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def fake_hub(files: Mapping[str, bytes]) -> Iterator[FakeHub]:
    """The hub, in a thread of its own for as long as the block lasts."""
    hub = FakeHub(files)
    thread = threading.Thread(target=lambda: hub.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        hub.shutdown()
        hub.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub  # type: ignore[assignment]

    def do_HEAD(self) -> None:
        self._answer(has_body=False)

    def do_GET(self) -> None:
        self._answer(has_body=True)

    def log_message(self, format: str, *values: object) -> None:
        """Quiet."""

    def _answer(self, *, has_body: bool) -> None:
        words = self.path.split("?")[0].strip("/").split("/")
        name = words[3] if words[0] == "api" else words[1]
        if name in REFUSALS:
            status, code = REFUSALS[name]
            return self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": "refused"}, has_body=has_body)
        if words[0] == "api":
            return self._send(200, json.dumps(self._listing()).encode(), {}, has_body=has_body)
        return self._file("/".join(words[4:]), has_body=has_body)

    def _file(self, file: str, *, has_body: bool) -> None:
        hub = self.server
        hub.tokens.append(self.headers.get("Authorization"))
        if hub.busy:
            return self._send(hub.busy.pop(0), b"", {}, has_body=has_body)
        if hub.sends_from is not None:
            return self._send(302, b"", {"Location": hub.sends_from + self.path}, has_body=has_body)
        data = hub.lies.get(file, hub.files[file])
        tag = f'"{hub.versions.get(file, hashlib.sha256(hub.files[file]).hexdigest())}"'
        headers = {"ETag": tag, "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        if condition is not None:
            hub.tags.append(condition)
        if asked is None or hub.ignores_ranges or condition not in (None, tag):
            return self._send(200, data, headers, has_body=has_body, file=file)
        hub.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").split("-")[0])
        if start >= len(data):
            return self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"}, has_body=has_body)
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self._send(206, data[start:], headers, has_body=has_body, file=file)

    def _listing(self) -> dict[str, object]:
        """Files of over 100 bytes as LFS has them, smaller ones as git does."""
        siblings = [
            {"rfilename": name, "size": len(data), "blobId": _git_digest(data)}
            | ({"lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 1}}
               if len(data) > 100 else {})
            for name, data in self.server.files.items()
        ]  # fmt: skip
        return {"id": "owner/model", "modelId": "owner/model", "sha": COMMIT, "private": False, "siblings": siblings}

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str], *, has_body: bool, file: str | None = None
    ) -> None:
        hub = self.server
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if not has_body:
            return
        limit = hub.cuts.pop(0) if hub.cuts and len(body) > hub.cuts[0] else None
        stall = hub.stalls_after_bytes if limit is None else None
        first = body[: limit if limit is not None else stall]
        self._write(first, file)
        if limit is not None:
            self.close_connection = True
        elif stall is not None and len(body) > stall:
            hub.stalls_after_bytes = None
            hub.released.wait()
            self._write(body[stall:], file)

    def _write(self, data: bytes, file: str | None) -> None:
        if file is not None:
            self.server.sent[file] = self.server.sent.get(file, 0) + len(data)
        try:
            self.wfile.write(data)
            self.wfile.flush()
        except OSError:  # the client is gone
            self.close_connection = True


def _git_digest(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
