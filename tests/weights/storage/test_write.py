"""What is quantised on the way to a file reads back within its error; what is so already keeps every bit."""

from pathlib import Path

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.files import open_checkpoint
from muybridge.weights.save import write_safetensors
from muybridge.weights.storage import plain
from muybridge.weights.storage.write import (
    fp8_cast,
    fp8_scaled,
    fp8_with_map,
    int8_rows,
    is_block_linear,
    nf4,
    save_fp8_with_map,
)
from muybridge.weights.stored import StoredTensor, cast, from_tensor
from tests.weights.storage.samples import E4M3, SAMPLES, linear_keys, state


def entries() -> dict[str, StoredTensor]:
    return {key: from_tensor(tensor, Path("memory")) for key, tensor in state().items()}


def reread(made: dict[str, StoredTensor], folder: Path) -> tuple[Checkpoint, dict[str, torch.Tensor]]:
    """What a file of these entries means, in float32."""
    write_safetensors(folder / "made.safetensors", made, metadata={})
    checkpoint, _ = plain(open_checkpoint(folder / "made.safetensors"))
    return checkpoint, {key: cast(entry, torch.float32).read() for key, entry in checkpoint.entries.items()}


def largest_error(values: dict[str, torch.Tensor]) -> float:
    """Relative, RMS, over the linear layers; all else must be as it was."""
    original = {key: tensor.float() for key, tensor in state().items()}
    linear = linear_keys(original)
    assert values.keys() == original.keys()
    assert all(torch.equal(values[key], original[key]) for key in original.keys() - set(linear))
    return max(float((values[key] - original[key]).norm() / original[key].norm()) for key in linear)


def test_the_linear_layers_of_the_blocks_are_what_is_quantised():
    assert [key for key, entry in entries().items() if is_block_linear(key, entry)] == linear_keys(state())


@pytest.mark.parametrize("per_row", [False, True])
def test_fp8_scaled_reads_back(per_row: bool, tmp_path: Path):
    checkpoint, values = reread(fp8_scaled(entries(), per_row=per_row), tmp_path)
    assert 0 < largest_error(values) < 0.03
    packed = checkpoint.entries[linear_keys(state())[0]].packed
    assert packed is not None and (packed.row_parts == {"weight", "scale"}) is per_row


def test_a_scale_per_row_is_no_worse_where_rows_differ():
    weight = torch.randn(64, 64) * torch.logspace(-8, 0, 64)[:, None]
    key = "single_blocks.0.linear1.weight"
    made = {rows: fp8_scaled({key: from_tensor(weight, Path("memory"))}, per_row=rows) for rows in (False, True)}
    errors = {}
    for rows, parts in made.items():
        low, scale = parts[key].read().float(), parts[key.replace("weight", "scale_weight")].read()
        errors[rows] = ((low * scale - weight).norm(dim=1) / weight.norm(dim=1)).mean()
    assert errors[True] < errors[False] / 2


def test_a_layer_of_zeros_stays_zeros(tmp_path: Path):
    key = "single_blocks.0.linear1.weight"
    _, values = reread(fp8_scaled({key: from_tensor(torch.zeros(8, 8), Path("memory"))}), tmp_path)
    assert torch.equal(values[key], torch.zeros(8, 8))


def test_fp8_cast_is_the_value_rounded(tmp_path: Path):
    _, values = reread(fp8_cast(entries()), tmp_path)
    original = state()
    assert all(torch.equal(values[key], original[key].to(E4M3).float()) for key in linear_keys(original))


@pytest.mark.parametrize(
    ("write", "scheme", "error"), [(int8_rows, "quanto int8", 0.01), (nf4, "bitsandbytes nf4", 0.1)]
)
def test_int8_and_nf4_read_back(write, scheme: str, error: float, tmp_path: Path):
    checkpoint, values = reread(write(entries()), tmp_path)
    assert 0 < largest_error(values) < error
    packed = checkpoint.entries[linear_keys(state())[0]].packed
    assert packed is not None and packed.scheme == scheme


