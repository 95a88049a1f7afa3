"""The micro-benchmark of a machine in no time, for tests that need numbers and not true ones."""

from pathlib import Path

import pytest

from muybridge.acceleration import measure


def measure_quickly(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Tiny trials; what they find is kept in `folder`."""
    for name, value in {"TRIAL_S": 0.0, "LARGE": 32, "SMALL": 32, "ROWS": 8, "DISK_BYTES": 2**20}.items():
        monkeypatch.setattr(measure, name, value)
    monkeypatch.setattr(measure, "COPIED_BYTES", 2**20)
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(folder))
