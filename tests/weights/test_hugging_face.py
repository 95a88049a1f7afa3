"""huggingface.co through its own client, against a hub on this machine: whole, continued, and every refusal a line."""

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants as constants
import huggingface_hub.file_download as file_download
import pytest
from huggingface_hub import hf_api

from muybridge.core.errors import AssetError
from muybridge.weights.hub import HuggingFace, download
from tests.weights.fake_hub import FakeHub, fake_hub

REPO = "owner/model"
WEIGHTS = "transformer/model.safetensors"
FILES = {"model_index.json": b"{}", WEIGHTS: bytes(range(256)) * 8_000}
CHUNK_BYTES, BREAK_BYTES = 100_000, 1_000_000


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
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", CHUNK_BYTES)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        for name in ("MUYBRIDGE_OFFLINE", "HF_HUB_OFFLINE"):
            monkeypatch.setenv(name, "0")
        yield server


def refusal(repo_id: str) -> str:
    with pytest.raises(AssetError) as caught:
        download(repo_id, None, hub=HuggingFace())
    message = str(caught.value)
    assert "\n" not in message and message.startswith(f"{repo_id}: ")
    return message


def test_a_repository_comes_whole_with_its_progress(hub: FakeHub):
    seen: dict[str, list[int]] = {}
    folder = download(
        REPO, None, hub=HuggingFace(), on_progress=lambda file, done, _: seen.setdefault(file, []).append(done)
    )
    assert all((folder / name).read_bytes() == data for name, data in FILES.items())
    assert seen[WEIGHTS][-1] == len(FILES[WEIGHTS]) and seen[WEIGHTS] == sorted(seen[WEIGHTS])


@pytest.mark.parametrize(("name", "remedy"), [
    ("gated", "is gated; ask for access"), ("forbidden", "is gated; ask for access"),
    ("missing", "there is no such repository, or it is private"),
])  # fmt: skip
def test_a_refusal_is_one_line_with_the_remedy(name: str, remedy: str, hub: FakeHub):
    assert remedy in refusal(f"owner/{name}")


def test_a_file_with_other_bytes_than_listed_is_refused_and_fetched_anew(hub: FakeHub):
    hub.lies[WEIGHTS] = bytes(len(FILES[WEIGHTS]))
    assert f"{WEIGHTS} arrived with other bytes than the hub says; run the same command again" in refusal(REPO)
    hub.lies.clear()
    assert (download(REPO, None, hub=HuggingFace()) / WEIGHTS).read_bytes() == FILES[WEIGHTS]


def test_a_broken_connection_is_continued(hub: FakeHub):
    hub.breaks_after_bytes = BREAK_BYTES
    folder = download(REPO, None, hub=HuggingFace())
    assert (folder / WEIGHTS).read_bytes() == FILES[WEIGHTS]
    assert any(0 < int(asked.removeprefix("bytes=").split("-")[0]) <= BREAK_BYTES for asked in hub.ranges)


def test_an_interrupted_run_keeps_the_files_that_it_finished(hub: FakeHub):
    def stop(_file: str, done: int, _total: int) -> None:
        if done >= BREAK_BYTES:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(REPO, None, hub=HuggingFace(), on_progress=stop)
    told: list[str] = []
    folder = download(REPO, None, hub=HuggingFace(), on_progress=lambda file, *_: told.append(file))
    assert set(told) == {WEIGHTS} and (folder / WEIGHTS).read_bytes() == FILES[WEIGHTS]
