"""RGB as H.264's planes."""

from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from muybridge.curation.yuv import as_yuv420, rgb_of
from muybridge.media.coded import _as_coded
from muybridge.media.formats import coding
from muybridge.media.video import to_rgb

pytest.importorskip("cv2")

BLOTCHES = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8))
SMOOTH = np.asarray(BLOTCHES.resize((96, 64), Image.Resampling.BICUBIC))
PLAIN = [((255, 255, 255), (235, 128, 128)), ((0, 0, 0), (16, 128, 128)), ((255, 0, 0), (63, 102, 240))]


def test_the_planes_are_those_of_the_exact_conversion():
    how = coding(Path("clip.mp4"), codec=None, crf=17, bitrate=None, bits=None)
    exact, ours = (frame.to_ndarray().astype(int) for frame in (_as_coded(SMOOTH, how=how), as_yuv420(SMOOTH)))
    assert abs(ours - exact).max() <= 2 and abs((ours - exact).mean()) < 0.1


@pytest.mark.parametrize(("colour", "yuv"), PLAIN)
def test_plain_colours_are_those_of_bt_709(colour: tuple[int, int, int], yuv: tuple[int, int, int]):
    planes = as_yuv420(np.full((4, 4, 3), colour, np.uint8)).to_ndarray().ravel()
    assert (planes[0], planes[16], planes[20]) == yuv


@pytest.mark.parametrize("format_name", ["yuv420p", "yuv444p", "yuvj420p", "yuv420p10le"])
@pytest.mark.parametrize("tag", [1, 2, 5])
def test_frames_come_back_as_the_exact_conversion_gives_them(format_name: str, tag: int):
    frame = VideoFrame.from_ndarray(SMOOTH, format="rgb24").reformat(format=format_name, dst_colorspace="ITU601")
    frame.colorspace = tag
    exact, ours = to_rgb(frame).astype(int), rgb_of(frame, size_px=(96, 64))
    assert abs(ours - exact).mean() < 1.2 and abs((ours - exact).mean()) < 0.1  # colour at half size: another filter


def test_a_smaller_picture_shows_the_means():
    frame = VideoFrame.from_ndarray(SMOOTH, format="rgb24").reformat(format="yuv444p", dst_colorspace="ITU601")
    small = rgb_of(frame, size_px=(24, 16)).astype(float)
    means = SMOOTH.reshape(16, 4, 24, 4, 3).mean(axis=(1, 3))
    assert abs(small - means).mean() < 1.5
