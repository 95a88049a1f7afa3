"""The sound of one file beside the frames of another, as long as they last."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet

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


def check_sound(path: Path) -> None:
    """Raises MediaError unless `path` is a sound, or a film with sound, that can be decoded."""
    with _opened(Path(path)):
        pass


@contextmanager
def sound_track(path: Path, output: OutputContainer, *, suffix: str) -> Iterator["SoundTrack"]:
    """The first sound of `path` as a stream of `output`, which is yet to be written to. Raises MediaError."""
    with _opened(Path(path)) as (source, stream):
        yield SoundTrack(Path(path), source, stream, output=output, held=SOUNDS[suffix])


class SoundTrack:
    """Sound that is written as far as the film has come.

    Copied where the container holds its codec, else encoded: AAC, in WebM Opus. It starts with the film and is cut
    where that ends, to two packets (about 40 ms); sound that is shorter is followed by silence.
    """

    def __init__(
        self, path: Path, source: InputContainer, stream: AudioStream, *, output: OutputContainer, held: tuple[str, ...]
    ) -> None:
        self._path, self._output = path, output
        self._start_s = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
        name = stream.codec_context.codec.canonical_name
        if name in held:
            self._stream = output.add_stream_from_template(stream)
            self._packets = self._copied(source, stream)
        else:
            encoder = ENCODERS.get(held[0], held[0])
            self._stream = cast(AudioStream, output.add_stream(encoder, rate=SAMPLE_RATE_HZ))
            self._stream.bit_rate = BITS_PER_SECOND
            self._stream.layout = "mono" if stream.layout.nb_channels == 1 else "stereo"
            self._packets = self._encoded(source, stream)
        self._next = next(self._packets, None)

    def until(self, end_s: float) -> None:
        """Write what starts before `end_s` of the film."""
        while self._next is not None and self._next[0] < end_s:
            self._output.mux(self._next[1])
            self._next = next(self._packets, None)

    def _copied(self, source: InputContainer, stream: AudioStream) -> Iterator[tuple[float, list[Packet]]]:
        for packet in source.demux(stream):
            if packet.pts is not None and packet.dts is not None and stream.time_base is not None:
                shift = round(self._start_s / stream.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                start_s = float(packet.pts * stream.time_base)
                packet.stream = self._stream
                yield start_s, [packet]

    def _encoded(self, source: InputContainer, stream: AudioStream) -> Iterator[tuple[float, list[Packet]]]:
        start_s = 0.0
        for frame in source.decode(stream):
            assert isinstance(frame, AudioFrame)
            start_s = (frame.time or 0.0) - self._start_s
            frame.pts = None  # counted anew from the first sample
            yield start_s, self._stream.encode(frame)
        yield start_s, self._stream.encode(None)


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
