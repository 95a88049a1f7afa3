"""How curation codes its clips: time, bytes and distance from the frames, beside x264's usual quality and presets.

    python benchmarks/clip_files.py                  # the asset natural-films
    python benchmarks/clip_files.py --films FOLDER   # all films under FOLDER, too

The first second of each film at 256 px on the short side goes to x264 with one thread; the time is the processor's, the
least of three. Writes benchmarks/reports/clip_files_HARDWARE_DATE.md.
"""

import argparse
import datetime
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import av  # noqa: E402
import numpy as np  # noqa: E402
from av.error import FFmpegError  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402

from muybridge.core.errors import MuybridgeError  # noqa: E402
from muybridge.curation.engine.clip_files import fast_options  # noqa: E402
from muybridge.curation.engine.plan import Plan  # noqa: E402
from muybridge.curation.shots.footage import footage  # noqa: E402
from muybridge.curation.yuv import as_yuv420  # noqa: E402
from muybridge.media.coded import coded_film  # noqa: E402
from muybridge.media.formats import coding  # noqa: E402
from muybridge.media.frames import Frames  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402

SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".mpg", ".ogv", ".webm")
SIDE_PX, MAX_FPS, NUM_FRAMES, ROUNDS = 256, 60, 30, 3
ONE_THREAD = {"x264-params": "threads=1"}
WAYS: Mapping[str, Mapping[str, str]] = {
    "ultrafast, crf 17": {"preset": "ultrafast", "crf": "17", **ONE_THREAD},
    "superfast, crf 17": {"preset": "superfast", "crf": "17", **ONE_THREAD},
    "veryfast, crf 17": {"preset": "veryfast", "crf": "17", **ONE_THREAD},
    f"curation's, qp {Plan.__dataclass_fields__['qp'].default}": fast_options(Plan.__dataclass_fields__["qp"].default),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Coded:
    """One film, coded once."""

    seconds: float
    num_bytes: int
    psnr_db: float  # of brightness and colour as they are coded


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=Path, action="append", default=[], help="a folder of more films")
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    options = parser.parse_args()
    films = dict(read([ensure("natural-films"), *options.films]))
    measured = {way: {name: code(film, how) for name, film in films.items()} for way, how in WAYS.items()}
    lines = report(measured)
    print("\n".join(lines))
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"clip_files_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")
    return 0


def read(folders: list[Path]) -> Iterator[tuple[str, tuple[Frames, float]]]:
    """The first frames of each film at the working size, with its rate, by name."""
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        try:
            with footage(path, side_px=SIDE_PX, max_fps=MAX_FPS) as film:
                yield path.name, (np.stack([np.array(frame) for frame in islice(film.frames, NUM_FRAMES)]), film.fps)
        except (MuybridgeError, FFmpegError, ValueError) as error:
            print(f"{path.name}: left out, {error}", file=sys.stderr)


def code(film: tuple[Frames, float], options: Mapping[str, str]) -> Coded:
    """Write it and read it back."""
    frames, fps = film
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        how = replace(coding(path, codec=None, crf=None, bitrate=None, bits=None), options=dict(options))
        seconds = []
        for _ in range(ROUNDS):
            pictures = [as_yuv420(frame) for frame in frames]
            started = time.process_time()
            with coded_film(path, how, fps=fps, metadata=None, sound=None) as written:
                written.start(frames.shape[2], frames.shape[1])
                for picture in pictures:
                    written.add_coded(picture)
            seconds.append(time.process_time() - started)
        with av.open(path) as container:
            shown = [picture.to_ndarray().astype(np.float32) for picture in container.decode(video=0)]
        wanted = [as_yuv420(frame).to_ndarray().astype(np.float32) for frame in frames]
        error = float(np.mean([np.square(a - b).mean() for a, b in zip(shown, wanted, strict=True)]))
        return Coded(
            seconds=min(seconds), num_bytes=path.stat().st_size, psnr_db=10 * float(np.log10(255**2 / max(error, 1e-3)))
        )


def report(measured: Mapping[str, Mapping[str, Coded]]) -> list[str]:
    """The report's lines."""
    films = next(iter(measured.values()))
    base = measured["superfast, crf 17"]
    lines = [
        "# How clips are coded",
        "",
        f"`python {' '.join(['benchmarks/clip_files.py', *sys.argv[1:]])}` at {commit()}, {datetime.date.today()}.",
        f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}. {len(films)} films, {NUM_FRAMES} "
        f"frames of each at {SIDE_PX} px: {', '.join(sorted(films))}.",
        "",
        "| coding | time | bytes of all | bytes, geometric mean | PSNR, mean | PSNR, worst film |",
        "|---|---|---|---|---|---|",
    ]
    for way, coded in measured.items():
        ratios = np.log([coded[name].num_bytes / base[name].num_bytes for name in films])
        quality = [one.psnr_db for one in coded.values()]
        lines.append(
            f"| {way} | {total(coded, 'seconds') / total(base, 'seconds'):.2f} "
            f"| {total(coded, 'num_bytes') / total(base, 'num_bytes'):.2f} | {np.exp(ratios.mean()):.2f} "
            f"| {np.mean(quality):.1f} dB | {min(quality):.1f} dB |"
        )
    return [*lines, "", "Time and bytes as shares of superfast at crf 17."]


def total(coded: Mapping[str, Coded], name: str) -> float:
    """The sum over films."""
    return float(sum(getattr(one, name) for one in coded.values()))


if __name__ == "__main__":
    sys.exit(main())
