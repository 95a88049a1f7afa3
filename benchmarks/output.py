"""How near written films are to what was written: colours, palettes of GIF, frames in between.

    python benchmarks/output.py
    python benchmarks/output.py --films 4 --no-report

Colours: a chart of 24 patches through every codec and back, away from the edges of the patches; and the same through
FFmpeg's own conversion, which takes short cuts. GIF: sprites films in the palette that is chosen for the whole film,
and as Pillow chooses one for every frame. Frames in between: every other frame of a sprites film is left out and made
anew, and compared with what it was. Writes benchmarks/reports/output_HARDWARE_DATE.md.
"""

import argparse
import datetime
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import av  # noqa: E402
import numpy as np  # noqa: E402
from av.video.frame import VideoFrame  # noqa: E402
from av.video.reformatter import ColorRange, Colorspace  # noqa: E402
from machine import ROOT, commit, hardware, processor  # noqa: E402
from PIL import Image  # noqa: E402

from muybridge import SaveOptions  # noqa: E402
from muybridge.media.animation import durations_ms  # noqa: E402
from muybridge.media.formats import CONTAINERS  # noqa: E402
from muybridge.media.frames import Frames  # noqa: E402
from muybridge.media.video import read_video  # noqa: E402
from muybridge.media.writer import write_video  # noqa: E402
from muybridge.weights.assets import ensure  # noqa: E402
from muybridge.worlds.sprites import SpritesWorld, complete_sprites  # noqa: E402

PATCH_PX, EDGE_PX = 32, 6
FPS = 12  # of the films; every other frame is shown
WAYS = {
    "following the motion": SaveOptions(codec="ffv1", interpolate=2),
    "blending": SaveOptions(codec="ffv1", output_fps=FPS, between="blend"),
    "repeating": SaveOptions(codec="ffv1", output_fps=FPS, between="repeat"),
}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=20)
    parser.add_argument("--report", action=argparse.BooleanOptionalAction, default=True, help="write the report")
    options = parser.parse_args()
    world = SpritesWorld(complete_sprites(num_frames=33), ensure("fluent-emoji-anim"))
    films = [world.render(world.scene(index, split="held_out")) for index in range(options.films)]
    with tempfile.TemporaryDirectory() as folder:
        lines = [
            "# How near written films are to what was written",
            "",
            f"`python {' '.join(['benchmarks/output.py', *sys.argv[1:]])}` at commit {commit()}, "
            f"{datetime.date.today()}.",
            f"{processor()}, {os.cpu_count()} cores; PyAV {av.__version__}, Python {platform.python_version()}.",
            "",
            *colours(Path(folder)),
            "",
            *palettes(films, Path(folder)),
            "",
            *between(films, Path(folder)),
        ]
    print("\n".join(lines))
    if options.report:
        path = ROOT / "benchmarks" / "reports" / f"output_{hardware()}_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n")


def colours(folder: Path) -> Iterator[str]:
    """The chart through every codec in every container, and through FFmpeg's defaults."""
    chart, inner = colour_chart()
    yield from ("## A chart of 24 colours", "", "| | PSNR | worst level | mean shift |", "|---|---|---|---|")
    for suffix, container in CONTAINERS.items():
        for codec in container.codecs:
            path = folder / f"{codec}{suffix}"
            write_video(path, np.stack([chart] * 3), fps=24, options=SaveOptions(codec=codec))
            yield chart_line(f"{codec} in {suffix}", read_video(path)[0][:, inner], chart[inner])
    yield chart_line("conversion alone, by FFmpeg's defaults", through_defaults(chart)[None, inner], chart[inner])


