"""Amounts of memory, and what is free."""

import pytest
import torch

from muybridge.acceleration.memory import available_bytes, container_available, held_bytes, parse_bytes
from muybridge.core.errors import InvalidInput


def test_free_memory_is_measured():
    cpu = torch.device("cpu")
    assert 2**26 < available_bytes(cpu) < 2**50
    assert 2**24 < held_bytes(cpu) < 2**40


def test_a_containers_limit_counts_and_its_file_cache_does_not(tmp_path):
    assert container_available(tmp_path) == []
    for name, text in {"max": "max", "current": "600", "stat": "anon 1\nactive_file 50\ninactive_file 50\n"}.items():
        (tmp_path / f"memory.{name}").write_text(text)
    assert container_available(tmp_path) == []
    (tmp_path / "memory.max").write_text("1000\n")
    assert container_available(tmp_path) == [500]


def test_amounts_are_read_in_both_units():
    assert parse_bytes("12GiB") == 12 * 2**30 and parse_bytes("12GB") == 12 * 10**9
    assert parse_bytes("1.5 MiB") == 3 * 2**19 and parse_bytes("800M") == 8 * 10**8 and parse_bytes("77") == 77


@pytest.mark.parametrize("text", ["", "lots", "-1GiB", "12 TB of it", "nan", "1e9"])
def test_other_amounts_are_refused(text):
    with pytest.raises(InvalidInput, match="memory="):
        parse_bytes(text)
