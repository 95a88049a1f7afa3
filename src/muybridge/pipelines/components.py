"""The networks of one model together, and what is known of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from muybridge.acceleration.stream import BlockStream
from muybridge.pipelines.memory import Machine, weight_bytes
from muybridge.pipelines.settings import Defaults
from muybridge.text.encoder import TextEncoder, TextStates
from muybridge.transformer import Transformer
from muybridge.vae import VideoVAE
from muybridge.vae.tiling import Tiling

KEPT_STATES = 16  # of prompts, 2 MB each in the released model; a negative prompt is the same in every call
RECORDED_PACKAGES = ("muybridge", "torch", "transformers", "tokenizers")  # what the numbers depend on


class TextSource:
    """A text encoder that is loaded when the first prompt comes and can be given up again; the last states are kept."""

    def __init__(self, load: Callable[[], TextEncoder], *, num_bytes: int = 0) -> None:
        """`num_bytes`: the memory that the loaded encoder takes."""
        self._load = load
        self._encoder: TextEncoder | None = None
        self._states: dict[tuple[tuple[str, ...], int], TextStates] = {}  # the latest last
        self.num_bytes = num_bytes

    def encode(self, prompts: Sequence[str], *, num_frames: int) -> TextStates:
        """As `TextEncoder.encode`; the first call loads the encoder, and what was asked lately needs none."""
        key = tuple(prompts), num_frames
        states = self._states.pop(key, None)
        if states is None:
            if self._encoder is None:
                self._encoder = self._load()
            states = self._encoder.encode(prompts, num_frames=num_frames)
        self._states[key] = states
        if len(self._states) > KEPT_STATES:
            del self._states[next(iter(self._states))]
        return states

    def release(self) -> None:
        """Free the encoder's memory; the next new prompt loads it again."""
        self._encoder = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Components:
    """One model. `weights` names the files and what identifies their content; `tiling` None decodes films whole.

    transformer_path: where the transformer is from, if not from the model itself. stream: what brings its blocks, where
    they wait elsewhere; its `release` gives their memory back until the next forward.
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

    def machine(self, *, keeps_text: bool) -> Machine:
        """The numbers that memory depends on."""
        return Machine(
            transformer=self.transformer.config,
            vae=self.vae.config,
            tiling=self.tiling,
            transformer_value_bytes=self.transformer.dtype.itemsize,
            vae_value_bytes=next(self.vae.parameters()).dtype.itemsize,
            weight_bytes=weight_bytes(self.transformer, self.vae) + (self.stream.num_bytes if self.stream else 0),
            text_bytes=self.text.num_bytes,
            keeps_text=keeps_text,
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
            "versions": {name: metadata.version(name) for name in RECORDED_PACKAGES},
        }
