"""The released fp8: weights in one file, scales in another, both read as data only."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.weights.files import open_checkpoint
from muybridge.weights.load import load_transformer
from muybridge.weights.storage import plain
from muybridge.weights.stored import cast
from tests.weights.small import TRANSFORMER
from tests.weights.storage.samples import E4M3, linear_keys, scaled, state
from tests.weights.test_files import Bomb


def released(folder: Path, *, wraps_map: bool = False, **changes: Tensor | None) -> tuple[Path, dict[str, Tensor]]:
    """`X_fp8.pt` with its `X_fp8_map.pt`, and the exact values; changes: scales by layer, None for none."""
    raw = scaled(".scale")(state())
    scales = {key.removesuffix(".scale"): raw.tensors.pop(key) for key in list(raw.tensors) if key.endswith(".scale")}
    scales = {key: scale for key, scale in {**scales, **changes}.items() if scale is not None}
    path = folder / "mp_rank_00_model_states_fp8.pt"
    torch.save({"module": raw.tensors}, path)
    torch.save({"module": scales} if wraps_map else scales, folder / "mp_rank_00_model_states_fp8_map.pt")
    return path, raw.exact


def refused(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        plain(open_checkpoint(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("wraps_map", [False, True], ids=["bare map", "map in module"])
def test_weights_are_codes_times_their_layer_s_scale(wraps_map: bool, tmp_path: Path):
    path, exact = released(tmp_path, wraps_map=wraps_map)
    for given in (path, tmp_path):
        checkpoint, quantisation = plain(open_checkpoint(given))
        assert quantisation is not None and quantisation.counts() == {"fp8 with a map": len(exact)}
        assert set(checkpoint.entries) == set(state()) and len(checkpoint.files) == 2
    for key, value in exact.items():
        assert torch.equal(cast(checkpoint.entries[key], torch.float32).read(), value.float())
    loaded = load_transformer(path, config=TRANSFORMER)
    assert torch.equal(loaded.state_dict()[linear_keys(state())[0]], exact[linear_keys(state())[0]].bfloat16())


def test_without_its_map_it_is_refused_with_what_to_do(tmp_path: Path):
    path, _ = released(tmp_path)
    (tmp_path / "mp_rank_00_model_states_fp8_map.pt").unlink()
    message = refused(path)
    assert "mp_rank_00_model_states_fp8_map.pt" in message and "put it beside the weights" in message


LAYER = "single_blocks.0.linear1"


@pytest.mark.parametrize(
    ("scale", "fault"),
    [(None, "has no scale for"), (torch.ones(3), "does not fit"), (torch.tensor(float("nan")), "no finite numbers")],
)
def test_a_scale_that_is_missing_or_nonsense_is_refused(scale: Tensor | None, fault: str, tmp_path: Path):
    path, _ = released(tmp_path, **{LAYER: scale})
    with pytest.raises(WeightsError, match=fault) as caught:
        plain(open_checkpoint(path))[0].entries[f"{LAYER}.weight"].read()
    assert LAYER in str(caught.value)


@pytest.mark.parametrize(("layer", "fault"), [("img_in.proj", "is not fp8"), ("final_layer.nothing", "is missing")])
def test_a_scale_for_nothing_is_refused(layer: str, fault: str, tmp_path: Path):
    path, _ = released(tmp_path, **{layer: torch.ones(())})
    message = refused(path)
    assert fault in message and f"{layer}.weight" in message


@pytest.mark.parametrize("content", [b"", b"not a pickle", [1, 2], {"a": 3}])
def test_a_broken_map_is_refused(content: Any, tmp_path: Path):
    path, _ = released(tmp_path)
    file = tmp_path / "mp_rank_00_model_states_fp8_map.pt"
    file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
    assert file.name in refused(path)


def test_code_in_a_map_is_refused_and_never_run(tmp_path: Path):
    path, _ = released(tmp_path)
    torch.save({LAYER: Bomb(tmp_path / "ran")}, tmp_path / "mp_rank_00_model_states_fp8_map.pt")
    assert "not run" in refused(path) and not (tmp_path / "ran").exists()


def test_fp8_vectors_and_convolutions_need_no_scale(tmp_path: Path):
    torch.save({"a.weight": torch.ones(4, 4, 1).to(E4M3), "a.bias": torch.ones(4).to(E4M3)}, tmp_path / "a.pt")
    checkpoint, _ = plain(open_checkpoint(tmp_path / "a.pt"))
    assert {entry.dtype for entry in checkpoint.entries.values()} == {torch.bfloat16}
