"""Silence is told from sound, classes are shares of the time, and sound in step with the picture is told from late."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.curation.clip import Clip, Value
from muybridge.curation.sound.features import NUM_FEATURES, features
from muybridge.curation.sound.loudness import are_silent, levels
from muybridge.curation.sound.network import CLASSES
from muybridge.curation.sound.spectrum import power
from muybridge.curation.sound.stage import Sounds
from muybridge.curation.sound.sync import sync
from muybridge.media.frames import Frames
from muybridge.media.sound import Sound
from tests.curation.measures.films import clip_of

RATE_HZ, FPS = 16_000, 24.0
GREY = np.full((48, 16, 16, 3), 90, np.uint8)


def heard(wave: np.ndarray, rate_hz: int = RATE_HZ) -> Sound:
    return Sound(samples=wave[None].astype(np.float32), rate_hz=rate_hz)


def tone(seconds: float, *, hz: float = 440.0, level_db: float = -20.0) -> np.ndarray:
    size = 10 ** (level_db / 20) * np.sqrt(2)
    return size * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)


def measured(clip: Clip) -> dict[str, Value]:
    stage = Sounds()
    stage.setup()
    return dict(stage.process(clip).values)


def clip_with(sound: Sound | None, frames: Frames = GREY) -> Clip:
    return replace(clip_of(frames), sound=sound, fps=FPS)


def silence_share(wave: np.ndarray) -> float:
    return float(are_silent(levels(heard(wave))).mean())


def test_levels_are_of_full_scale_and_forget_an_offset():
    assert levels(heard(tone(0.5, level_db=-20) + 0.3)) == pytest.approx(-20, abs=0.3)


@pytest.mark.parametrize("level_db", [-120, -90, -70, -55])
def test_digital_silence_and_faint_hiss_are_silence(level_db: float):
    hiss = 10 ** (level_db / 20) * np.random.default_rng(0).standard_normal(2 * RATE_HZ)
    values = measured(clip_with(heard(hiss)))
    assert values["silence_share"] == 1 and values["sound_kind"] == "silent" and values["sound_sync"] is None


def test_silence_is_the_share_of_its_time():
    wave = tone(2)
    wave[: RATE_HZ // 2] = 0
    assert silence_share(wave) == pytest.approx(0.25, abs=0.03)
    assert silence_share(tone(1, level_db=-40)) == 0


def test_rests_in_loud_sound_are_silence_though_they_hiss():
    wave = tone(2, level_db=-3)
    wave[RATE_HZ:] = tone(1, level_db=-49)
    assert silence_share(wave) == pytest.approx(0.5, abs=0.03)


def test_a_voice_on_one_side_is_not_silence():
    both = np.stack([np.zeros(RATE_HZ), tone(1, level_db=-48)]).astype(np.float32)
    assert not are_silent(levels(Sound(samples=both, rate_hz=RATE_HZ))).any()


@pytest.mark.parametrize("sound", [None, heard(np.zeros(0))])
def test_without_sound_there_is_nothing_to_say(sound: Sound | None):
    assert set(measured(clip_with(sound)).values()) == {None}


def test_a_picture_has_no_sound():
    assert set(measured(clip_with(heard(tone(1)), GREY[:1])).values()) == {None}


@pytest.mark.parametrize("num_samples", [1, 300, 900, 5000, 20_000])
def test_sounds_of_any_length_are_measured(num_samples: int):
    values = measured(clip_with(heard(np.random.default_rng(0).uniform(-0.5, 0.5, num_samples))))
    assert values["sound_kind"] is not None
    assert all(0 <= float(str(values[name])) <= 1 for name in ("silence_share", *CLASSES))


def test_classes_and_silence_share_the_time():
    wave = np.concatenate([chord(2.5), np.zeros(2 * RATE_HZ)])
    values = measured(clip_with(heard(wave)))
    assert float(str(values["music"])) + float(str(values["silence_share"])) <= 1.0 + 1e-6


def test_features_do_not_depend_on_level():
    wave = chord(2)
    loud, soft = (features(power(heard(size * wave))) for size in (1.0, 0.05))
    assert loud.shape == (2, NUM_FEATURES)
    assert np.allclose(loud, soft, atol=0.02)


def chord(seconds: float) -> np.ndarray:
    """Three notes, struck anew every half second."""
    beat = np.exp(-(np.arange(int(seconds * RATE_HZ)) % (RATE_HZ // 2)) / RATE_HZ / 0.3)
    return beat * sum(tone(seconds, hz=hz * k, level_db=-20 - 4 * k) for hz in (262, 330, 392) for k in (1, 2, 3))


def test_chords_are_music_and_wind_is_an_effect():
    rng = np.random.default_rng(1)
    wind = np.convolve(rng.standard_normal(3 * RATE_HZ), np.ones(24) / 24, "same")
    assert measured(clip_with(heard(np.tile(chord(2), 2))))["sound_kind"] == "music"
    assert measured(clip_with(heard(0.3 * wind)))["sound_kind"] == "effects"


def bounces() -> tuple[Frames, np.ndarray]:
    """A square that turns round now and then, and when."""
    times = np.array([0.5, 0.9, 1.6, 2.1, 2.9, 3.3])
    frames = np.full((96, 48, 48, 3), 60, np.uint8)
    for number, frame in enumerate(frames):
        before = np.concatenate([[0.0], times[times <= number / FPS]])
        top = int(20 + (1 if len(before) % 2 else -1) * 20 * (number / FPS - before[-1]))
        frame[top : top + 10, 18:28] = 220
    return frames, times


def clicks(times: np.ndarray) -> Sound:
    wave = 0.005 * np.random.default_rng(0).standard_normal(4 * RATE_HZ)
    for time_s in times:
        start = int(time_s * RATE_HZ)
        wave[start : start + 800] += 0.5 * np.random.default_rng(1).standard_normal(800)[: len(wave) - start]
    return heard(wave)


def test_clicks_at_the_bounces_are_in_sync_and_late_ones_are_not():
    frames, times = bounces()
    together, late = (sync(frames, FPS, power(clicks(times + shift))) for shift in (0.0, 0.4))
    assert together is not None and late is not None
    assert together > 0.8 > 0.5 > late


def test_a_still_picture_or_a_short_clip_has_no_sync():
    frames, times = bounces()
    assert sync(np.repeat(GREY, 2, 0), FPS, power(clicks(times))) is None
    assert sync(frames[:30], FPS, power(clicks(times))) is None
