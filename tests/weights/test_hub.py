"""Files come whole or not at all, only once, and every way a hub can fail is one line with the remedy."""

import shutil
from pathlib import Path

import pytest

from muybridge.core.errors import AssetError
from muybridge.core.files import CHUNK_BYTES, sha256
from muybridge.weights.hub import FolderHub, HuggingFace, download, hub_in_use

REPO = "owner/model"
FILES = {"model_index.json": b"{}", "vae/v.safetensors": b"v" * (2 * CHUNK_BYTES + 7), "vae/v.bin": b"b", "a.mp4": b"a"}
WANTED = {"model_index.json", "vae/v.safetensors"}


@pytest.fixture(autouse=True)
def online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    for name in ("MUYBRIDGE_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "0")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A mirror with one repository and its checksums."""
    place = tmp_path / "mirror" / REPO
    for name, data in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    (place / "SHA256SUMS").write_text("".join(f"{sha256(place / name)}  {name}\n" for name in FILES))
    return tmp_path / "mirror"


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def refused(root: Path, hub: FolderHub, match: str, repo_id: str = REPO) -> None:
    with pytest.raises(AssetError, match=match) as caught:
        download(repo_id, None, hub=hub)
    assert "\n" not in str(caught.value) and repo_id in str(caught.value)


def test_a_diffusers_folder_comes_without_second_copies_and_films(root: Path, tmp_path: Path):
    seen: dict[str, tuple[int, int]] = {}
    hub = FolderHub(root, tmp_path / "copies")
    folder = download(REPO, None, hub=hub, on_progress=lambda file, done, total: seen.update({file: (done, total)}))
    assert names(folder) == WANTED == set(seen)
    assert all(done == total == len(FILES[file]) for file, (done, total) in seen.items())
    assert all((folder / name).read_bytes() == FILES[name] for name in WANTED)


def test_patterns_choose_the_files(root: Path, tmp_path: Path):
    hub = FolderHub(root, tmp_path / "copies")
    assert names(download(REPO, ["vae/*.bin"], hub=hub)) == {"vae/v.bin"}
    with pytest.raises(AssetError, match="holds none of the files"):
        download(REPO, ["transformer/*"], hub=hub)


def test_an_interrupted_download_continues_where_it_broke(root: Path, tmp_path: Path):
    hub = FolderHub(root, tmp_path / "copies", breaks_after_bytes=CHUNK_BYTES + 100)
    refused(root, hub, "the connection broke.*run the same command again to continue")
    assert names(tmp_path / "copies" / REPO) == {"model_index.json", "vae/v.safetensors.partial"}
    counts: list[int] = []
    folder = download(REPO, None, hub=hub, on_progress=lambda _file, done, _total: counts.append(done))
    assert counts[0] == CHUNK_BYTES + 100 - 2 and names(folder) == WANTED
    assert (folder / "vae/v.safetensors").read_bytes() == FILES["vae/v.safetensors"]


def test_what_is_there_is_not_fetched_again(root: Path, tmp_path: Path):
    hub = FolderHub(root, tmp_path / "copies")
    download(REPO, None, hub=hub)
    told: list[str] = []
    download(REPO, None, hub=hub, on_progress=lambda file, *_: told.append(file))
    assert told == []


def test_a_file_cut_short_in_the_cache_is_fetched_anew(root: Path, tmp_path: Path):
    hub = FolderHub(root, tmp_path / "copies")
    file = download(REPO, None, hub=hub) / "vae/v.safetensors"
    file.write_bytes(b"short")
    assert (download(REPO, None, hub=hub) / "vae/v.safetensors").read_bytes() == FILES["vae/v.safetensors"]


def test_a_damaged_file_is_refused_and_not_kept(root: Path, tmp_path: Path):
    data = bytearray(FILES["vae/v.safetensors"])
    data[5] ^= 1
    (root / REPO / "vae/v.safetensors").write_bytes(data)
    hub = FolderHub(root, tmp_path / "copies")
    refused(root, hub, "v.safetensors arrived with other bytes than the hub says")
    assert names(tmp_path / "copies" / REPO) == {"model_index.json"}


def test_offline_takes_what_is_there_and_else_says_so(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hub = FolderHub(root, tmp_path / "copies")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refused(root, hub, "never fetched to this machine, and downloads are switched off")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    folder = download(REPO, None, hub=hub)
    shutil.rmtree(root)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert download(REPO, None, hub=hub) == folder


def test_a_full_disk_is_said_before_anything_is_fetched(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    refused(root, FolderHub(root, tmp_path / "copies"), "GiB free; free space")
    assert not (tmp_path / "copies").exists()


def test_room_is_needed_only_for_what_is_missing(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hub = FolderHub(root, tmp_path / "copies", breaks_after_bytes=CHUNK_BYTES + 2)
    refused(root, hub, "the connection broke")
    rest = shutil.disk_usage(tmp_path)._replace(free=CHUNK_BYTES + 7)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: rest)
    assert names(download(REPO, None, hub=hub)) == WANTED


def test_an_unknown_repository_is_named(root: Path, tmp_path: Path):
    refused(root, FolderHub(root, tmp_path / "copies"), "no such repository", "owner/other")


def test_the_environment_chooses_the_mirror(root: Path, monkeypatch: pytest.MonkeyPatch):
    assert isinstance(hub_in_use(), HuggingFace)
    monkeypatch.setenv("MUYBRIDGE_HUB", str(root))
    assert isinstance(hub_in_use(), FolderHub) and names(download(REPO, None, hub=hub_in_use())) == WANTED
