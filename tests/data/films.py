"""Tiny real files of every kind that data sets hold, bad ones among them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

TICKS = 2400  # a second
WIDTH, HEIGHT = 64, 48


def levels(num_frames: int) -> np.ndarray:
    """The grey level of each frame: what a frame's number can be told by."""
    return 20 + np.arange(num_frames) * 200 // max(1, num_frames)


def write_film(
    path: Path,
    num_frames: int = 9,
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
    gaps: Sequence[int] = (100,),  # ticks between frames, again and again
    pix_fmt: str = "yuv420p",
    rotation_deg: int | None = None,
    is_hdr: bool = False,
    gop: int = 4,
) -> Path:
    """A film whose frame i is grey of `levels(num_frames)[i]`, the left half a little brighter."""
    codec = "libvpx-vp9" if path.suffix == ".webm" else "libx264"
    options = {"crf": "4", "preset": "ultrafast"} if codec == "libx264" else {"crf": "10", "cpu-used": "8"}
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if rotation_deg is not None:
            stream.set_display_rotation(rotation_deg)
        context = stream.codec_context
        ticks = 24 if path.suffix == ".avi" else TICKS  # AVI has one length for all frames
        context.time_base, context.gop_size, context.max_b_frames = Fraction(1, ticks), gop, 0
        if is_hdr:
            context.color_trc, context.color_primaries, context.colorspace, context.color_range = 16, 9, 9, 1
        time = 0
        for index, level in enumerate(levels(num_frames)):
            picture = np.full((height, width, 3), level, np.uint8)
            picture[:, : width // 2] += 15
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = time * ticks // TICKS, Fraction(1, ticks)
            time += gaps[index % len(gaps)]
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def write_cut_film(path: Path) -> Path:
    """An MP4 with its index first, ended within its frames."""
    whole = path.with_name("whole.mp4")
    noise = np.random.default_rng(0).integers(0, 255, (24, HEIGHT, WIDTH, 3), np.uint8)
    with av.open(str(whole), "w", options={"movflags": "+faststart"}) as output:
        stream = output.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in noise:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    data = whole.read_bytes()
    whole.unlink()
    path.write_bytes(data[: len(data) // 2])
    return path


def write_film_damaged_inside(path: Path) -> Path:
    """A film that opens and declares its length well, and whose later frames are rubbish."""
    write_film(path, 24, gop=1)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    size = int.from_bytes(data[start - 8 : start - 4], "big") - 8
    for place in range(start + size // 2, start + size):
        data[place] ^= 0x5A
    path.write_bytes(data)
    return path


def write_sound(path: Path) -> Path:
    """A film file with a second of silence and no film."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def write_picture(path: Path, *, width: int = WIDTH, height: int = HEIGHT, level: int = 128) -> Path:
    """A grey picture."""
    Image.fromarray(np.full((height, width, 3), level, np.uint8)).save(path)
    return path


def write_gif(path: Path, num_frames: int = 9) -> Path:
    """An animation of 20 frames a second."""
    first, *rest = [Image.fromarray(np.full((HEIGHT, WIDTH, 3), level, np.uint8)) for level in levels(num_frames)]
    first.save(path, save_all=True, append_images=rest, duration=50, loop=0)
    return path
