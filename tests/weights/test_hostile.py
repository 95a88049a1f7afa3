"""Whatever a file holds, reading it ends in the model or in one line with file and remedy, at once, running nothing.

test_header.py and test_files.py have a case of each kind by hand; here hypothesis draws them.
"""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from muybridge.core.errors import WeightsError
from muybridge.weights.files import open_checkpoint
from muybridge.weights.recognise import recognise
from tests.weights.hostile import CONFIG, bombed, damaged, gguf_file, lora_file, outcome, pickle_file, reheaded
from tests.weights.hostile import transformer_file as a_transformer_file
from tests.weights.small import small_transformer

FEW = settings(max_examples=8, deadline=None, database=None, derandomize=True,
               suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
TRANSFORMER_FILE, LORA_FILE = a_transformer_file(), lora_file()


@pytest.fixture(autouse=True)
def config(tmp_path: Path) -> None:
    """What the small network's shapes do not tell, so that a file with harmless damage is read to its end."""
    (tmp_path / "config.json").write_text(CONFIG)


@FEW
@given(st.data())
def test_damaged_safetensors(tmp_path: Path, data: st.DataObject):
    whole = data.draw(st.sampled_from([TRANSFORMER_FILE, LORA_FILE]))
    path = tmp_path / "model.safetensors"
    path.write_bytes(data.draw(damaged(whole)))
    outcome(path)


@FEW
@given(st.data())
def test_headers_that_lie(tmp_path: Path, data: st.DataObject):
    whole = data.draw(st.sampled_from([TRANSFORMER_FILE, LORA_FILE]))
    path = tmp_path / "model.safetensors"
    path.write_bytes(data.draw(reheaded(whole)))
    outcome(path)


@FEW
@given(st.data())
def test_damaged_gguf(tmp_path: Path, data: st.DataObject):
    path = tmp_path / "model.gguf"
    path.write_bytes(data.draw(damaged(gguf_file(tmp_path))))
    outcome(path)


@FEW
@given(st.data())
def test_damaged_pickles_run_nothing(tmp_path: Path, data: st.DataObject):
    target = tmp_path / "ran"
    wholes = [pickle_file(tmp_path), *(bombed(tmp_path, target, is_plain=is_plain) for is_plain in (True, False))]
    path = tmp_path / "model.pt"
    path.write_bytes(data.draw(damaged(data.draw(st.sampled_from(wholes)))))
    outcome(path)
    assert not target.exists()


@pytest.mark.parametrize("is_plain", [True, False])
def test_code_in_a_pickle_is_named_and_not_run(is_plain: bool, tmp_path: Path):
    path, target = tmp_path / "model.pt", tmp_path / "ran"
    path.write_bytes(bombed(tmp_path, target, is_plain=is_plain))
    assert "was not run" in (outcome(path) or "") and not target.exists()


@FEW
@given(st.text(max_size=20), st.booleans())
def test_an_index_never_leaves_its_folder(tmp_path: Path, name: str, is_up: bool):
    save_file({"a": torch.ones(1)}, tmp_path / "outside.safetensors")
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": f"../{name}" if is_up else name}}))
    message = outcome(index, read=open_checkpoint)
    assert message is not None


@FEW
@given(st.data())
def test_keys_missing_or_too_many_are_named(tmp_path: Path, data: st.DataObject):
    state = small_transformer().state_dict()
    lost = data.draw(st.lists(st.sampled_from(sorted(state)), max_size=3, unique=True))
    added = data.draw(st.lists(st.text(min_size=1, max_size=20).filter(lambda key: key not in state), max_size=2))
    for key in lost:
        del state[key]
    path = tmp_path / "model.safetensors"
    save_file({**state, **{key: torch.ones(2) for key in added}}, path)
    message = outcome(path)
    assert (message is None) is (not lost and not added)


@pytest.mark.parametrize(
    "beside",
    [
        {"num_attention_heads": 0},
        {"num_attention_heads": [1] * 1000, "attention_head_dim": 10**8, "rope_axes_dim": [4, 6, 6]},
        {"num_attention_heads": 2, "attention_head_dim": 2**40, "rope_axes_dim": [2**40, 0, 0]},
        {"num_attention_heads": 2, "attention_head_dim": 16, "rope_axes_dim": [4, 6, 6], "num_layers": 10**9},
    ],
    ids=["no heads", "heads that are a list", "sizes beyond memory", "a billion blocks"],
)
def test_a_config_that_cannot_be_is_refused_before_it_is_built(beside: dict[str, object], tmp_path: Path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(TRANSFORMER_FILE)
    (tmp_path / "config.json").write_text(json.dumps(beside))
    assert outcome(path) is not None


@pytest.mark.parametrize(
    ("key", "shape"),
    [("double_blocks.999999.img_mlp.fc1.weight", (1,)), ("double_blocks.0.img_attn_q_norm.weight", (1000,))],
)
def test_one_key_that_claims_too_much_is_refused_at_once(key: str, shape: tuple[int, ...], tmp_path: Path):
    path = tmp_path / "model.safetensors"
    save_file({**small_transformer().state_dict(), key: torch.ones(shape)}, path)
    (tmp_path / "config.json").unlink()
    assert outcome(path) is not None


def test_a_config_of_ours_that_nests_without_end_is_refused(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    said = {"muybridge.config": "[" * 100_000, "muybridge.kind": "transformer"}
    save_file(small_transformer().state_dict(), path, said)
    with pytest.raises(WeightsError, match=r"muybridge\.config in its metadata is not JSON"):
        recognise(open_checkpoint(path))


@pytest.mark.parametrize("kind", ["expanded", "meta", "sparse"])
def test_a_pickle_with_less_than_its_tensors_is_refused(kind: str, tmp_path: Path):
    down = {
        "expanded": torch.ones(1).expand(1, 10**13),
        "meta": torch.ones(1, 4, device="meta"),
        "sparse": torch.eye(4).to_sparse(),
    }[kind]
    path = tmp_path / "lora.pt"
    name = "lora_unet_double_blocks_0_img_mlp_fc1"
    torch.save({f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": torch.ones(8, 1)}, path)
    assert "does not hold all its numbers" in (outcome(path) or "")


def test_a_lora_of_rank_zero_is_refused(tmp_path: Path):
    path, name = tmp_path / "lora.safetensors", "lora_unet_double_blocks_0_img_mlp_fc1"
    factors = {f"{name}.lora_down.weight": torch.ones(0, 8), f"{name}.lora_up.weight": torch.ones(32, 0)}
    save_file({**factors, f"{name}.alpha": torch.tensor(1.0)}, path)
    assert "no matrix" in (outcome(path) or "")
