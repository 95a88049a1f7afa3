"""huggingface.co's HTTP, against a hub on this machine: whole, continued inside a file, and every refusal a line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import huggingface_hub.constants as constants
import huggingface_hub.file_download as file_download
import pytest
from huggingface_hub import hf_api, hf_hub_download

from muybridge.core.errors import AssetError
from muybridge.weights.hub import HubFile, HuggingFace, download
from tests.weights.fake_hub import COMMIT, FakeHub, fake_hub

REPO = "owner/model"
WEIGHTS = "transformer/model.safetensors"
FILES = {"model_index.json": b"{}", WEIGHTS: bytes(range(256)) * 8_000}
SIZE_BYTES, BREAK_BYTES = len(FILES[WEIGHTS]), 1_000_000
KILLED = """
from muybridge.weights.hub import HuggingFace, download
download("owner/model", None, hub=HuggingFace())
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The client reads its environment once, when it is imported, so its constants are set instead."""
    with fake_hub(FILES) as server:
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        for module in (constants, hf_api, file_download):
            for name, value in (("ENDPOINT", server.url), ("HUGGINGFACE_CO_URL_TEMPLATE", template)):
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, value)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        for name in ("MUYBRIDGE_OFFLINE", "HF_HUB_OFFLINE"):
            monkeypatch.setenv(name, "0")
        yield server


def client() -> HuggingFace:
    return HuggingFace(first_pause_s=0.001)


def fetched() -> bytes:
    return (download(REPO, None, hub=client()) / WEIGHTS).read_bytes()


def refusal(repo_id: str = REPO) -> str:
    with pytest.raises(AssetError) as caught:
        download(repo_id, None, hub=client())
    message = str(caught.value)
    assert "\n" not in message and message.startswith(f"{repo_id}: ")
    return message


def left(tmp_path: Path, ending: str) -> list[Path]:
    return list((tmp_path / "hf" / "models--owner--model" / "blobs").glob(f"*{ending}"))


def test_a_repository_comes_whole_with_its_progress(hub: FakeHub, tmp_path: Path):
    seen: dict[str, list[int]] = {}
    folder = download(
        REPO, None, hub=client(), on_progress=lambda file, done, _: seen.setdefault(file, []).append(done)
    )
    assert all((folder / name).read_bytes() == data for name, data in FILES.items())
    assert seen[WEIGHTS][-1] == SIZE_BYTES and seen[WEIGHTS] == sorted(seen[WEIGHTS])
    assert not left(tmp_path, ".partial*")


def test_other_tools_find_what_was_fetched(hub: FakeHub, tmp_path: Path):
    folder = download(REPO, None, hub=client())
    assert folder.name == COMMIT and (folder / WEIGHTS).is_symlink()
    found = hf_hub_download(REPO, WEIGHTS, cache_dir=tmp_path / "hf", local_files_only=True)
    assert Path(found) == folder / WEIGHTS


@pytest.mark.parametrize(("name", "remedy"), [
    ("gated", "is gated; ask for access"), ("forbidden", "is gated; ask for access"),
    ("missing", "there is no such repository, or it is private"),
])  # fmt: skip
def test_a_refusal_is_one_line_with_the_remedy(name: str, remedy: str, hub: FakeHub):
    assert remedy in refusal(f"owner/{name}")


def test_a_hub_that_is_not_there_is_one_line(hub: FakeHub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    assert "cannot be fetched" in refusal()


@pytest.mark.parametrize("name", [WEIGHTS, "model_index.json"], ids=["large", "small"])
def test_a_file_with_other_bytes_than_listed_is_refused_and_fetched_anew(name: str, hub: FakeHub, tmp_path: Path):
    hub.lies[name] = bytes(len(FILES[name]))
    assert f"{name} arrived with other bytes than the hub says; run the same command again" in refusal()
    assert not left(tmp_path, ".partial")
    hub.lies.clear()
    assert fetched() == FILES[WEIGHTS]


@pytest.mark.parametrize("length", [SIZE_BYTES - 100, SIZE_BYTES + 100], ids=["shorter", "longer"])
def test_a_file_of_another_length_than_listed_is_refused(length: int, hub: FakeHub):
    hub.lies[WEIGHTS] = bytes(length)
    assert ("its file is not the one that it lists" if length < SIZE_BYTES else "arrived with") in refusal()
    hub.lies.clear()
    assert fetched() == FILES[WEIGHTS]


def test_broken_connections_are_continued_where_they_broke(hub: FakeHub):
    hub.cuts = [BREAK_BYTES, 500_000, 1]
    assert fetched() == FILES[WEIGHTS]
    assert hub.ranges == [f"bytes={start}-" for start in (BREAK_BYTES, BREAK_BYTES + 500_000, BREAK_BYTES + 500_001)]
    assert hub.sent[WEIGHTS] == SIZE_BYTES and len(set(hub.tags)) == 1


def test_a_server_that_stays_silent_is_given_up_with_what_is_there(hub: FakeHub, tmp_path: Path):
    hub.cuts = [BREAK_BYTES, *[0] * 20]
    assert "cannot be fetched" in refusal()
    assert [path.stat().st_size for path in left(tmp_path, ".partial")] == [BREAK_BYTES]
    hub.cuts = []
    assert fetched() == FILES[WEIGHTS] and hub.sent[WEIGHTS] == SIZE_BYTES


def test_a_busy_server_is_asked_again(hub: FakeHub):
    hub.busy = [503, 429, 502]
    assert fetched() == FILES[WEIGHTS]


def test_a_server_without_ranges_sends_the_file_again(hub: FakeHub):
    hub.cuts, hub.ignores_ranges = [BREAK_BYTES], True
    seen: list[int] = []
    download(REPO, [WEIGHTS], hub=client(), on_progress=lambda _file, done, _total: seen.append(done))
    assert fetched() == FILES[WEIGHTS] and hub.ranges == []
    assert 0 in seen[seen.index(BREAK_BYTES) :] and seen[-1] == SIZE_BYTES


def test_bytes_of_two_versions_never_meet(hub: FakeHub):
    hub.lies[WEIGHTS], hub.versions[WEIGHTS], hub.cuts = bytes(SIZE_BYTES), "old", [BREAK_BYTES, *[0] * 20]
    refusal()
    hub.lies, hub.versions, hub.cuts = {}, {}, []
    assert fetched() == FILES[WEIGHTS] and hub.tags[-1] == '"old"' and hub.sent[WEIGHTS] == SIZE_BYTES + BREAK_BYTES


def test_the_token_stays_with_the_hub(hub: FakeHub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with fake_hub(FILES) as elsewhere:
        hub.sends_from, elsewhere.cuts = elsewhere.url, [BREAK_BYTES]
        assert fetched() == FILES[WEIGHTS]
        assert set(hub.tokens) == {"Bearer hf_secret"} and set(elsewhere.tokens) == {None}
        assert elsewhere.sent[WEIGHTS] == SIZE_BYTES


def test_two_at_once_fetch_a_file_once(hub: FakeHub):
    with ThreadPoolExecutor(2) as pool:
        assert [each.result() for each in [pool.submit(fetched) for _ in range(2)]] == [FILES[WEIGHTS]] * 2
    assert hub.sent[WEIGHTS] == SIZE_BYTES


def test_a_killed_download_continues_inside_the_file(hub: FakeHub, tmp_path: Path):
    hub.stalls_after_bytes = BREAK_BYTES
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
    process = subprocess.Popen([sys.executable, "-c", KILLED], env=environment)
    end_s = time.monotonic() + 60
    while not any(path.stat().st_size == BREAK_BYTES for path in left(tmp_path, ".partial")):
        assert process.poll() is None and time.monotonic() < end_s
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    sent = dict(hub.sent)
    assert fetched() == FILES[WEIGHTS]
    assert hub.ranges == [f"bytes={BREAK_BYTES}-"]
    assert hub.sent[WEIGHTS] - sent[WEIGHTS] == SIZE_BYTES - BREAK_BYTES and not left(tmp_path, ".partial*")


def test_an_interrupted_run_keeps_the_files_that_it_finished(hub: FakeHub):
    def stop(_file: str, done: int, _total: int) -> None:
        if done >= BREAK_BYTES:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(REPO, None, hub=client(), on_progress=stop)
    told: list[str] = []
    folder = download(REPO, None, hub=client(), on_progress=lambda file, *_: told.append(file))
    assert set(told) == {WEIGHTS} and (folder / WEIGHTS).read_bytes() == FILES[WEIGHTS]


@pytest.mark.parametrize("path", ["../outside", "a/../../b", "/etc/passwd", "a\\b", ""])
def test_a_hub_cannot_name_a_file_outside_its_repository(path: str):
    with pytest.raises(AssetError, match="do not trust this hub"):
        HubFile(path=path, size_bytes=1)
    with pytest.raises(AssetError, match="do not trust this hub"):
        HubFile(path="a", size_bytes=1, digest="../x")
