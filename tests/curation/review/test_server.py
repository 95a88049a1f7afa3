"""The server answers this machine's browser and nobody else; clips come in the ranges that seeking asks for."""

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muybridge.core.errors import RunFailed
from muybridge.curation.output.manifest import read_manifest
from muybridge.curation.review.server import ReviewServer, span_of
from muybridge.recipes.curation.review import open_review
from tests.curation.review.conftest import desk_of


@pytest.fixture
def server(made: Path) -> Iterator[ReviewServer]:
    with open_review(made, desk_of("ann")) as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


def ask(
    server: ReviewServer, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """path: whole, as it goes over the wire, so that nothing is tidied on the way."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    for name, value in (named | ({"Content-Length": str(len(body))} if body is not None else {})).items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def film(made: Path) -> dict[str, Any]:
    return next(row for row in read_manifest(made).rows() if not row["is_picture"])


def test_other_names_other_pages_and_wrong_tokens_are_refused(server: ReviewServer):
    home = f"/{server.token}/"
    assert server.server_address[0] == "127.0.0.1"
    assert ask(server, home)[0] == 200
    assert ask(server, home, Host=f"localhost:{server.server_port}")[0] == 200
    for host in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1:1", ""):
        assert ask(server, home, Host=host)[0] == 421
    assert ask(server, home, Origin="http://evil.example")[0] == 403
    for path in ("/", "/api/state", "//api/state", f"/{server.token[:-1]}/", "/%C3%A9/"):
        status, _, content = ask(server, path)
        assert status == 403 and server.token.encode() not in content


def test_no_path_leads_out_of_the_clips(server: ReviewServer, made: Path):
    for path in ("clip/../../manifest.parquet", "clip/..%2f..%2fmanifest.parquet", "clip/%2e%2e", "../thresholds.toml",
                 "clip/", "clip//etc/passwd", "page.js", "api/clip/nope", "api/clip/../state"):  # fmt: skip
        assert ask(server, f"/{server.token}/{path}")[0] in (400, 404)
    desk = server.desk
    clip = film(made)["id"]
    desk._places[clip] = "../../outside.mp4"  # a manifest from elsewhere
    assert ask(server, f"/{server.token}/clip/{clip}")[0] == 404


def test_clips_come_whole_or_in_ranges(server: ReviewServer, made: Path):
    row = film(made)
    content = (made / row["clip"]).read_bytes()
    path = f"/{server.token}/clip/{row['id']}"
    status, headers, body = ask(server, path)
    assert (status, body, headers["Content-Type"]) == (200, content, "video/mp4") and headers[
        "Accept-Ranges"
    ] == "bytes"
    status, headers, body = ask(server, path, Range="bytes=5-9")
    assert (status, body, headers["Content-Range"]) == (206, content[5:10], f"bytes 5-9/{len(content)}")
    assert ask(server, path, Range="bytes=-4")[2] == content[-4:]
    assert ask(server, path, Range=f"bytes={len(content)}-")[0] == 416
    assert ask(server, path, method="HEAD")[2] == b""


def test_the_queue_comes_in_parts_that_make_up_the_whole(server: ReviewServer):
    def part(start: object) -> list[str]:
        status, _, said = ask(server, f"/{server.token}/api/clips/{start}")
        assert status == 200
        return [clip["id"] for clip in json.loads(said)["clips"]]

    assert json.loads(ask(server, f"/{server.token}/api/state")[2])["num_clips"] == len(server.desk.queue) == 3
    assert [len(part(start)) for start in (0, 2, 3, 999_999_999)] == [2, 1, 0, 0]
    assert part(0) + part(2) == server.desk.queue
    assert ask(server, f"/{server.token}/api/clips/-1")[0] == 404


def test_ranges_are_read_as_the_standard_says():
    assert span_of(None, 10) == span_of("bytes=-", 10) == span_of("lines=1-2", 10) == (0, 10)
    assert (
        span_of("bytes=2-", 10) == (2, 10)
        and span_of("bytes=0-99", 10) == (0, 10)
        and span_of("bytes=-99", 10) == (0, 10)
    )
    assert span_of("bytes=4-3", 10) is span_of("bytes=-0", 10) is span_of("bytes=10-", 10) is None


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "text/plain", 415), (b"[]", "application/json", 400), (b"{", "application/json", 400),
        (b"[" * 60000, "application/json", 400), (b" " * 70000, "application/json", 413),
        (b'{"clip": "nope", "verdict": "approved"}', "application/json", 400),
    ],
)  # fmt: skip
def test_what_is_no_vote_is_refused_in_one_line(server: ReviewServer, body: bytes, kind: str, status: int):
    found, _, said = ask(server, f"/{server.token}/api/vote", method="POST", body=body, Content_Type=kind)
    assert found == status and json.loads(said)["error"]


def test_a_camera_outside_of_the_classes_is_refused(server: ReviewServer, made: Path):
    caption = {field.name: "" for field in server.desk.form.fields} | {"short": "A.", "dense": "A.", "camera": "dolly"}
    body = json.dumps({"clip": film(made)["id"], "verdict": "open", "caption": caption}).encode()
    status, _, said = ask(
        server, f"/{server.token}/api/vote", method="POST", body=body, Content_Type="application/json"
    )
    assert status == 400 and "camera: 'dolly' is not one of" in json.loads(said)["error"]


def test_a_taken_port_is_told(server: ReviewServer, made: Path):
    with pytest.raises(RunFailed, match="cannot be listened on"):
        open_review(made, desk_of("ben"), port=server.server_port)
