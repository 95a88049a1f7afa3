"""Companions that are missing, of another dtype or shape, or nonsense: an error of ours, or a file that reads."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.weights.files import open_checkpoint
from muybridge.weights.storage import plain
from tests.weights.storage.samples import SAMPLES, Raw, scaled, smoothed, state

LAYERS = ("double_blocks.0.img_attn_proj.", "single_blocks.0.linear2.")
DTYPES = (torch.float32, torch.bfloat16, torch.int8, torch.uint8, torch.float8_e4m3fn, torch.int64, torch.bool)


@pytest.fixture(scope="module")
def raws() -> list[Raw]:
    """Two layers in every scheme."""
    two = {key: tensor for key, tensor in state().items() if key.startswith(LAYERS)}
    return [write(two) for write in (*(sample.write for sample in SAMPLES.values()), smoothed)]


def with_dtype(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.float().to(dtype)


def with_shape(tensor: Tensor, number: int) -> Tensor:
    shapes = [(), (0,), (1,), (3,), (tensor.numel(),), (1, tensor.numel()), (tensor.numel(), 1), (2, 2, 2, 2)]
    return torch.zeros(shapes[number % len(shapes)]).to(tensor.dtype)


def with_bit_flipped(tensor: Tensor, number: int) -> Tensor:
    data = tensor.clone().contiguous().flatten().view(torch.uint8)
    if len(data):
        data[number % len(data)] ^= 1 << (number // 7 % 8)
    return data.view(tensor.dtype).reshape(tensor.shape)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_refused_or_reads(data: st.DataObject, raws: list[Raw], tmp_path: Path):
    raw = data.draw(st.sampled_from(raws))
    tensors = dict(raw.tensors)
    for _ in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from(sorted(tensors)))
        number = data.draw(st.integers(0, 10_000))
        change = data.draw(st.sampled_from(["gone", "dtype", "shape", "bit", "renamed"]))
        tensor = tensors.pop(key)
        if change == "renamed":
            tensors[key + data.draw(st.sampled_from([".scale_weight", "._scale", ".absmax", "x"]))] = tensor
        elif change != "gone":
            made = {"dtype": with_dtype(tensor, DTYPES[number % len(DTYPES)]), "shape": with_shape(tensor, number)}
            tensors[key] = made.get(change, with_bit_flipped(tensor, number))
        if not tensors:
            return
    path = replace(raw, tensors=tensors).save(tmp_path / "damaged.safetensors")
    started = time.process_time()
    try:
        checkpoint, _ = plain(open_checkpoint(path))
        for entry in checkpoint.entries.values():
            assert tuple(entry.read().shape) == entry.shape and entry.read().dtype == entry.dtype
    except WeightsError as error:
        assert "\n" not in str(error) and "damaged.safetensors" in str(error)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("text", [b"{", b"[]", b"{}", b"\xff", b"[" * 10_000, b'{"shape": [-1]}'])
def test_a_broken_state_is_refused(text: bytes, tmp_path: Path):
    raw = SAMPLES["nf4"].write(state())
    key = next(key for key in raw.tensors if "quant_state" in key)
    raw.tensors[key] = torch.tensor(list(text), dtype=torch.uint8)
    with pytest.raises(WeightsError, match="quant_state"):
        plain(open_checkpoint(raw.save(tmp_path / "a.safetensors")))


@pytest.mark.parametrize(
    "fields",
    [{"shape": [2**39] * 30}, {"blocksize": 2**62}, {"shape": [1] * 3, "blocksize": 2**20}],
    ids=["more than a float counts", "a block beyond memory", "a block that no writer makes"],
)
def test_a_state_that_claims_too_much_is_refused(fields: dict[str, object], tmp_path: Path):
    raw = SAMPLES["nf4"].write(state())
    key = next(key for key in raw.tensors if "quant_state" in key)
    said = json.loads(bytes(raw.tensors[key].tolist())) | fields
    raw.tensors[key] = torch.tensor(list(json.dumps(said).encode()), dtype=torch.uint8)
    with pytest.raises(WeightsError):
        plain(open_checkpoint(raw.save(tmp_path / "a.safetensors")))


def test_a_table_of_another_dtype_is_refused(tmp_path: Path):
    raw = SAMPLES["nf4"].write(state())
    key = next(key for key in raw.tensors if key.endswith(".quant_map"))
    raw.tensors[key] = raw.tensors[key].view(torch.int64)
    with pytest.raises(WeightsError, match=r"the table of .* is torch\.int64"):
        plain(open_checkpoint(raw.save(tmp_path / "a.safetensors")))


@pytest.mark.parametrize("suffix", [".quant_map", ".absmax", ".nested_quant_map", ".nested_absmax"])
def test_the_shape_of_a_companion_says_nothing(suffix: str, tmp_path: Path):
    """Which of its numbers comes when is all that counts."""
    raw = SAMPLES["nf4, nested"].write(state())
    key = next(key for key in raw.tensors if key.endswith(suffix))
    layer, expected = key.removesuffix(suffix), {}
    for shape in ((-1,), (1, -1), (-1, 1)):
        raw.tensors[key] = raw.tensors[key].reshape(shape)
        checkpoint, _ = plain(open_checkpoint(raw.save(tmp_path / f"{len(shape)}{shape[0]}.safetensors")))
        expected[shape] = checkpoint.entries[layer].read()
    assert all(torch.equal(found, expected[-1,]) for found in expected.values())


RECIPES = {
    "no JSON": ("{", "not JSON"),
    "no layers": ('{"layers": 3}', "names no layers"),
    "unknown layer": ('{"layers": {"nothing": {"format": "float8_e4m3fn"}}}', "'nothing', which is missing"),
    "unknown format": ('{"layers": {"single_blocks.0.linear1": {"format": "nvfp5"}}}', "'nvfp5'; only float8_e4m3fn"),
    "rotated": (
        json.dumps({"layers": {"single_blocks.0.linear1": {"format": "int8_tensorwise", "convrot": True}}}),
        "with rotated weights",
    ),
}


@pytest.mark.parametrize("case", RECIPES)
def test_a_recipe_that_is_not_known_is_refused(case: str, tmp_path: Path):
    text, fault = RECIPES[case]
    raw = replace(scaled(".weight_scale")(state()), metadata={"_quantization_metadata": text})
    with pytest.raises(WeightsError, match=fault):
        plain(open_checkpoint(raw.save(tmp_path / "a.safetensors")))


def test_two_scales_for_one_layer_are_refused(tmp_path: Path):
    raw = scaled(".weight_scale")(state())
    raw.tensors["single_blocks.0.linear1.scale_weight"] = torch.ones(())
    with pytest.raises(WeightsError, match="both give the scale; keep one"):
        plain(open_checkpoint(raw.save(tmp_path / "a.safetensors")))


def test_reading_a_large_tensor_holds_little_beside_it(tmp_path: Path):
    """Decoded a few rows at a time: beside the result and the mapped file, less than 64 MiB."""
    raw = Raw(
        tensors={"a.weight": torch.zeros(4096, 8192, dtype=torch.float8_e4m3fn), "a.scale_weight": torch.ones(4096, 1)},
        exact={},
    )
    entry = plain(open_checkpoint(raw.save(tmp_path / "a.safetensors")))[0].entries["a.weight"]
    del raw
    before = peak_bytes(reset=True)
    assert entry.read().shape == (4096, 8192)
    assert peak_bytes() - before < 64 * 2**20 + 32 * 2**20 + 64 * 2**20  # the result, the mapped file, the chunks


def peak_bytes(*, reset: bool = False) -> int:
    """Resident memory at its highest; reset: from now on."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@pytest.mark.parametrize(("sample", "field", "value"), [
    ("ComfyUI", "format", ["float8_e4m3fn"]), ("ComfyUI", "format", {"a": 1}), ("nf4", "dtype", ["bfloat16"]),
    ("nf4", "nested_offset", 10**400), ("nf4", "shape", {}), ("nf4, nested", "nested_blocksize", "256"),
])  # fmt: skip
def test_json_of_other_types_is_refused(sample: str, field: str, value: object, tmp_path: Path):
    raw = SAMPLES[sample].write(state())
    key = next(key for key in raw.tensors if "quant" in key and key.endswith(("comfy_quant", "__nf4")))
    said = json.loads(bytes(raw.tensors[key].tolist())) | {field: value}
    raw.tensors[key] = torch.tensor(list(json.dumps(said).encode()), dtype=torch.uint8)
    with pytest.raises(WeightsError):
        plain(open_checkpoint(raw.save(tmp_path / "model.safetensors")))
