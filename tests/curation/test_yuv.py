"""RGB as H.264's planes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from muybridge.curation.yuv import as_yuv420
from muybridge.media.coded import _as_coded
from muybridge.media.formats import coding

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
