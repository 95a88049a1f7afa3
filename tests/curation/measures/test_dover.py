"""A judge by file: any ONNX with one film as its input."""

from pathlib import Path

import numpy as np
import pytest

from muybridge.core.errors import WeightsError
from muybridge.curation.measures.dover import DEVIATION, MEAN, DoverQuality
from tests.curation.measures.films import clip_of


def field(number: int, value: bytes | int) -> bytes:
    """One field of a protobuf message: bytes, or a whole number below 128."""
    tag = number << 3 | (0 if isinstance(value, int) else 2)
    start = bytes([tag]) if tag < 128 else bytes([tag % 128 + 128, tag // 128])
    return start + (bytes([value]) if isinstance(value, int) else bytes([len(value)]) + value)


def tensor(name: bytes, shape: tuple[int, ...]) -> bytes:
    sizes = b"".join(field(1, field(1, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, sizes)))


@pytest.fixture
def mean_file(tmp_path: Path) -> Path:
    """An ONNX file that gives the mean of a film (1, 3, 4, 8, 8)."""
    scalar = field(1, b"keepdims") + field(3, 0) + field(20, 2)
    node = field(1, b"film") + field(2, b"value") + field(4, b"ReduceMean") + field(5, scalar)
    graph = field(1, node) + field(2, b"mean") + field(11, tensor(b"film", (1, 3, 4, 8, 8)))
    graph += field(12, tensor(b"value", ()))
    path = tmp_path / "judge.onnx"
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 13)))
    return path


def test_the_column_is_what_the_file_says(mean_file: Path):
    pytest.importorskip("onnxruntime")
    stage = DoverQuality(mean_file)
    stage.prepare()
    stage.setup()
    wanted = np.mean([(200 - mean) / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)])
    found = stage.process(clip_of(np.full((9, 16, 16, 3), 200, np.uint8))).values["dover"]
    assert found == pytest.approx(wanted, rel=1e-4)
    assert stage.measure(clip_of(np.full((1, 16, 16, 3), 200, np.uint8))) == {"dover": None}


def test_a_file_that_is_no_network_is_refused(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "judge.onnx").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="judge.onnx"):
        DoverQuality(tmp_path / "judge.onnx").prepare()
