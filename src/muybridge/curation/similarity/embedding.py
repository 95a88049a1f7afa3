"""The stage that writes what a clip shows as a vector, and what its frames look like as a signature."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch

from muybridge.curation.clip import Clip, Value
from muybridge.curation.opencv import opencv
from muybridge.curation.plain import Measurement
from muybridge.curation.similarity.signature import signature_of
from muybridge.curation.similarity.videoclip import VideoClip, VideoClipConfig, prepared
from muybridge.curation.stage import Column, Resources
from muybridge.weights.small import load_small

WEIGHTS = Path(__file__).parents[1] / "embedded" / "videoclip.safetensors"


class Embedding(Measurement):
    """Vectors of length 1 by a small VideoCLIP, near where clips show alike things; signatures to tell copies by."""

    name = "embedding"
    version = 2
    outputs: Mapping[str, Column] = MappingProxyType({"embedding": "floats", "signature": "text"})
    resources = Resources(cpus=0.25, memory_bytes=128 * 2**20)

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self.weights = weights
        self._network: VideoClip | None = None

    def prepare(self) -> None:
        """Raises MissingExtra without OpenCV, which signatures need."""
        opencv()

    def setup(self) -> None:
        """Load the network. Raises WeightsError."""
        self._network = load_small(self.weights, VideoClipConfig, VideoClip)

    @torch.inference_mode()
    def measure(self, clip: Clip) -> Mapping[str, Value]:
        """`embedding`: the vector; `signature`: a tiny grey film as text (`signature_of`)."""
        assert self._network is not None, "set up first"
        pixels = prepared(clip.frames, self._network.config)
        vector = self._network.visual(pixels[None])[0]
        return {"embedding": tuple(vector.tolist()), "signature": signature_of(clip.frames)}
