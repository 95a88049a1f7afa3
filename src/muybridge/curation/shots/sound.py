"""The sound of footage that is being read: as much of it as the clips to come may need."""

from collections import deque

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from muybridge.curation.clip import Sound

MAX_RATE_HZ = 48_000
JITTER_S = 0.05  # time stamps this far off are rounding; the samples go on without a gap


class PassingSound:
    """Float samples by their time in the container, mono or stereo, at the stream's own rate up to 48 kHz.

    What cannot be decoded, or is not there yet when it is asked for, is silence.
    """

    def __init__(self, stream: AudioStream) -> None:
        self.stream = stream
        self.rate_hz = min(stream.codec_context.sample_rate or MAX_RATE_HZ, MAX_RATE_HZ)
        self._num_channels = min(max(stream.codec_context.channels, 1), 2)
        layout = "mono" if self._num_channels == 1 else "stereo"
        self._resampler = AudioResampler(format="fltp", layout=layout, rate=self.rate_hz)
        self._chunks: deque[tuple[int, np.ndarray]] = deque()  # (number of its first sample, samples)
        self._next = 0

    def hear(self, packet: Packet) -> None:
        """Keep what a packet of this stream holds."""
        try:
            for frame in packet.decode():
                assert isinstance(frame, AudioFrame)
                self._keep(frame)
        except FFmpegError:
            return

    def between(self, start_s: float, end_s: float) -> Sound:
        """The sound of a stretch."""
        first, num_samples = round(start_s * self.rate_hz), round((end_s - start_s) * self.rate_hz)
        samples = np.zeros((self._num_channels, num_samples), np.float32)
        for start, chunk in self._chunks:
            left, right = max(start, first), min(start + chunk.shape[1], first + num_samples)
            if left < right:
                samples[:, left - first : right - first] = chunk[:, left - start : right - start]
        return Sound(samples=samples, rate_hz=self.rate_hz)

    def forget(self, before_s: float) -> None:
        """Drop what was heard before."""
        first = round(before_s * self.rate_hz)
        while self._chunks and self._chunks[0][0] + self._chunks[0][1].shape[1] <= first:
            self._chunks.popleft()

    def _keep(self, frame: AudioFrame) -> None:
        if frame.time is not None and abs(round(frame.time * self.rate_hz) - self._next) > JITTER_S * self.rate_hz:
            self._next = round(frame.time * self.rate_hz)
        for part in self._resampler.resample(frame):
            chunk = np.clip(part.to_ndarray(), -1, 1)
            self._chunks.append((self._next, chunk))
            self._next += chunk.shape[1]
