"""Files that other libraries wrote (write_golden.py) mean what those libraries say."""

from pathlib import Path

import pytest

from muybridge.weights.files import open_checkpoint
from muybridge.weights.storage import plain

FILES = sorted((Path(__file__).parent / "golden").glob("*.safetensors"))
# Ours rounds once. int4 and int2 are rounded twice there: after the scale and after the shift.
TOLERANCE = {"quanto-int4": 2**-10, "quanto-int2": 2**-7}


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_layer_that_its_library_saved_decodes_alike(file: Path):
    checkpoint, quantisation = plain(open_checkpoint(file))
    assert set(checkpoint.entries) == {"layer.weight", "layer.bias", "expected"}
    assert quantisation is not None and quantisation.scheme == " ".join(file.stem.split("-")[:2])
    expected, entry = checkpoint.entries["expected"].read(), checkpoint.entries["layer.weight"]
    assert (entry.shape, entry.dtype) == (tuple(expected.shape), expected.dtype)
    error = (entry.read().float() - expected.float()).abs().max()
    assert error <= TOLERANCE.get(file.stem, 0.0) * expected.abs().max()


def test_every_library_is_there():
    assert len(FILES) == 7
