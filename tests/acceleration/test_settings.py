"""How a model is run, as a value."""

import pytest

from muybridge.acceleration.settings import RunSettings
from muybridge.core.config import from_dict, to_dict
from muybridge.core.errors import InvalidInput

CHOSEN = RunSettings(weights="disk", quantise="int8", evicts_modulation=True, chunk_tokens=2048, vae_mode="spill")


def test_settings_survive_json():
    assert from_dict(RunSettings, to_dict(CHOSEN)) == CHOSEN


def test_defaults_stream_and_change_nothing():
    assert not RunSettings().is_streamed
    assert RunSettings().quantise is None
    assert CHOSEN.is_streamed


@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": "cloud"},
        {"vae_mode": "fast"},
        {"dtype": "int3"},
        {"chunk_tokens": 0},
        {"chunk_tokens": True},
        {"keeps_text": "no"},
        {"quantise": ""},
        {"attention": 3},
    ],
)
def test_wrong_settings_are_named(wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        RunSettings(**wrong)
