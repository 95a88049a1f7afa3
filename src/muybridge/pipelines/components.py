"""The networks of one model together, and what is known of them."""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from muybridge.acceleration.facts import Model, TextFacts
from muybridge.acceleration.settings import RunSettings
from muybridge.acceleration.stream import BlockStream
from muybridge.media.frames import Picture, digest_of
from muybridge.pipelines.settings import Defaults
from muybridge.text.encoder import Place, TextEncoder, TextStates
from muybridge.transformer import Transformer
from muybridge.vae import VideoVAE
from muybridge.vae.tiling import Tiling
from muybridge.weights.picture_use import HELD, PictureUse

KEPT_STATES = 16  # of prompts, 2 MB each in the released model; a negative prompt is the same in every call
NO_TEXT = TextFacts(num_parameters=0)
RECORDED_PACKAGES = ("muybridge", "torch", "transformers", "tokenizers")  # what the numbers depend on


class TextSource:
    """A text encoder that is loaded when the first prompt comes and can be given up again; the last states are kept."""

    def __init__(
        self, load: Callable[[], TextEncoder], *, facts: TextFacts = NO_TEXT, sees_pictures: bool = False
    ) -> None:
        """`facts`: what the memory and time of the loaded encoder depend on. sees_pictures: whether it looks at any."""
        self._load = load
        self._encoder: TextEncoder | None = None
        self._states: dict[tuple[tuple[str, ...], int, str], TextStates] = {}  # the latest last
        self._places: dict[tuple[str, int], list[Place]] = {}
        self.facts = facts
        self.sees_pictures = sees_pictures

    def encode(self, prompts: Sequence[str], *, num_frames: int, picture: Picture | None = None) -> TextStates:
        """As `TextEncoder.encode`; the first call loads the encoder, and what was asked lately needs none."""
        seen = picture if self.sees_pictures else None
        key = tuple(prompts), num_frames, "" if seen is None else digest_of(seen)
        states = self._states.pop(key, None)
        if states is None:
            if self._encoder is None:
                self._encoder = self._load()
            states = self._encoder.encode(prompts, num_frames=num_frames, picture=seen)
        self._states[key] = states
        if len(self._states) > KEPT_STATES:
            del self._states[next(iter(self._states))]
        return states

    def places(self, prompt: str, *, num_frames: int) -> list[Place]:
        """As `TextEncoder.places`; best asked right after `encode`, while the encoder is there."""
        key = prompt, num_frames
        if key not in self._places:
            if self._encoder is None:
                self._encoder = self._load()
            self._places[key] = self._encoder.places(prompt, num_frames=num_frames)
        return self._places[key]

    def release(self) -> None:
        """Free the encoder's memory; the next new prompt loads it again."""
        self._encoder = None
        gc.collect()  # layers that are streamed and their stream hold each other


@dataclass(frozen=True, kw_only=True, slots=True)
class Components:
    """One model. `weights` names the files and what identifies their content; tiling: of films decoded in tiles.

    run: how films are made where nothing else is said. transformer_path: where the transformer is from, if not from the
    model itself. stream: what brings its blocks, where they wait elsewhere; its `release` gives their memory back until
    the next forward. picture_use: how its weights take the picture that a film begins with.
    """

    name: str
    transformer: Transformer
    vae: VideoVAE
    text: TextSource
    defaults: Defaults
    weights: Mapping[str, str]
    tiling: Tiling | None = None
    transformer_path: Path | None = None
    stream: BlockStream | None = None
    run: RunSettings = RunSettings()
    picture_use: PictureUse = HELD

    @property
    def facts(self) -> Model:
        """What memory and time depend on."""
        return Model(
            name=self.name,
            transformer=self.transformer.config,
            vae=self.vae.config,
            text=self.text.facts,
            stored_bytes=self.transformer.dtype.itemsize,
        )

    def rest(self) -> None:
        """Give back the memory that only a forward pass takes: decoding needs it."""
        if self.stream is not None:
            self.stream.release()

    def provenance(self) -> dict[str, Any]:
        """What a result records of the model: name, weights, device, dtype and the versions of the packages."""
        return {
            "model": self.name,
            **({} if self.transformer_path is None else {"transformer": str(self.transformer_path)}),
            "weights": dict(self.weights),
            "device": self.transformer.device.type,
            "dtype": str(self.transformer.dtype).removeprefix("torch."),
            **self._unusual(),
            "versions": {name: metadata.version(name) for name in RECORDED_PACKAGES},
        }

    def _unusual(self) -> dict[str, Any]:
        """Of the run what may change a result beyond rounding, where it is not as usual."""
        usual = RunSettings()
        return {
            name: getattr(self.run, name)
            for name in ("quantise", "attention")
            if getattr(self.run, name) != getattr(usual, name)
        }
