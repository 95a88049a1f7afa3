"""Every quantised file opens as the values that it means, one tensor at a time, with no key left over."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from muybridge.core.errors import WeightsError
from muybridge.transformer import Conditions
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.files import open_checkpoint
from muybridge.weights.load import load_transformer
from muybridge.weights.storage import plain
from muybridge.weights.stored import StoredTensor, cast, joined, rows
from tests.weights.small import TRANSFORMER, small_transformer
from tests.weights.storage.samples import SAMPLES, Raw, linear_keys, smoothed, state

ROUNDING = 2**-22  # of float32: one product and a sum
every_scheme = pytest.mark.parametrize("name", SAMPLES)


def written(name: str, folder: Path) -> tuple[Raw, Path]:
    raw = SAMPLES[name].write(state())
    return raw, raw.save(folder / "model.safetensors")


def dense(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor in float32."""
    checkpoint, _ = plain(open_checkpoint(path))
    return {key: cast(entry, torch.float32).read() for key, entry in checkpoint.entries.items()}


@every_scheme
def test_values_are_what_the_format_says(name: str, tmp_path: Path):
    raw, path = written(name, tmp_path)
    values = dense(path)
    for key, exact in raw.exact.items():
        torch.testing.assert_close(values[key].double(), exact, rtol=ROUNDING, atol=float(exact.abs().max()) * ROUNDING)


@every_scheme
def test_every_companion_is_consumed_and_the_rest_is_as_it_was(name: str, tmp_path: Path):
    original = state()
    values = dense(written(name, tmp_path)[1])
    assert set(values) == set(original)
    assert all(torch.equal(values[key], original[key].float()) for key in set(original) - set(linear_keys(original)))


@every_scheme
def test_the_error_is_what_the_bits_allow(name: str, tmp_path: Path):
    original, values = state(), dense(written(name, tmp_path)[1])
    for key in linear_keys(original):
        error = (values[key] - original[key].float()).norm() / original[key].float().norm()
        assert error < SAMPLES[name].error, key


@every_scheme
def test_the_scheme_is_named_and_its_parts_can_be_had(name: str, tmp_path: Path):
    raw, path = written(name, tmp_path)
    checkpoint, quantisation = plain(open_checkpoint(path))
    assert quantisation is not None
    assert (quantisation.scheme, quantisation.num_quantised) == (SAMPLES[name].scheme, len(raw.exact))
    assert quantisation.num_bytes < sum(checkpoint.entries[key].num_bytes for key in raw.exact)
    for key, packed in quantisation.tensors.items():
        assert (
            checkpoint.entries[key].packed is packed
            and packed.parts["weight" if "weight" in packed.parts else "packed"]
        )
    again, _ = plain(checkpoint)
    assert again.entries == checkpoint.entries


@every_scheme
def test_the_network_computes_as_with_the_decoded_weights(name: str, tmp_path: Path):
    raw, path = written(name, tmp_path)
    model = small_transformer().eval()
    weights = {key: raw.exact.get(key, tensor).float() for key, tensor in state().items()}
    model.load_state_dict(weights, strict=True)
    loaded = load_transformer(path, config=TRANSFORMER, dtype=torch.float32)
    conditions = Conditions(
        text=torch.randn(1, 5, TRANSFORMER.text_dim), pooled=torch.randn(1, TRANSFORMER.pooled_dim),
        guidance=torch.tensor([6.0]),
    )  # fmt: skip
    latents, sigma = torch.randn(1, 16, 2, 4, 4), torch.tensor([0.5])
    with torch.no_grad():
        expected, found = model(latents, sigma, conditions), loaded(latents, sigma, conditions)
    assert (found - expected).abs().max() <= 1e-6 * expected.abs().max()


@every_scheme
def test_it_loads_in_bfloat16_unless_told_otherwise(name: str, tmp_path: Path):
    loaded = load_transformer(written(name, tmp_path)[1], config=TRANSFORMER)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.bfloat16}


@every_scheme
def test_a_read_touches_one_tensor(name: str, tmp_path: Path):
    seen: list[str] = []
    checkpoint, _ = plain(watched(open_checkpoint(written(name, tmp_path)[1]), seen))
    for key in linear_keys(state())[:3]:
        seen.clear()
        checkpoint.entries[key].read()
        assert seen and all(part.startswith(key.removesuffix("weight")) for part in seen)


