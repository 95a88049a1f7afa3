"""What every test runs under: one thread, no network, the shape annotations enforced."""

import logging
import os
import socket
from collections.abc import Iterator
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: xdist runs one worker per core
os.environ["MUYBRIDGE_OFFLINE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
import torch
from jaxtyping import config

from tests.shape_checker import enforce_shapes

torch.set_num_threads(1)
enforce_shapes("muybridge")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that opens a connection beyond this machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        is_local = self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1", "localhost")
        assert is_local, f"a test connected to {address}; use a shipped double"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


@pytest.fixture(autouse=True)
def enforced_shapes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Annotations are enforced, except where a test gives wrong shapes on purpose or compiles."""
    is_off = any(request.node.get_closest_marker(name) for name in ("wrong_shapes", "compile"))
    config.update("jaxtyping_disable", is_off)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """The command line sets up the package's logger for a process of its own; the next test finds it as before."""
    logger = logging.getLogger("muybridge")
    level, handlers = logger.level, logger.handlers[:]
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.fixture(autouse=True)
def same_global_randomness() -> None:
    """Module initialisation draws from the global generator; every test starts it at the same place."""
    torch.manual_seed(0)
