"""Laws of finding footage: every file is a source or says why not, whatever it is called."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import fsspec
import pyarrow
import pyarrow.parquet as parquet
import pytest

from muybridge.core.errors import InvalidInput, MediaError, MissingExtra
from muybridge.curation.sources.fetch import on_this_machine
from muybridge.curation.sources.find import find_sources
from muybridge.curation.sources.folder import terms
from muybridge.curation.sources.item import SourceItem
from muybridge.curation.sources.remote import fetch, lasting


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"film")
    return folder


def found(*places: object) -> dict[str, SourceItem]:
    return {item.uri: item for item in find_sources([str(place) for place in places])}


def test_a_folder_is_read_whatever_is_in_it(tmp_path: Path):
    touch(tmp_path, "a.mp4", "deep/b.MOV", "deep/notes.txt", "new\nline.mp4", "100%.png", "bell\x07.gif")
    (tmp_path / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"film")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "self.mp4").symlink_to("self.mp4")
    (tmp_path / "gone.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(os.path.relpath(tmp_path / "plug.mp4"))
    items = found(tmp_path)
    assert {uri for uri, item in items.items() if item.problem is None} == {
        "100%25.png", "a.mp4", "bell%07.gif", "caf%E9.mp4", "deep/b.MOV", "new%0Aline.mp4",
    }  # fmt: skip
    assert {uri: item.problem for uri, item in items.items() if item.problem is not None} == {
        "deep/notes.txt": "is neither film nor picture",
        "self.mp4": "cannot be read (Too many levels of symbolic links)",
        "gone.mp4": "cannot be read (No such file or directory)",
        "folder.mp4": "is a folder named like a film",
        "pipe.mp4": "is no regular file",
        "plug.mp4": "is no regular file",
    }
    assert Path(items["caf%E9.mp4"].place).read_bytes() == b"film"
    assert len({item.id for item in items.values()}) == len(items)


def test_the_same_footage_elsewhere_has_the_same_ids(tmp_path: Path):
    ids = [[item.id for item in find_sources([str(touch(tmp_path / place, "a.mp4", "b/c.mp4"))])] for place in "xy"]
    assert ids[0] == ids[1]


def test_results_of_a_run_are_no_footage(tmp_path: Path):
    touch(tmp_path, "a.mp4", "out/curation.json", "out/clips/00/x.mp4")
    assert found(tmp_path).keys() == {"a.mp4"}


def test_sidecars_give_licence_and_consent(tmp_path: Path):
    touch(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    (tmp_path / "a.json").write_text(json.dumps({"licence": "CC0-1.0", "consent": True}))
    (tmp_path / "b.mp4.json").write_text(json.dumps({"license": "MIT", "consent": "no"}))
    (tmp_path / "c.json").write_text("{broken")
    said = {uri: (item.licence, item.has_consent) for uri, item in found(tmp_path).items()}
    assert said == {"a.mp4": ("CC0-1.0", True), "b.mp4": ("MIT", False), "c.mp4": (None, False)}


@pytest.mark.parametrize("consent, is_given", [
    (True, True), ("Yes ", True), (1, True), (1.0, True), (0.0, False), (None, False), ("maybe", False), ("", False),
])  # fmt: skip
def test_consent_is_what_says_yes_and_nothing_else(consent: object, is_given: bool):
    assert terms({"Consent": consent}) == (None, is_given)


def test_globs_files_and_what_is_not_there(tmp_path: Path):
    touch(tmp_path, "a.mp4", "deep/b.mp4", "deep/c.png", "d.zip")
    (tmp_path / "deep" / "again").symlink_to(tmp_path)
    touch(tmp_path, ".hidden.mp4")
    assert found(tmp_path / "**" / "*.mp4").keys() == {"a.mp4", "deep/b.mp4"}
    assert found(tmp_path / "d*" / "**").keys() == {"deep/b.mp4", "deep/c.png"}
    assert found(tmp_path / "a.mp4").keys() == {"a.mp4"}
    for place in (tmp_path / "x", tmp_path / "*.mkv", tmp_path / "d.zip"):
        with pytest.raises(InvalidInput):
            found(place)
    with pytest.raises(InvalidInput, match="several"):
        found(tmp_path, tmp_path / "a.mp4")


def _csv(rows: list[dict[str, str]], path: Path) -> None:
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    path.with_suffix(".csv").write_text("\n".join(lines))


def _jsonl(rows: list[dict[str, str]], path: Path) -> None:
    path.with_suffix(".jsonl").write_text("\n".join(map(json.dumps, rows)))


def _parquet(rows: list[dict[str, str]], path: Path) -> None:
    parquet.write_table(pyarrow.Table.from_pylist(rows), path.with_suffix(".parquet"))


@pytest.mark.parametrize("write", [_csv, _jsonl, _parquet])
def test_every_row_of_a_table_is_an_item(tmp_path: Path, write: Callable[[list[dict[str, str]], Path], None]):
    touch(tmp_path, "a.mp4")
    places = ("a.mp4", "https://x.example/b.mp4?key=1", "", "a.mp4", "gone.mp4")
    write([{"path": place, "licence": "MIT", "consent": "yes"} for place in places], tmp_path / "list")
    (table,) = tmp_path.glob("list.*")
    items = found(table)
    good = [item for item in items.values() if item.problem is None]
    assert [(item.uri, item.is_remote) for item in good] == [
        ("a.mp4", False), ("gone.mp4", False), ("https://x.example/b.mp4?key=1", True),
    ]  # fmt: skip
    assert all((item.licence, item.has_consent) == ("MIT", True) for item in good)
    assert len(items) == 5 and any("lists a.mp4 again" in str(item.problem) for item in items.values())


def test_a_list_names_a_source_a_line(tmp_path: Path):
    (tmp_path / "list.txt").write_text("# films\nhttps://x.example/a.mp4\n\nb.mp4\n")
    assert found(tmp_path / "list.txt").keys() == {"https://x.example/a.mp4", "b.mp4"}


def test_a_bucket_is_listed_and_read_when_its_turn_comes(tmp_path: Path):
    system = fsspec.filesystem("memory")
    for name in ("a.mp4", "deep/b.mp4", "deep/c.txt"):
        system.pipe(f"/bucket/films/{name}", name.encode())
    items = found("memory://bucket/films")
    assert {uri: item.problem is None for uri, item in items.items()} == {
        "a.mp4": True, "deep/b.mp4": True, "deep/c.txt": False,
    }  # fmt: skip
    assert found("memory://bucket/films/deep/*.mp4").keys() == {"b.mp4"}
    assert found("memory://bucket/films/a.mp4").keys() == {"a.mp4"}
    assert on_this_machine(items["deep/b.mp4"], tmp_path).path.read_bytes() == b"deep/b.mp4"
    touch(tmp_path / "disk", "e.mp4")
    assert found(f"file://{tmp_path}/disk").keys() == {"e.mp4"}
    with pytest.raises(InvalidInput, match="holds no file"):
        found("memory://bucket/nothing")
    with pytest.raises(MissingExtra, match="s3fs"):
        found("s3://bucket/films")


class Server(BaseHTTPRequestHandler):
    """Answers the second time, or never, or only in part, or slowly."""

    asked: dict[str, int] = {}

    def do_GET(self) -> None:
        self.asked[self.path] = self.asked.get(self.path, 0) + 1
        if self.path.startswith(("/part", "/slow")):
            self._answer_long()
            return
        status = 404 if "gone" in self.path else 503 if "busy" in self.path or self.asked[self.path] == 1 else 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"film")

    def _answer_long(self) -> None:
        """Half of the film, then the rest or, where it was renewed meanwhile, all of another; or byte for byte."""
        is_again, is_renewed = self.asked[self.path] > 1, "renewed" in self.path and self.asked[self.path] > 1
        edition, content = ('"2"', b"FILM" * 8) if is_renewed else ('"1"', b"film" * 8)
        is_rest = is_again and self.headers["If-Range"] == edition
        content = content[int(self.headers["Range"][6:-1]) :] if is_rest else content
        self.send_response(206 if is_rest else 200)
        self.send_header("ETag", edition)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        pieces = [bytes([each]) for each in content] if "slow" in self.path else [content if is_again else content[:16]]
        with suppress(ConnectionError):
            for piece in pieces:
                self.wfile.write(piece)
                time.sleep(0.01 if "slow" in self.path else 0)

    def log_message(self, format: str, *values: object) -> None:
        """Keep quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Server)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_http_is_tried_again_but_not_for_ever(address: str, tmp_path: Path):
    fetch(f"{address}/a.mp4", tmp_path / "a.mp4", first_pause_s=0.001)
    assert (tmp_path / "a.mp4").read_bytes() == b"film"
    for name in ("gone.mp4", "busy.mp4"):
        with pytest.raises(MediaError, match="cannot be fetched") as caught:
            fetch(f"{address}/{name}?key=secret", tmp_path / name, first_pause_s=0.001)
        assert "secret" not in str(caught.value)
    assert [Server.asked[f"/{name}?key=secret"] for name in ("gone.mp4", "busy.mp4")] == [1, 3]


@pytest.mark.parametrize(("name", "wanted"), [("part.mp4", b"film"), ("part-renewed.mp4", b"FILM")])
def test_what_broke_off_is_gone_on_with_unless_it_has_changed(address: str, name: str, wanted: bytes, tmp_path: Path):
    fetch(f"{address}/{name}", tmp_path / name, first_pause_s=0.001)
    assert (tmp_path / name).read_bytes() == wanted * 8


def test_what_comes_too_slowly_is_given_up(address: str, tmp_path: Path):
    with pytest.raises(MediaError, match="bytes a second came"):
        fetch(f"{address}/slow.mp4", tmp_path / "slow.mp4", slow_after_s=0.02)
    assert Server.asked["/slow.mp4"] == 1


def test_what_lets_one_in_is_not_written_down():
    signed = "https://ann:pass@x.example/a.mp4?v=2&X-Amz-Date=1&X-Amz-Signature=abc"
    assert lasting(signed) == "https://x.example/a.mp4"
    assert lasting("https://x.example/watch?v=a%20b&access_token=abc&t=1") == "https://x.example/watch?v=a%20b&t=1"
    assert lasting("s3://bucket/a?b.mp4") == "s3://bucket/a?b.mp4"
