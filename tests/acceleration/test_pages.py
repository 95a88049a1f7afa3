"""Giving pages back changes no value."""

import mmap
import sys
from pathlib import Path

import pytest
import torch

from muybridge.acceleration.pages import give_back

SIZE = 2**24


def resident_file_bytes() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssFile"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="Linux takes pages back when told to")
def test_mapped_weights_leave_memory_and_come_back(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(bytes(range(256)) * (SIZE // 256))
    with file.open("rb") as stream:
        mapped = mmap.mmap(stream.fileno(), SIZE, access=mmap.ACCESS_COPY)
    tensor = torch.frombuffer(mapped, dtype=torch.uint8)
    total, held = tensor.sum(), resident_file_bytes()
    give_back(tensor)
    assert held - resident_file_bytes() > SIZE // 2
    assert tensor.sum() == total


def test_what_was_written_stays():
    tensor = torch.arange(SIZE // 8)
    give_back(tensor)
    assert torch.equal(tensor, torch.arange(SIZE // 8))


def test_less_than_a_page_is_left_alone():
    give_back(torch.empty(0))
    give_back(torch.ones(3))
