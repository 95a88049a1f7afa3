"""Voices: sounds reach the network at its rate, its moments become seconds, and a real voice is heard."""

import numpy as np
import pytest

from muybridge.core.env import cache_folder
from muybridge.core.errors import WeightsError
from muybridge.curation.sound.network import CLASSES
from muybridge.curation.sound.stage import SPOKEN, Sounds, class_shares, spoken_odds
from muybridge.curation.sound.voice import FILE, SileroVoice, at_rate, by_window
from muybridge.media.sound import Sound
from tests.curation.sound.test_stage import clip_with, heard


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
def test_a_tone_stays_itself_at_another_rate(rate_hz: int):
    wave = np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz)
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert np.abs(at_rate(wave, rate_hz, 16_000) - expected).max() < 1e-6


def test_moments_become_the_seconds_of_the_features():
    chances = np.zeros(94)  # three seconds of 32 ms
    chances[31:62] = 1
    assert by_window(chances, 5) == pytest.approx([0, 0.5, 1, 0.5, 0], abs=0.06)


def test_a_voice_is_speech_from_its_limit_on_whatever_else_is_heard():
    odds = np.stack([spoken_odds(np.array([SPOKEN + 0.01, SPOKEN - 0.01])), [2.0, 2.0], [-9.0, -9.0]], axis=1)
    assert class_shares(odds[:1], np.zeros(20, bool)) == dict(zip(CLASSES, (1, 1, 0), strict=True))
    assert class_shares(odds[1:], np.zeros(20, bool)) == dict(zip(CLASSES, (0, 1, 0), strict=True))


def test_a_damaged_network_is_named(tmp_path):
    (tmp_path / FILE).write_bytes(b"no network")
    with pytest.raises(WeightsError, match="remove its folder"):
        SileroVoice(folder=tmp_path).setup()


@pytest.mark.slow
def test_noise_and_a_tone_are_no_voices():
    folder = cache_folder() / "silero-voice"
    if not folder.exists():
        pytest.skip("python -c \"from muybridge.weights.assets import ensure; ensure('silero-voice')\"")
    stage = Sounds(voice=SileroVoice(folder=folder))
    stage.setup()
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000)
    for wave in (0.1 * np.random.default_rng(0).standard_normal(48_000), tone):
        assert stage.measure(clip_with(heard(wave)))["speech"] < 0.2
    assert SileroVoice.name in str(stage.voice_by) and isinstance(heard(tone), Sound)
