"""Loading and converting never hold a model twice: quick versions of benchmarks/load.py and benchmarks/convert.py."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from muybridge.transformer import TransformerConfig
from muybridge.transformer.cost import num_parameters
from muybridge.weights.convert import convert
from muybridge.weights.files import open_checkpoint
from muybridge.weights.load import load_transformer
from muybridge.weights.target import Target
from tests.weights.sparse import sparse_release

CONFIG = TransformerConfig(  # 205 MB in bfloat16, heads as released
    hidden_size=1024, num_heads=8, num_double_blocks=1, num_single_blocks=3, num_refiner_blocks=1, text_dim=64
)
SLACK_BYTES = 48 * 2**20  # Python's and torch's own, and one tensor; measured below 20 MiB


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return sparse_release(tmp_path / "t.safetensors", CONFIG)


def resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def test_a_mapped_model_takes_no_memory_of_its_own(file: Path):
    before = resident("RssAnon")
    model = load_transformer(file)
    assert resident("RssAnon") - before < SLACK_BYTES and model.dtype == torch.bfloat16


def test_a_cast_model_takes_its_own_size_and_no_more(file: Path):
    before, size = resident("RssAnon"), 2 * num_parameters(CONFIG)
    model = load_transformer(file, dtype=torch.float16)
    assert resident("RssAnon") - before < size + SLACK_BYTES and model.dtype == torch.float16


def test_released_pages_leave_the_process(file: Path):
    checkpoint = open_checkpoint(file)
    for entry in checkpoint.entries.values():
        entry.read().sum()
    full = resident("RssFile")
    checkpoint.release()
    assert full - resident("RssFile") > num_parameters(CONFIG)  # bytes: half the file at least


def test_converting_holds_a_part_of_the_source_at_most(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("muybridge.weights.convert.RELEASE_BYTES", 2**25)
    before, peaks = resident("VmRSS"), [0]

    def on_progress(_stage: str, _done: int, _total: int) -> None:
        peaks.append(resident("VmRSS"))

    convert(
        file,
        tmp_path / "out.safetensors",
        target=Target(dtype=torch.float16),
        on_progress=on_progress,
    )
    # pages until they are released, and two tensors, as mapped and as cast: one is written while the next is read
    assert max(peaks) - before < 2**25 + 3 * SLACK_BYTES < num_parameters(CONFIG) * 2


def test_a_file_is_mapped_in_pieces_and_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tensors = {name: torch.randn(size) for name, size in {"a": (64, 3), "b": (5000,), "c": (0, 2), "d": (7, 1)}.items()}
    save_file(tensors, tmp_path / "t.safetensors")
    for num_bytes in (2**32, 4096, 1):
        monkeypatch.setattr("muybridge.weights.mapped_file.PIECE_BYTES", num_bytes)
        read = open_checkpoint(tmp_path / "t.safetensors").tensors
        assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())
