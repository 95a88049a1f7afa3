"""Coded film: frames through an FFmpeg encoder into a container, a sound beside them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from muybridge.core.env import quiet_encoders
from muybridge.core.errors import MediaError
from muybridge.core.files import atomic_path
from muybridge.media.colour import BT709, EXACT, LIMITED
from muybridge.media.envelope import pack
from muybridge.media.formats import Codec, Coding
from muybridge.media.sound import Sound, SoundTrack, sound_track

NUM_THREADS = 4  # fixed, not the machine's cores: x264's bytes depend on it
UNTIMED = 2  # x265 leaves the decoding times of films this short at whatever memory held (44 of 120 were refused)


@contextmanager
def coded_film(
    path: Path, how: Coding, *, fps: float, metadata: Mapping[str, Any] | None, sound: Path | Sound | None
) -> Iterator["CodedFilm"]:
    """A film to add frames to, which is at `path` once the block has ended well. Raises MediaError."""
    comment = None if metadata is None else pack(metadata)
    with atomic_path(path) as temporary:
        quiet_encoders()
        with named(path):
            output = av.open(str(temporary), "w", options=dict(how.container))
        with output:
            if comment is not None:
                output.metadata["comment"] = comment
            film = CodedFilm(path, output, how, rate=Fraction(fps).limit_denominator(1001))
            with nullcontext() if sound is None else sound_track(sound, output, suffix=path.suffix.lower()) as track:
                film.sound = track
                yield film
                film.finish()


class CodedFilm:
    """One stream of film in a container, and its sound if it has one."""

    def __init__(self, path: Path, output: OutputContainer, how: Coding, *, rate: Fraction) -> None:
        self.sound: SoundTrack | None = None
        self._path, self._output, self._coding, self._rate = path, output, how, rate
        self._num_frames = 0
        # first in the file, though its size comes with the first frame
        stream = cast(VideoStream, output.add_stream(how.codec.encoder, rate=rate, options=dict(how.options)))
        context = stream.codec_context
        stream.pix_fmt, context.thread_count = how.pixel_format, NUM_THREADS
        if how.bits_per_second is not None:
            context.bit_rate = how.bits_per_second
        if how.tag is not None:
            context.codec_tag = how.tag
        context.color_primaries = context.color_trc = BT709
        if not how.codec.is_rgb:
            context.colorspace, context.color_range = BT709, LIMITED
        self._stream = stream

    def start(self, width: int, height: int) -> None:
        """Of this size all frames are."""
        _check_sides(width, height, codec=self._coding.codec)
        self._stream.width, self._stream.height = width, height

    def add(self, picture: np.ndarray) -> None:
        """Encode one frame (h, w, 3) of uint8 or uint16."""
        self.add_coded(_as_coded(picture, how=self._coding))

    def add_coded(self, frame: VideoFrame) -> None:
        """Encode one frame that has the encoder's pixel format and colours already."""
        frame.pts, frame.time_base = self._num_frames, 1 / self._rate
        self._num_frames += 1
        with named(self._path):
            self._output.mux(self._stream.encode(frame))
            if self.sound is not None:
                self.sound.until(float(self._num_frames / self._rate))

    def finish(self) -> None:
        """Write what the encoder still holds back."""
        with named(self._path):
            packets = self._stream.encode(None)
            if self._num_frames <= UNTIMED and self._coding.codec.encoder == "libx265":
                for packet in packets:
                    packet.dts = packet.pts
            self._output.mux(packets)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """FFmpeg's errors as MediaErrors that name the file."""
    try:
        yield
    except FFmpegError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror}); choose another place or size.") from None


def _check_sides(width: int, height: int, *, codec: Codec) -> None:
    odd = [side % 2 and halved for side, halved in zip((width, height), codec.halves_sides, strict=True)]
    if any(odd):
        raise MediaError(f"frames of {width}x{height}: 4:2:0 film needs even sides; crop a row or column.")


def _as_coded(picture: np.ndarray, *, how: Coding) -> VideoFrame:
    """Full-range RGB as the encoder takes it: YUV is limited-range BT.709, and tagged so.

    Players take untagged small film for BT.601 and shift its colours.
    """
    source = "rgb24" if picture.dtype == np.uint8 else "rgb48le"
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=source)
    if how.codec.is_rgb:
        return frame.reformat(format=how.pixel_format)
    frame = frame.reformat(
        format=how.pixel_format,
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        interpolation=EXACT,
    )
    frame.colorspace, frame.color_range = BT709, LIMITED
    return frame
