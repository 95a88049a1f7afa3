"""The fixed parts that stages use and do not train: drawings, the language model, features. Fetched, or given."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from muybridge.vae.efficientnet import EfficientNetFeatures
from muybridge.vae.perceptual import FeatureDistance, PerceptualDistance
from muybridge.weights.assets import ensure
from muybridge.worlds.library import SpriteLibrary, WebpLibrary

Say = Callable[[str], None]


def fetched_library(say: Say) -> SpriteLibrary:
    """The animated emoji."""
    return WebpLibrary(ensure("fluent-emoji-anim", on_progress=say))


def fetched_language(say: Say) -> Path:
    """The folder of SmolLM2-135M-Instruct."""
    return ensure("smollm2-135m-instruct", on_progress=say)


def fetched_features(say: Say) -> FeatureDistance:
    """Distances in the features of EfficientNet-Lite0."""
    folder = ensure("efficientnet-lite0", on_progress=say)
    return PerceptualDistance(EfficientNetFeatures.load(folder / "efficientnet-lite0.pth"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """How each part is come by; nothing is fetched before a stage asks for it."""

    library: Callable[[Say], SpriteLibrary] = fetched_library
    language: Callable[[Say], Path] = fetched_language
    features: Callable[[Say], FeatureDistance] = fetched_features
