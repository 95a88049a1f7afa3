"""Where somebody speaks, by Silero's detector of voices (MIT; asset "silero-voice"), which has heard many tongues."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from muybridge.curation.people.sessions import need_onnxruntime, opened
from muybridge.curation.sound.features import HOP, WINDOW
from muybridge.curation.sound.spectrum import MOMENTS_PER_S
from muybridge.media.sound import Sound
from muybridge.weights.assets import ensure

ASSET, FILE = "silero-voice", "voice.onnx"
RATE_HZ, FRAME, CONTEXT = 16_000, 512, 64  # as it was trained: each frame after the end of the one before
NUM_STATES = 128
PEAK = 0.5  # that a sound is brought to: it was made for speech that is recorded well


class SileroVoice:
    """The network. folder: where it lies; None for the asset."""

    name = "silero"
    version = 1

    def __init__(self, *, folder: Path | None = None) -> None:
        self.folder = folder
        self._session: Any = None

    def prepare(self) -> None:
        """Fetch the network. Raises AssetError, MissingExtra."""
        need_onnxruntime("voice")
        if self.folder is None:
            ensure(ASSET)

    def setup(self) -> None:
        """Load the network."""
        self._session = opened((self.folder or ensure(ASSET)) / FILE)

    def chances(self, sound: Sound) -> Float[np.ndarray, " t"]:
        """That there is speech, of each 32 ms."""
        assert self._session is not None, "setup() comes first"
        wave = at_rate(sound.samples.mean(0), sound.rate_hz, RATE_HZ)
        wave = wave * (PEAK / max(float(np.abs(wave).max(initial=0)), 1e-4))
        count = max(1, -(-len(wave) // FRAME))
        padded = np.pad(wave, (CONTEXT, count * FRAME - len(wave))).astype(np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + FRAME)[::FRAME]
        nothing = np.zeros((1, 1, NUM_STATES), np.float32)
        found = self._session.run(["speech_probs"], {"input": frames.copy(), "h": nothing, "c": nothing})
        return np.asarray(found[0]).reshape(-1)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": None}


def at_rate(wave: Float[np.ndarray, " n"], rate_hz: int, wanted_hz: int) -> Float[np.ndarray, " m"]:
    """The same sound at another rate, as if it repeated; above half of the lower rate there is nothing."""
    count = max(1, round(len(wave) * wanted_hz / rate_hz))
    if count == len(wave) or not len(wave):
        return wave
    spectrum = np.fft.rfft(wave)[: count // 2 + 1]
    return np.fft.irfft(spectrum, count) * (count / len(wave))


def by_window(chances: Float[np.ndarray, " t"], num_windows: int) -> Float[np.ndarray, " n"]:
    """The mean over each of the windows of `features`."""
    per_s = RATE_HZ / FRAME
    starts = np.arange(num_windows) * HOP / MOMENTS_PER_S * per_s
    spans = [slice(int(start), max(int(start) + 1, int(start + WINDOW / MOMENTS_PER_S * per_s))) for start in starts]
    return np.array([chances[span].mean() if len(chances[span]) else chances[-1] for span in spans])
