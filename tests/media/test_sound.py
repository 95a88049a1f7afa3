"""Laws of sound that goes with a film."""

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from muybridge.core.errors import MediaError
from muybridge.media.coded import coded_film
from muybridge.media.formats import coding
from muybridge.media.save_options import SaveOptions
from muybridge.media.sound import SOUNDS, Sound, check_sound
from muybridge.media.video import read_video
from muybridge.media.writer import write_video
from tests.media.test_video import clip

RATE_HZ = 16_000
PACKET_S = 0.045  # a packet, and what encoders put before the first


def tone(path: Path, seconds: float, *, hertz: float = 440.0) -> Path:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((np.sin(2 * np.pi * hertz * times) * 12_000).astype("<i2").tobytes())
    return path


def sound_of(path: Path) -> tuple[np.ndarray, int, str]:
    """(samples of the first channel, rate, codec)."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        parts = [frame.to_ndarray() for frame in container.decode(stream)]
        samples = np.concatenate([part.reshape(-1)[: part.size // 1] for part in parts])
        return samples.astype(np.float64), stream.rate, stream.codec_context.name


def packets_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]


def seconds_of(path: Path) -> float:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return sum(frame.samples for frame in container.decode(stream)) / stream.rate


@pytest.mark.parametrize("suffix", SOUNDS)
def test_sound_is_heard_for_as_long_as_the_film(tmp_path: Path, suffix: str):
    options = SaveOptions(audio=str(tone(tmp_path / "tone.wav", 3.0)))
    write_video(tmp_path / f"film{suffix}", clip(24), fps=24, options=options)
    assert abs(seconds_of(tmp_path / f"film{suffix}") - 1.0) < PACKET_S
    samples, rate, _ = sound_of(tmp_path / f"film{suffix}")
    spectrum = np.abs(np.fft.rfft(samples[: rate // 2]))
    assert abs(spectrum.argmax() * rate / len(samples[: rate // 2]) - 440) < 5
    assert len(read_video(tmp_path / f"film{suffix}")[0]) == 24


def test_sound_that_the_container_holds_is_copied(tmp_path: Path):
    write_video(tmp_path / "one.mp4", clip(24), fps=24, options=SaveOptions(audio=str(tone(tmp_path / "t.wav", 1))))
    write_video(tmp_path / "two.mp4", clip(12), fps=24, options=SaveOptions(audio=str(tmp_path / "one.mp4")))
    first, second = packets_of(tmp_path / "one.mp4"), packets_of(tmp_path / "two.mp4")
    assert 20 <= len(second) < len(first) and second == first[: len(second)]


def test_shorter_sound_is_followed_by_silence(tmp_path: Path):
    write_video(tmp_path / "film.mp4", clip(24), fps=24, options=SaveOptions(audio=str(tone(tmp_path / "t.wav", 0.4))))
    assert abs(seconds_of(tmp_path / "film.mp4") - 0.4) < PACKET_S
    assert len(read_video(tmp_path / "film.mp4")[0]) == 24


def test_equal_films_with_sound_are_equal_files(tmp_path: Path):
    options = SaveOptions(audio=str(tone(tmp_path / "t.wav", 1)))
    for name in ("one.mp4", "two.mp4", "one.webm", "two.webm"):
        write_video(tmp_path / name, clip(9), fps=24, options=options)
    for suffix in (".mp4", ".webm"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_what_is_no_sound_is_refused_before_anything_is_written(tmp_path: Path):
    write_video(tmp_path / "silent.mp4", clip(3), fps=24)
    (tmp_path / "text.wav").write_text("hello")
    (tmp_path / "empty.wav").write_bytes(b"")
    for name, match in [
        ("silent.mp4", "holds no sound"),
        ("text.wav", "is damaged or no sound"),
        ("empty.wav", "is damaged or no sound"),
        ("none.wav", "no such file"),
        (".", "is a folder"),
    ]:
        with pytest.raises(MediaError, match=match):
            check_sound(tmp_path / name)
        with pytest.raises(MediaError, match=match):
            write_video(tmp_path / "film.mp4", clip(3), fps=24, options=SaveOptions(audio=str(tmp_path / name)))
        assert not (tmp_path / "film.mp4").exists()


def test_pictures_have_no_sound(tmp_path: Path):
    options = SaveOptions(audio=str(tone(tmp_path / "t.wav", 1)))
    for name in ("film.gif", "film-%03d.png"):
        with pytest.raises(MediaError, match="takes? no audio"):
            write_video(tmp_path / name, clip(3), fps=24, options=options)


def test_samples_go_with_a_film_as_long_as_it_lasts(tmp_path: Path):
    samples = np.sin(np.arange(32_000) * 0.05, dtype=np.float32)[None] * 0.5
    frames = np.zeros((25, 16, 16, 3), np.uint8)
    for name in ("a.mp4", "b.mp4"):
        how = coding(tmp_path / name, codec=None, crf=None, bitrate=None, bits=None)
        sound = Sound(samples=samples, rate_hz=16_000)
        with coded_film(tmp_path / name, how, fps=25, metadata=None, sound=sound) as film:
            film.start(16, 16)
            for frame in frames:
                film.add(frame)
    with av.open(str(tmp_path / "a.mp4")) as film:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert 0.95 * 48_000 <= len(heard) <= 1.1 * 48_000
    assert abs(float(np.abs(heard[5000:40_000]).max()) - 0.5) < 0.05


def test_sound_may_end_anywhere_in_a_packet(tmp_path: Path):
    """Left to PyAV, the last packet of 79,200 samples at 16 kHz had the time stamp of the one before."""
    how = coding(tmp_path / "film.mp4", codec=None, crf=None, bitrate=None, bits=None)
    sound = Sound(samples=np.zeros((1, 79_200), np.float32), rate_hz=16_000)
    with coded_film(tmp_path / "film.mp4", how, fps=20, metadata=None, sound=sound) as film:
        film.start(32, 32)
        for picture in np.zeros((99, 32, 32, 3), np.uint8):
            film.add(picture)
    assert abs(seconds_of(tmp_path / "film.mp4") - 4.95) < 0.05
