"""A conversion to fewer bits loses what its precision may and no more, and says so."""

from pathlib import Path

import pytest
import torch

from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.transformer import Transformer
from muybridge.weights.convert import convert
from muybridge.weights.files import open_checkpoint
from muybridge.weights.load import load_transformer
from muybridge.weights.names import PRECISION_NAMES
from muybridge.weights.precision import PLAIN, PRECISIONS, check_read_back
from muybridge.weights.report import describe
from muybridge.weights.save import save_model
from muybridge.weights.storage.write import is_block_linear
from muybridge.weights.stored import from_tensor
from muybridge.weights.target import Target
from tests.weights.small import entries_of, same, small_transformer, small_vae

IN_GGUF = [name for name, precision in PRECISIONS.items() if precision.quantise is None]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_model(small_transformer(), tmp_path / "t.safetensors")
    return tmp_path / "t.safetensors"


def named(folder: Path, quantise: str) -> Path:
    return folder / ("small.gguf" if quantise in IN_GGUF else "small.safetensors")


def unheard(_count: int) -> None:
    pass


def test_the_help_names_every_precision():
    assert tuple(PRECISIONS) == PRECISION_NAMES


@pytest.mark.parametrize("quantise", PRECISIONS)
def test_every_precision_is_written_loads_and_keeps_all_but_the_linear_layers(
    quantise: str, saved: Path, tmp_path: Path
):
    done = convert(saved, named(tmp_path, quantise), target=Target(quantise=quantise))
    report = describe(done.destination)
    assert report.problem is None and report.num_parameters == done.num_parameters
    assert any(quantise in line and "no value by more than" in line for line in done.lost)
    was, now = small_transformer().state_dict(), load_transformer(done.destination, dtype=torch.float32).state_dict()
    for key, entry in entries_of(was).items():
        assert is_block_linear(key, entry) or torch.equal(was[key], now[key])
    assert abs(done.destination.stat().st_size - done.num_bytes) < 20_000


def test_fewer_bits_lose_more_and_take_less(saved: Path, tmp_path: Path):
    sizes, errors = [], []
    for quantise in ("q8_0", "q5_1", "q4_0"):
        done = convert(saved, tmp_path / f"{quantise}.gguf", target=Target(quantise=quantise))
        sizes.append(done.num_bytes)
        errors.append(float(done.lost[0].split(" by more than ")[1].split("%")[0]))
    assert sizes == sorted(sizes, reverse=True) and errors == sorted(errors)


def test_gguf_to_safetensors_and_back_says_what_is_lost(saved: Path, tmp_path: Path):
    convert(saved, tmp_path / "a.gguf", target=Target(quantise="q8_0"))
    rounded = convert(tmp_path / "a.gguf", tmp_path / "b.safetensors", target=Target())
    exact = convert(tmp_path / "a.gguf", tmp_path / "c.safetensors", target=Target(dtype=torch.float32))
    assert "tensors of Q8_0 were decoded and rounded to 16 bits" in rounded.lost[0]
    assert "Q8_0 were decoded; they take more room" in exact.lost[0]
    assert same(
        load_transformer(tmp_path / "c.safetensors"), load_transformer(tmp_path / "a.gguf", dtype=torch.float32)
    )
    convert(tmp_path / "c.safetensors", tmp_path / "d.gguf", target=Target(quantise="q8_0"))
    assert describe(tmp_path / "d.gguf").quantisation == describe(tmp_path / "a.gguf").quantisation


def test_gguf_to_gguf_keeps_every_block(saved: Path, tmp_path: Path):
    convert(saved, tmp_path / "a.gguf", target=Target(quantise="q5_0"))
    kept = convert(tmp_path / "a.gguf", tmp_path / "b.gguf", target=Target())
    assert kept.lost == () and (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_a_plain_conversion_loses_nothing_and_a_smaller_dtype_is_told(saved: Path, tmp_path: Path):
    assert convert(saved, tmp_path / "same.safetensors", target=Target()).lost == ()
    assert convert(saved, tmp_path / "plain.gguf", target=Target()).lost == ()
    assert same(load_transformer(tmp_path / "plain.gguf"), small_transformer())
    half = convert(saved, tmp_path / "half.safetensors", target=Target(dtype=torch.bfloat16))
    assert half.lost == (f"{half.num_tensors} tensors were rounded to bfloat16",)


@pytest.mark.parametrize(("destination", "quantise", "match"), [
    ("a.safetensors", "q3_k_m", "known are fp8, fp8-scaled, "),
    ("a.safetensors", "q8_0", "safetensors file or folder keeps fp8, "),
    ("a.gguf", "fp8", "gguf file keeps q8_0, "),
])  # fmt: skip
def test_a_precision_that_has_no_place_is_refused(
    destination: str, quantise: str, match: str, saved: Path, tmp_path: Path
):
    with pytest.raises(InvalidInput, match=match):
        convert(saved, tmp_path / destination, target=Target(quantise=quantise))
    assert list(tmp_path.iterdir()) == [saved]


def test_a_vae_has_no_gguf(tmp_path: Path):
    save_model(small_vae(), tmp_path / "v.safetensors")
    with pytest.raises(InvalidInput, match="is for transformers, not for a vae"):
        convert(tmp_path / "v.safetensors", tmp_path / "v.gguf", target=Target())


def test_values_that_fp8_cuts_off_are_refused(tmp_path: Path):
    model = Transformer(small_transformer().config)
    model.load_state_dict(small_transformer().state_dict())
    with torch.no_grad():
        model.get_parameter("single_blocks.0.linear1.weight")[0, 0] = 1000.0
    save_model(model, tmp_path / "t.safetensors")
    with pytest.raises(WeightsError, match="'single_blocks.0.linear1.weight' lost 0.55 .* such as fp8-scaled"):
        convert(tmp_path / "t.safetensors", tmp_path / "a.safetensors", target=Target(quantise="fp8"))
    assert not (tmp_path / "a.safetensors").exists()
    convert(tmp_path / "t.safetensors", tmp_path / "b.safetensors", target=Target(quantise="fp8-scaled"))


def test_a_value_changed_or_a_key_lost_on_the_disk_is_noticed(saved: Path):
    expected = open_checkpoint(saved).entries
    key = "final_layer.linear.bias"
    changed = expected[key].read().clone()
    changed[0] += 1e-4
    with pytest.raises(WeightsError, match=f"'{key}' lost"):
        check_read_back({**expected, key: from_tensor(changed, saved)}, expected, PLAIN, file=saved, on_bytes=unheard)
    without = {name: entry for name, entry in expected.items() if name != key}
    with pytest.raises(WeightsError, match=f"'{key}' was lost or invented"):
        check_read_back(without, expected, PLAIN, file=saved, on_bytes=unheard)
