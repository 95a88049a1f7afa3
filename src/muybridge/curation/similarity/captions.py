"""Captions and words as vectors beside those of clips: what they are near is what they tell."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from muybridge.core.errors import invalid
from muybridge.curation.similarity.videoclip import VideoClip, VideoClipConfig, padded
from muybridge.text.gallop import RawStates
from muybridge.weights.small import load_small

MAX_TOKENS = 192  # the longest caption that the towers were trained on has about 130
BATCH = 16
CONTEXTS = (  # a name alone is no caption: what its contexts have in common is the name's own
    "A {} in a green meadow. Fixed shot.", "A {} moves to the left in front of a plain blue wall.",
    "A {} stands still at night. The camera does not move.", "A {} moves to the right by the sea. The camera follows.",
    "Close-up of a {} in the city. The camera zooms in.",
)  # fmt: skip


class CaptionEmbedder:
    """Vectors of captions by the text tower of a small VideoCLIP, from the states of the language model it learned."""

    def __init__(self, weights: Path, llm_folder: Path, *, max_tokens: int = MAX_TOKENS) -> None:
        """`llm_folder` as `weights.assets` prepares it. Raises WeightsError where either is not what it should be."""
        self.network = load_small(weights, VideoClipConfig, VideoClip)
        self.raw = RawStates(llm_folder, max_tokens=max_tokens)
        if self.raw.language.dim != self.network.config.text_dim:
            given, rule = (
                f"states of width {self.raw.language.dim}",
                f"{weights.name} reads {self.network.config.text_dim}",
            )
            raise invalid(given, rule, "use the language model that it was trained with")

    @torch.inference_mode()
    def embed(self, captions: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """A row of length 1 a caption. Raises InvalidInput on one that is too long."""
        vectors = [np.zeros((0, self.network.config.dim), np.float32)]
        for start in range(0, len(captions), BATCH):
            states = [self.raw.one(caption) for caption in captions[start : start + BATCH]]
            vectors.append(self.network.text(*padded(states)).numpy())
        return np.concatenate(vectors)

    def embed_names(self, names: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """A row of length 1 a name: what captions of several places and movements with it have in common."""
        rows = self.embed([context.format(name) for name in names for context in CONTEXTS])
        means = rows.reshape(len(names), len(CONTEXTS), -1).mean(1)
        return means / np.linalg.norm(means, axis=1, keepdims=True)
