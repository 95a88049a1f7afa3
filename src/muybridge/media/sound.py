"""Sound beside the frames of a film, as long as they last: that of another file, or samples."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from jaxtyping import Float32

from muybridge.core.errors import MediaError

# What each container holds as it is, the first being what other sound is encoded in.
SOUNDS = {
    ".mp4": ("aac", "mp3", "ac3", "alac", "opus"),
    ".mov": ("aac", "mp3", "ac3", "alac", "pcm_s16le"),
    ".mkv": ("aac", "mp3", "ac3", "alac", "opus", "vorbis", "flac", "pcm_s16le"),
    ".webm": ("opus", "vorbis"),
}
ENCODERS = {"opus": "libopus"}
SAMPLE_RATE_HZ = 48_000  # what AAC and Opus are at home in
BITS_PER_SECOND = 192_000  # convention: transparent for stereo AAC
CHUNK_SAMPLES = 4096

Part = TypeVar("Part")
Timed = Iterator[tuple[float, Part]]  # when each starts, in s from the film's start


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """The sound of a stretch: samples (channels, n) in [-1, 1], float32."""

    samples: Float32[np.ndarray, "channels n"]
    rate_hz: int


def check_sound(path: Path) -> None:
    """Raises MediaError unless `path` is a sound, or a film with sound, that can be decoded."""
    with _opened(Path(path)):
        pass


@contextmanager
def sound_track(sound: Path | Sound, output: OutputContainer, *, suffix: str) -> Iterator["SoundTrack"]:
    """Samples, or the first sound of a file, as a stream of `output`, which is yet to be written to.

    A file's sound is copied where the container holds its codec; all else is encoded: AAC, in WebM Opus.
    Raises MediaError.
    """
    held = SOUNDS[suffix]
    if isinstance(sound, Sound):
        stream = _encoder(output, held[0], num_channels=len(sound.samples))
        yield SoundTrack(output, _encoded(_frames_of(sound), stream))
        return
    with _opened(sound) as (source, stream):
        if stream.codec_context.codec.canonical_name in held:
            yield SoundTrack(output, _copied(source, stream, output.add_stream_from_template(stream)))
        else:
            encoder = _encoder(output, held[0], num_channels=stream.layout.nb_channels)
            yield SoundTrack(output, _encoded(_decoded(source, stream), encoder))


class SoundTrack:
    """Sound that is written as far as the film has come.

    It starts with the film and is cut where that ends, to two packets (about 40 ms); sound that is shorter is followed
    by silence.
    """

    def __init__(self, output: OutputContainer, packets: Timed[list[Packet]]) -> None:
        self._output, self._packets = output, packets
        self._next = next(packets, None)

    def until(self, end_s: float) -> None:
        """Write what starts before `end_s` of the film."""
        while self._next is not None and self._next[0] < end_s:
            self._output.mux(self._next[1])
            self._next = next(self._packets, None)


def _encoder(output: OutputContainer, codec: str, *, num_channels: int) -> AudioStream:
    stream = cast(AudioStream, output.add_stream(ENCODERS.get(codec, codec), rate=SAMPLE_RATE_HZ))
    stream.bit_rate = BITS_PER_SECOND
    stream.layout = "mono" if num_channels == 1 else "stereo"
    return stream


def _copied(source: InputContainer, stream: AudioStream, copy: AudioStream) -> Timed[list[Packet]]:
    for packet in source.demux(stream):
        if packet.pts is not None and packet.dts is not None and stream.time_base is not None:
            shift = round(_start_s(stream) / stream.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            start_s = float(packet.pts * stream.time_base)
            packet.stream = copy
            yield start_s, [packet]


def _encoded(frames: Timed[AudioFrame], encoder: AudioStream) -> Timed[list[Packet]]:
    start_s, num_samples = 0.0, 0
    for start_s, frame in frames:
        frame.pts, frame.time_base = num_samples, Fraction(1, frame.sample_rate)  # counted anew from the first sample
        num_samples += frame.samples
        yield start_s, encoder.encode(frame)
    yield start_s, encoder.encode(None)


def _decoded(source: InputContainer, stream: AudioStream) -> Timed[AudioFrame]:
    for frame in source.decode(stream):
        assert isinstance(frame, AudioFrame)
        yield (frame.time or 0.0) - _start_s(stream), frame


def _frames_of(sound: Sound) -> Timed[AudioFrame]:
    samples = sound.samples[:2]  # mono, or the first two channels
    for first in range(0, samples.shape[1], CHUNK_SAMPLES):
        chunk = np.ascontiguousarray(samples[:, first : first + CHUNK_SAMPLES], np.float32)
        frame = AudioFrame.from_ndarray(chunk, format="fltp", layout="mono" if len(chunk) == 1 else "stereo")
        frame.sample_rate = sound.rate_hz
        yield first / sound.rate_hz, frame


def _start_s(stream: AudioStream) -> float:
    return float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, AudioStream]]:
    try:
        with av.open(str(path), metadata_errors="replace") as source:
            if not source.streams.audio:
                raise MediaError(f"{path}: holds no sound; give a sound file, or a film that has some.")
            if cast(object, source.streams.audio[0].codec_context) is None:
                raise MediaError(f"{path}: has no decoder for its sound; convert it to AAC or WAV first.")
            yield source, source.streams.audio[0]
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file; check the name.") from None
    except IsADirectoryError:
        raise MediaError(f"{path}: is a folder; name a sound file.") from None
    except FFmpegError as error:
        raise MediaError(f"{path}: is damaged or no sound ({error.strerror}); give another file.") from None
