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

from muybridge.weights.files import open_checkpoint
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
