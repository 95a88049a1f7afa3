"""Reading by position gives what mapping gives, for every layout and change, and nothing else."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from muybridge.core.errors import WeightsError
from muybridge.weights.files import open_checkpoint
from muybridge.weights.in_file import CHUNK_BYTES, PAGE_BYTES, ByPosition, InFile
from muybridge.weights.layouts import Table, to_official
from muybridge.weights.registry import Network
from muybridge.weights.storage import plain
from muybridge.weights.stored import StoredTensor, cast, joined, rows, swapped, viewed
from tests.weights.small import LAYOUTS, SIBLINGS, in_layout, small_state, write_plain
from tests.weights.storage.samples import SAMPLES, state


def tensors(folder: Path) -> dict[str, StoredTensor]:
    """Of awkward lengths, so that none but the first begins at a page."""
    generator = torch.Generator().manual_seed(0)
    made = {
        "a": torch.randn(6, 4, 3, generator=generator).bfloat16(),
        "b": torch.randn(6, 5, generator=generator),
        "c": torch.randint(0, 255, (7,), generator=generator, dtype=torch.uint8),
        "d": torch.randn((), generator=generator),
        "e": torch.empty(0, 4),
        "f": torch.randn(CHUNK_BYTES // 4 + 1000, generator=generator),
    }
    save_file(made, folder / "a.safetensors")
    return dict(open_checkpoint(folder / "a.safetensors").entries)


SMALLER = [(network, table) for network, table in LAYOUTS if network.name not in SIBLINGS]
CHANGES = {
    "as it is": lambda entry: entry,
    "rows": lambda entry: rows(entry, 1, 4),
    "rows of rows": lambda entry: rows(rows(entry, 1, 5), 1, 3),
    "joined": lambda entry: joined([rows(entry, 4, 6), entry], "a"),
    "rows of joined": lambda entry: rows(joined([rows(entry, 4, 6), entry], "a"), 1, 7),
    "swapped": swapped,
    "wider": lambda entry: cast(entry, torch.float64),
    "half, then wide": lambda entry: cast(cast(entry, torch.float16), torch.float32),
    "joined, swapped, cast": lambda entry: cast(swapped(joined([entry, entry], "a")), torch.float32),
    "rows of a cast": lambda entry: rows(cast(entry, torch.float64), 2, 5),
    "bytes": lambda entry: viewed(entry, (entry.num_bytes,), torch.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("key", ["a", "b"])
def test_a_changed_tensor_is_read_as_it_is_mapped(tmp_path, key, change):
    entry = CHANGES[change](tensors(tmp_path)[key])
    assert entry.loaded().dtype == entry.dtype and torch.equal(entry.loaded(), entry.read())


@pytest.mark.parametrize("key", ["c", "d", "e", "f"])
def test_odd_places_and_lengths_are_read(tmp_path, key):
    entry = tensors(tmp_path)[key]
    assert torch.equal(entry.loaded(), entry.read())


@pytest.mark.parametrize(("network", "table"), SMALLER, ids=lambda part: getattr(part, "layout", None) or part.name)
def test_every_layout_is_read_by_position(tmp_path: Path, network: Network, table: Table):
    """All but what a layout keeps as a convolution."""
    path = write_plain(tmp_path / "a.safetensors", in_layout(small_state(network), table))
    for entry in to_official(open_checkpoint(path).entries, table).values():
        assert isinstance(entry.read, InFile) or len(entry.shape) == 2
        assert torch.equal(entry.loaded(), entry.read())


def test_a_file_that_goes_on_after_its_end_is_refused(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(PAGE_BYTES + 10))
    ByPosition(path).read(PAGE_BYTES, memoryview(bytearray(10)))
    with pytest.raises(
        WeightsError, match=f"ends at byte {PAGE_BYTES + 10}, and a tensor reaches to {PAGE_BYTES + 11}"
    ):
        ByPosition(path).read(PAGE_BYTES, memoryview(bytearray(11)))


def test_a_name_may_go_once_the_file_is_open(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abcdef")
    file, out = ByPosition(path), bytearray(2)
    file.read(1, memoryview(out))
    path.write_bytes(b"------") if os.name == "nt" else path.unlink()
    file.read(3, memoryview(out))
    assert out == b"de"


@pytest.mark.parametrize("way", SAMPLES)
def test_what_is_quantised_is_read_by_position(tmp_path, way):
    checkpoint, _ = plain(open_checkpoint(SAMPLES[way].write(state()).save(tmp_path / "a.safetensors")))
    for entry in checkpoint.entries.values():
        assert torch.equal(entry.loaded(), entry.read())
