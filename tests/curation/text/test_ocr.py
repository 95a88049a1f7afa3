"""PP-OCR finds and reads words where its networks lie in the package, fetches nothing, and prints nothing."""

import importlib.util
import pickle
import socket
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from muybridge.core.errors import AssetError, InvalidInput
from muybridge.curation.text.ocr import OcrReader

pytestmark = pytest.mark.skipif(importlib.util.find_spec("rapidocr") is None, reason="pip install 'muybridge[curate]'")
IOU = 0.5


def page(words: str, *, place: tuple[int, int] = (40, 60)) -> np.ndarray:
    picture = Image.new("RGB", (256, 128), (60, 90, 70))
    ImageDraw.Draw(picture).text(place, words, font=ImageFont.load_default(22), fill="white")
    return np.asarray(picture)


def test_words_are_found_and_read_offline_and_in_silence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(socket.socket, "connect", _no_network)
    reader = pickle.loads(pickle.dumps(OcrReader(side_px=128)))
    reader.prepare()
    reader.setup()
    picture = page("Hello, world 42")
    (found,) = reader.detect(picture)
    left, top, right, bottom = found.box
    ink = np.argwhere(np.abs(picture.astype(np.int16) - picture[0, 0]).max(-1) > 30)
    (y0, x0), (y1, x1) = ink.min(0), ink.max(0)
    assert left <= x0 and top <= y0 and right > x1 and bottom > y1
    assert (y1 - y0) * (x1 - x0) / ((bottom - top) * (right - left)) > IOU
    assert abs(found.slant_degrees) < 1 and found.score > 0.5
    assert reader.read(picture, [found.box, (0, 0, 30, 30)]) == ("Hello, world 42", "")
    assert reader.detect(np.full((64, 100, 3), 127, np.uint8)) == ()
    assert pickle.loads(pickle.dumps(reader)).side_px == 128
    assert "rapidocr" not in sys.modules
    assert capfd.readouterr() == ("", "")


def test_missing_networks_are_named(tmp_path) -> None:
    with pytest.raises(AssetError, match=r"PP-OCRv6_det_small\.onnx: is not there; pip install"):
        OcrReader(folder=tmp_path).prepare()


def test_too_small_a_side_is_refused() -> None:
    with pytest.raises(InvalidInput, match="side_px=8"):
        OcrReader(side_px=8)


def _no_network(*_: object) -> None:
    raise AssertionError("it went to the network")
