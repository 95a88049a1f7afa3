"""Devices by name, measured here or from a data sheet."""

import json

import pytest
import torch

from muybridge.acceleration.device import LARGE, SMALL, nominal, rate_at
from muybridge.acceleration.machine import device_named, limits_of
from muybridge.core.config import to_dict
from muybridge.core.errors import InvalidInput
from tests.acceleration.quick import measure_quickly

CPU = torch.device("cpu")


@pytest.fixture
def quick(monkeypatch, tmp_path):
    measure_quickly(monkeypatch, tmp_path)
    return tmp_path


def test_this_machine_is_measured_once(quick):
    first = device_named("cpu")
    [file] = (quick / "devices").glob("*.json")
    kept = json.loads(file.read_text()) | {"call_s": 0.5}
    file.write_text(json.dumps(kept))
    assert device_named("cpu").call_s == 0.5
    assert device_named("cpu", anew=True).call_s < 0.5
    assert to_dict(first)["kind"] == "cpu" and not first.is_nominal


def test_a_damaged_measurement_is_made_again(quick):
    device_named("cpu")
    [file] = (quick / "devices").glob("*.json")
    file.write_text("{")
    assert min(device_named("cpu").matmul["float32"]) > 0


def test_rates_are_measured_where_they_are_asked_for(quick):
    rates = {"float32": (1.0, 3.0)}
    assert rate_at(rates, "float32", SMALL) == 1 and rate_at(rates, "float32", LARGE) == 3
    assert rate_at(rates, "int3", 1) == 1 and rate_at(rates, "float32", 10**6) == 3
    assert rate_at(rates, "float32", (SMALL * LARGE) ** 0.5) == pytest.approx(2)


def test_data_sheets_are_called_nominal_and_name_their_source():
    for name in ("h200", "4090", "RTX 4090"):
        assert nominal(name).is_nominal and "NVIDIA" in nominal(name).source


def test_another_amount_of_memory_is_taken_at_its_word():
    assert nominal("4090-16GiB").memory_bytes == 16 * 2**30
    assert limits_of(nominal("4090"), memory="12GiB").device_bytes == 12 * 2**30
    assert limits_of(nominal("4090")).device_bytes == 24 * 10**9


@pytest.mark.parametrize("words", ["abacus", "4090-lots", "", "h200 -"])
def test_unknown_devices_are_refused(words):
    with pytest.raises(InvalidInput, match="device="):
        nominal(words)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_cuda_that_is_not_here_is_refused():
    with pytest.raises(InvalidInput, match="device=cuda"):
        device_named("cuda")
