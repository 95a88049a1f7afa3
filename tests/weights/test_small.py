"""Small networks in int8 rows: nearly the numbers that went in, in half the bytes; other files are refused."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from torch import nn

from muybridge.core.errors import WeightsError
from muybridge.weights.small import INT8_MAX, accuracy_of, load_small, save_small


@dataclass(frozen=True, kw_only=True, slots=True)
class Width:
    """Of the network below."""

    width: int = 32


def build(config: Width) -> nn.Module:
    return nn.Sequential(nn.Conv1d(3, config.width, 7), nn.BatchNorm1d(config.width), nn.Linear(config.width, 2))


def test_rows_come_back_within_half_a_step_of_their_scale(tmp_path: Path) -> None:
    path, network = tmp_path / "small.safetensors", build(Width())
    save_small(network, path, config=Width(), accuracy={"macro_f1": 0.5})
    loaded = load_small(path, Width, build)
    for name, given in network.state_dict().items():
        rows = given.reshape(len(given), -1).abs().amax(1) if given.ndim > 1 else given.abs()
        step = (rows / INT8_MAX).view(-1, *[1] * (given.ndim - 1))
        assert ((loaded.state_dict()[name] - given).abs() <= 0.501 * step).all(), name
    assert accuracy_of(path) == {"macro_f1": 0.5}
    assert not loaded.training and not any(each.requires_grad for each in loaded.parameters())


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    save_small(nn.Linear(3, 4), path, config=Width())
    with pytest.raises(WeightsError, match="not a network of this kind"):
        load_small(path, Width, build)
    path.write_bytes(b"no network")
    with pytest.raises(WeightsError, match="not a network of this kind"):
        load_small(path, Width, build)
    with pytest.raises(WeightsError, match="says nothing of its accuracy"):
        accuracy_of(path)