def colour_chart() -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3), and which pixels (h, w) lie away from edges, where colour of half size blurs."""
    levels = np.array([(r, g, b) for r in (16, 128, 240) for g in (16, 240) for b in (16, 90, 165, 240)], np.uint8)
    chart = levels.reshape(4, 6, 3).repeat(PATCH_PX, axis=0).repeat(PATCH_PX, axis=1)
    is_inner = (np.arange(PATCH_PX) >= EDGE_PX) & (np.arange(PATCH_PX) < PATCH_PX - EDGE_PX)
    return chart, np.outer(np.tile(is_inner, 4), np.tile(is_inner, 6))


def through_defaults(chart: np.ndarray) -> np.ndarray:
    """To 8-bit YUV with colour at half size and back, as FFmpeg converts unless told otherwise."""
    spaces = {"src_colorspace": Colorspace.ITU709, "dst_colorspace": Colorspace.ITU709}
    yuv = VideoFrame.from_ndarray(chart, format="rgb24").reformat(
        format="yuv420p", src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.MPEG, **spaces
    )
    back = yuv.reformat(format="rgb24", src_color_range=ColorRange.MPEG, dst_color_range=ColorRange.JPEG, **spaces)
    return back.to_ndarray()


def chart_line(name: str, read: np.ndarray, chart: np.ndarray) -> str:
    error = read.astype(float) - chart
    decibels = f"{psnr(read, chart):.1f} dB" if error.any() else "exact"
    return f"| {name} | {decibels} | {np.abs(error).max():.0f} | {error.mean():+.2f} |"


def palettes(films: list[Frames], folder: Path) -> Iterator[str]:
    """GIF by one palette for a film, and by Pillow's for every frame."""
    path = folder / "film.gif"
    yield from (f"## GIF of {len(films)} sprites films, in the median", "", "| | PSNR | size |", "|---|---|---|")
    for name, write in (("one palette for the film", write_video), ("Pillow, one for every frame", write_by_pillow)):
        found = []
        for film in films:
            write(path, film, fps=FPS)
            found.append((psnr(expanded(path, len(film)), film), path.stat().st_size / 1024))
        decibels, size_kib = np.median(found, axis=0)  # some films have few colours, and no error
        yield f"| {name} | {decibels:.1f} dB | {size_kib:.0f} KiB |"


def write_by_pillow(path: Path, film: Frames, *, fps: float) -> None:
    first, *rest = (Image.fromarray(frame) for frame in film)
    first.save(path, save_all=True, append_images=rest, loop=0, duration=durations_ms(len(film), fps=fps, unit_ms=10))


def expanded(path: Path, num_frames: int) -> np.ndarray:
    """The frames of a GIF, in which equal ones may have become one that lasts."""
    ends = np.cumsum(durations_ms(num_frames, fps=FPS, unit_ms=10))
    with Image.open(path) as image:
        frames, shown_until = [], []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")))
            shown_until.append(image.info["duration"])
    return np.stack([frames[np.searchsorted(np.cumsum(shown_until), end)] for end in ends])


def between(films: list[Frames], folder: Path) -> Iterator[str]:
    """Frames that were left out against those made in their place."""
    found = {name: [] for name in WAYS}
    for film in films:
        for name, way in WAYS.items():
            write_video(folder / "film.mkv", film[::2], fps=FPS / 2, options=way)
            made = read_video(folder / "film.mkv")[0]
            found[name].append(psnr(made[1 : len(film) : 2], film[1::2]))
    yield from (f"## Every other frame made anew, {len(films)} sprites films of {FPS / 2:g} frames/s", "")
    yield from ("| | PSNR |", "|---|---|")
    yield from (f"| {name} | {np.mean(values):.1f} dB |" for name, values in found.items())
    nearer = np.greater(found["following the motion"], found["blending"]).sum()
    yield from ("", f"Following the motion is nearer than blending in {nearer} of the {len(films)}.")


def psnr(found: np.ndarray, true: np.ndarray) -> float:
    """Of uint8, in dB."""
    error = np.square(found.astype(float) - true).mean()
    return 10 * float(np.log10(255**2 / error)) if error else float("inf")


if __name__ == "__main__":
    main()
