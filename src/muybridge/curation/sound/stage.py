"""The stage that tells what a clip sounds like, and whether its sound goes with its picture."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float

from muybridge.curation.clip import Clip, Value
from muybridge.curation.plain import Measurement
from muybridge.curation.sound.features import HOP, WINDOW, features
from muybridge.curation.sound.loudness import MOMENT_S, are_silent, levels
from muybridge.curation.sound.network import CLASSES, SoundConfig, SoundNet
from muybridge.curation.sound.spectrum import MOMENTS_PER_S, power
from muybridge.curation.sound.sync import sync
from muybridge.curation.sound.voice import SileroVoice, by_window
from muybridge.curation.stage import Column
from muybridge.weights.small import load_small

SOUND_FILE = Path(__file__).resolve().parent.parent / "embedded" / "sound.safetensors"
MOSTLY = 0.9  # share of silence above which a clip is called silent
SPOKEN = 0.2  # mean chance of a voice in a second from which on it is speech: least errors on sounds not reported
SOME = 0.3  # of the time that is not silent, from which on a class counts for the kind


class Sounds(Measurement):
    """`silence_share`, and `speech`, `music` and `effects` as shares of the clip's time, which may overlap.

    `sound_kind` names what there is: silent, speech, music, effects, or mixed for several; `sound_sync` 0 to 1 how
    well onsets and changes of the picture fall together. All None for pictures and clips without sound.
    voice: what tells speech instead of our own network, which keeps music and effects.
    """

    name = "sound"
    outputs: Mapping[str, Column] = MappingProxyType({
        "silence_share": "float", "speech": "float", "music": "float", "effects": "float", "sound_kind": "text",
        "sound_sync": "float",
    })  # fmt: skip

    def __init__(self, *, voice: SileroVoice | None = None) -> None:
        self.voice_by = None if voice is None else f"{voice.name} {voice.version}"
        self._voice = voice
        self._network: SoundNet | None = None

    def prepare(self) -> None:
        """Fetch the detector of voices where it is given. Raises AssetError, MissingExtra."""
        if self._voice is not None:
            self._voice.prepare()

    def setup(self) -> None:
        """Load the networks. Raises WeightsError, AssetError."""
        self._network = load_small(SOUND_FILE, SoundConfig, SoundNet)
        if self._voice is not None:
            self._voice.setup()

    def measure(self, clip: Clip) -> Mapping[str, Value]:
        """The values of `outputs`; a sound that is silent throughout has no sync."""
        assert self._network is not None, "setup() comes first"
        sound = clip.sound
        if sound is None or clip.is_picture or not sound.samples.size:
            return dict.fromkeys(self.outputs)
        silent = are_silent(levels(sound))
        if not len(silent) or silent.all():
            nothing: dict[str, Value] = dict.fromkeys(CLASSES, 0.0)
            return {**nothing, "silence_share": 1.0, "sound_kind": "silent", "sound_sync": None}
        spectra = power(sound)
        odds = class_odds(self._network, spectra)
        if self._voice is not None:
            odds[:, 0] = spoken_odds(by_window(self._voice.chances(sound), len(odds)))
        shares = class_shares(odds, silent)
        silence = float(silent.mean())
        return {
            "silence_share": silence, **shares, "sound_kind": _kind(shares, silence),
            "sound_sync": sync(clip.frames, clip.fps, spectra),
        }  # fmt: skip


@torch.inference_mode()
def class_odds(network: SoundNet, spectra: Float[np.ndarray, "t 256"]) -> Float[np.ndarray, "n 3"]:
    """Of every second, half a second apart, the log odds that each class is in it."""
    return network(torch.from_numpy(features(spectra)).float()).numpy()


def spoken_odds(chances: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Log odds of speech in a second whose moments have it with these mean chances: even at `SPOKEN`."""
    sure = np.clip(chances, 1e-3, 1 - 1e-3)
    return np.log(sure / (1 - sure)) - np.log(SPOKEN / (1 - SPOKEN))


def class_shares(odds: Float[np.ndarray, "n 3"], silent: np.ndarray) -> dict[str, float]:
    """How much of the time each class is heard; in every second the likeliest is. silent: moments of `loudness`."""
    heard = (odds > 0) | (odds == odds.max(1, keepdims=True))
    at_s = (np.arange(len(silent)) + 0.5) * MOMENT_S
    window = np.clip(np.round((at_s * MOMENTS_PER_S - WINDOW / 2) / HOP), 0, len(heard) - 1).astype(int)
    shares = (heard[window] & ~silent[:, None]).mean(0)
    return {name: float(share) for name, share in zip(CLASSES, shares, strict=True)}


def _kind(shares: Mapping[str, float], silence: float) -> str:
    if silence > MOSTLY:
        return "silent"
    names = [name for name, share in shares.items() if share >= SOME * (1 - silence)]
    return names[0] if len(names) == 1 else "mixed"