@pytest.mark.parametrize("write", [int8_rows, nf4])
def test_zeros_and_odd_sizes_are_kept(write, tmp_path: Path):
    key = "single_blocks.0.linear1.weight"
    weight = torch.zeros(5, 13)
    weight[1, 3], weight[4, 12] = 0.5, -2.0
    beside = {key.replace("weight", "bias"): from_tensor(torch.zeros(5), Path("memory"))}
    _, values = reread(write({key: from_tensor(weight, Path("memory")), **beside}), tmp_path)
    assert torch.equal(values[key], weight)


def test_exponents_are_no_scales_of_fp8(tmp_path: Path):
    source, _ = plain(open_checkpoint(SAMPLES["ModelOpt, mxfp8"].write(state()).save(tmp_path / "a.safetensors")))
    _, values = reread(fp8_scaled(source.entries), tmp_path)
    key = linear_keys(state())[0]
    exact = cast(source.entries[key], torch.float32).read()
    assert float((values[key] - exact).norm() / exact.norm()) < 0.03


def test_int8_under_its_own_names_keeps_every_bit(tmp_path: Path):
    source, _ = plain(open_checkpoint(SAMPLES["quanto int8"].write(state()).save(tmp_path / "a.safetensors")))
    _, values = reread(int8_rows(source.entries), tmp_path)
    assert all(torch.equal(values[k], cast(source.entries[k], torch.float32).read()) for k in linear_keys(state()))


def test_the_released_fp8_reads_back(tmp_path: Path):
    save_fp8_with_map(entries(), tmp_path / "a_fp8.pt")
    assert {file.name for file in tmp_path.iterdir()} == {"a_fp8.pt", "a_fp8_map.pt"}
    released = torch.load(tmp_path / "a_fp8.pt", weights_only=True)["module"]
    scales = torch.load(tmp_path / "a_fp8_map.pt", weights_only=True)
    assert {f"{layer}.weight" for layer in scales} == set(linear_keys(state())) and set(released) == set(state())
    checkpoint, _ = plain(open_checkpoint(tmp_path / "a_fp8.pt"))
    assert largest_error({key: cast(entry, torch.float32).read() for key, entry in checkpoint.entries.items()}) < 0.03


FP8 = [name for name, sample in SAMPLES.items() if sample.scheme.startswith("fp8")]


@pytest.mark.parametrize("name", FP8)
def test_fp8_under_other_names_keeps_every_bit(name: str, tmp_path: Path):
    source, _ = plain(open_checkpoint(SAMPLES[name].write(state()).save(tmp_path / "a.safetensors")))
    made, values = reread(fp8_scaled(source.entries), tmp_path)
    for key in linear_keys(state()):
        before, after = source.entries[key].packed, made.entries[key].packed
        assert before is not None and after is not None
        assert torch.equal(
            before.parts["weight"].read().view(torch.uint8), after.parts["weight"].read().view(torch.uint8)
        )
        assert torch.equal(values[key], cast(source.entries[key], torch.float32).read())


def test_the_released_fp8_keeps_one_scale_and_says_so(tmp_path: Path):
    source, _ = plain(open_checkpoint(SAMPLES["musubi, rows"].write(state()).save(tmp_path / "a.safetensors")))
    with pytest.raises(InvalidInput, match="one scale per tensor"):
        fp8_with_map(source.entries)
    source, _ = plain(open_checkpoint(SAMPLES["ComfyUI, old"].write(state()).save(tmp_path / "b.safetensors")))
    weights, scales = fp8_with_map(source.entries)
    packed = source.entries[linear_keys(state())[0]].packed
    assert packed is not None and weights[linear_keys(state())[0]] is packed.parts["weight"] and len(scales) == 23


def test_the_released_file_is_no_larger_than_its_tensors(tmp_path: Path):
    """Each tensor is written for itself, though all are mapped from one file."""
    save_fp8_with_map(entries(), tmp_path / "a_fp8.pt")
    num_bytes = sum(entry.num_bytes for entry in fp8_with_map(entries())[0].values())
    assert (tmp_path / "a_fp8.pt").stat().st_size < num_bytes + 500 * len(entries())