def watched(checkpoint: Checkpoint, seen: list[str]) -> Checkpoint:
    """The checkpoint, telling which of its tensors are read."""

    def watch(key: str, entry: StoredTensor) -> StoredTensor:
        return replace(entry, read=lambda: (seen.append(key), entry.read())[1])

    return replace(checkpoint, entries={key: watch(key, entry) for key, entry in checkpoint.entries.items()})


@every_scheme
def test_rows_and_joins_of_them_keep_every_bit(name: str, tmp_path: Path):
    checkpoint, _ = plain(open_checkpoint(written(name, tmp_path)[1]))
    entry = checkpoint.entries["double_blocks.0.img_attn_qkv.weight"]
    thirds = [rows(entry, start, start + 32) for start in (0, 32, 64)]
    whole = cast(entry, torch.float32).read()
    together = joined(thirds, "qkv")
    if entry.packed is not None and entry.packed.row_parts:
        parts = [cast(third, torch.float32).read() for third in thirds]
        assert torch.equal(torch.cat(parts), whole)
        assert all(third.packed is not None for third in thirds)
    if together.packed is not None:
        assert torch.equal(cast(together, torch.float32).read(), whole)
    assert torch.equal(together.read(), entry.read()) and together.shape == entry.shape


@every_scheme
def test_no_key_can_go_missing_unnoticed(name: str, tmp_path: Path):
    """Without any one of a layer's tensors the file is refused, or means what it meant.

    But for musubi's scale of scales: its older files have blocks without one.
    """
    raw, _ = written(name, tmp_path)
    key = linear_keys(state())[0]
    layer = key.removesuffix("weight")
    for gone in [
        part for part in raw.tensors if part.startswith(layer) and not part.endswith(("bias", "weight_tensor"))
    ]:
        left = {part: tensor for part, tensor in raw.tensors.items() if part != gone}
        path = replace(raw, tensors=left).save(tmp_path / "less.safetensors")
        refuse_or_mean_the_same(path, raw, key, gone)


@every_scheme
def test_no_companion_can_change_its_shape_unnoticed(name: str, tmp_path: Path):
    raw, _ = written(name, tmp_path)
    key = linear_keys(state())[0]
    layer = key.removesuffix("weight")
    for part in [part for part in raw.tensors if part.startswith(layer) and part not in (key, f"{layer}bias")]:
        wrong = torch.cat([raw.tensors[part].flatten(), raw.tensors[part].flatten()[:1]])
        wrong = torch.cat([wrong, wrong[:1]]) if len(wrong) == 2 else wrong
        path = replace(raw, tensors={**raw.tensors, part: wrong}).save(tmp_path / "wrong.safetensors")
        refuse_or_mean_the_same(path, raw, key, part)


def refuse_or_mean_the_same(path: Path, raw: Raw, key: str, part: str) -> None:
    try:
        values = dense(path)
    except WeightsError as error:
        message = str(error)
        assert "\n" not in message and path.name in message and key.removesuffix(".weight") in message, part
    else:
        assert key not in values or torch.allclose(values[key].double(), raw.exact[key], rtol=1e-5), part


def test_scales_of_columns_are_multiplied_in(tmp_path: Path):
    raw = smoothed(state())
    values = dense(raw.save(tmp_path / "model.safetensors"))
    for key, exact in raw.exact.items():
        torch.testing.assert_close(values[key].double(), exact, rtol=ROUNDING, atol=0)


def test_schemes_may_be_mixed_in_one_file(tmp_path: Path):
    half = SAMPLES["ComfyUI"].write(state())
    nf4 = SAMPLES["nf4"].write(state())
    layer = "double_blocks.0.img_mlp.fc1."
    mixed = {key: tensor for key, tensor in half.tensors.items() if not key.startswith(layer)}
    mixed |= {key: tensor for key, tensor in nf4.tensors.items() if key.startswith(layer)}
    path = replace(half, tensors=mixed).save(tmp_path / "model.safetensors")
    _, quantisation = plain(open_checkpoint(path))
    assert quantisation is not None
    assert quantisation.counts() == {"fp8 scaled": len(half.exact) - 1, "bitsandbytes nf4": 1}


def test_a_plain_checkpoint_stays_as_it_is(tmp_path: Path):
    checkpoint = open_checkpoint(Raw(tensors=state(), exact={}).save(tmp_path / "model.safetensors"))
    found, quantisation = plain(checkpoint)
    assert quantisation is None and found.entries == checkpoint.entries
