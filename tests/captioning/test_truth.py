import json
from dataclasses import asdict

import pytest

from muybridge.captioning.opened import open_captioner
from muybridge.captioning.tags import TagCaptioner
from muybridge.captioning.truth import TruthCaptioner
from muybridge.captioning.vlm import VlmCaptioner
from muybridge.core.errors import InvalidInput, RunFailed
from tests.captioning.examples import HORSE, view


@pytest.fixture
def world(tmp_path):
    """A folder as `worlds` writes it."""
    fields = asdict(HORSE)
    row = {"id": "sprites-train-000003", "caption": fields.pop("short"), "captions": [], **fields}
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "000003.json").write_text(json.dumps(row))
    (tmp_path / "clips" / "000004.json").write_text(json.dumps(row | {"camera": "follow"}))
    (tmp_path / "clips" / "000005.json").write_text("{}")
    (tmp_path / "world.json").write_text('{"world": {}}')
    return tmp_path


def test_a_worlds_clip_has_its_scenes_caption(world):
    captioner = TruthCaptioner(folder=world)
    found = captioner.caption([view(uri="clips/000003.mp4"), view(uri="000003.mp4"), view(uri="000004.mp4")])
    assert found[0].caption == found[1].caption == HORSE
    assert found[2].caption and found[2].caption.camera == "unknown"  # of the flat edition, outside the fourteen


def test_other_clips_have_a_problem(world):
    views = [view(uri="000009.mp4"), view(), view(uri="../../etc/passwd"), view(uri="000005.mp4")]
    for result in TruthCaptioner(folder=world).caption(views):
        assert result.caption is None and result.problem


def test_measured_columns_do_not_stand_above_the_truth(world):
    (found,) = TruthCaptioner(folder=world).caption([view(uri="000003.mp4", camera="zoom in", camera_confidence=1.0)])
    assert found.caption == HORSE


def test_a_captioner_is_known_by_what_is_given(world, tmp_path):
    assert isinstance(open_captioner("tags"), TagCaptioner)
    assert isinstance(open_captioner(str(world)), TruthCaptioner)
    assert open_captioner("http://localhost:8000/v1", model="m").name == "m"
    (tmp_path / "llava").mkdir()
    (tmp_path / "llava" / "config.json").write_text("{}")
    assert isinstance(open_captioner(str(tmp_path / "llava")), VlmCaptioner)
    for wrong in ("best", str(tmp_path / "none"), "http://localhost/v1"):
        with pytest.raises(InvalidInput):
            open_captioner(wrong)
    with pytest.raises(RunFailed, match="no world wrote it"):
        TruthCaptioner(folder=tmp_path / "none").prepare()
