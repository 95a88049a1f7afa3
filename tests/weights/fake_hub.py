"""A hub on this machine that speaks as much of huggingface.co's HTTP as a download needs."""

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

    lies: files that arrive with other bytes than listed. breaks_after_bytes: of the next large answer.
    ranges: the Range headers that came.
    """

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(files)
        self.lies: dict[str, bytes] = {}
        self.breaks_after_bytes: int | None = None
        self.ranges: list[str] = []

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is to be."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def fake_hub(files: Mapping[str, bytes]) -> Iterator[FakeHub]:
    """The hub, in a thread of its own for as long as the block lasts."""
    hub = FakeHub(files)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
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
        file = "/".join(words[4:])
        data = self.server.lies.get(file, self.server.files[file])
        listed = self.server.files[file]
        headers = {"ETag": f'"{hashlib.sha256(listed).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if asked := self.headers.get("Range"):
            self.server.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            return self._send(206, data[start:], headers, has_body=has_body)
        return self._send(200, data, headers, has_body=has_body)

    def _listing(self) -> dict[str, object]:
        siblings = [
            {"rfilename": name, "size": len(data), "lfs": {"sha256": hashlib.sha256(data).hexdigest(),
             "size": len(data), "pointerSize": 1}} for name, data in self.server.files.items()
        ]  # fmt: skip
        return {"id": "owner/model", "modelId": "owner/model", "sha": COMMIT, "private": False, "siblings": siblings}

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], *, has_body: bool) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        limit = self.server.breaks_after_bytes
        if has_body and limit is not None and len(body) > limit:
            self.server.breaks_after_bytes = None
            self.wfile.write(body[:limit])
            self.wfile.flush()
            self.connection.close()
        elif has_body:
            self.wfile.write(body)
