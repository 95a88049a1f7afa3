import json

import pytest

from muybridge.captioning.schema import FIELDS, problems
from muybridge.captioning.vlm import VlmCaptioner, VlmConfig
from muybridge.core.errors import InvalidInput, WeightsError
from tests.captioning import tiny_models
from tests.captioning.examples import view

FEW = {"dtype": "float32", "short_tokens": 4, "dense_tokens": 6, "phrase_tokens": 2}


def opened(folder):
    return VlmCaptioner(VlmConfig(folder=folder, num_frames=2, **FEW))


@pytest.mark.parametrize("make", [tiny_models.llava, tiny_models.qwen])
def test_random_weights_write_captions_that_fit_the_schema(make, tmp_path):
    captioner = opened(make(tmp_path))
    views = [view("a"), view("b", num_frames=1), view("c", camera="pan up", camera_confidence=0.9, technical=0.1)]
    results = captioner.caption(views)
    for result in results:
        assert result.caption and not problems({name: getattr(result.caption, name) for name in FIELDS})
        assert result.num_tokens > 30
    captions = [result.caption for result in results if result.caption]
    assert captions[1].source == "still picture"
    assert (captions[2].camera, captions[2].quality) == ("pan up", "low quality")


def test_equal_clips_have_equal_captions(tmp_path):
    captioner = opened(tiny_models.llava(tmp_path))
    assert captioner.caption([view("a")]) == captioner.caption([view("a")])


def test_identity_follows_the_weights(tmp_path):
    first, other = (opened(tiny_models.llava(tmp_path / name)).identity for name in ("a", "b"))
    assert first == other
    (tmp_path / "b" / "generation_config.json").write_text('{"eos_token_id": 1}')
    assert opened(tmp_path / "b").identity != first


def test_wrong_folders_are_refused_in_a_line(tmp_path):
    with pytest.raises(WeightsError, match="is no model folder"):
        opened(tmp_path / "none").prepare()
    bare = tiny_models.llava(tmp_path / "bare", has_template=False)
    with pytest.raises(WeightsError, match="chat template"):
        opened(bare).prepare()
    gone = tiny_models.llava(tmp_path / "gone")
    (gone / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="cannot be loaded"):
        opened(gone).prepare()
    text = tmp_path / "text"
    tiny_models.byte_tokenizer().save_pretrained(text)
    (text / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(WeightsError, match="reads text alone"):
        opened(text).prepare()


def test_settings_outside_their_range_are_refused(tmp_path):
    for change in ({"batch_size": 0}, {"dtype": "int8"}, {"side_px": 3}):
        with pytest.raises(InvalidInput):
            VlmConfig(folder=tmp_path, **change)
