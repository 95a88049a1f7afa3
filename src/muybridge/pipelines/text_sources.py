"""The text encoders of a model, loaded when the first prompt comes."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from muybridge.pipelines.components import TextSource
from muybridge.text.encoder import TextEncoder
from muybridge.text.gallop import GallopEncoder, TextStatistics
from muybridge.weights.assets import ensure
from muybridge.weights.text_encoders import find_text_encoders, load_released_text

GALLOP_TEXT_ASSET = "smollm2-135m-instruct"
GALLOP_TEXT_BYTES = 540 * 2**20  # 134,515,008 parameters in float32
STATISTICS = "text.safetensors"

OnMessage = Callable[[str], None]


def text_source(folder: Path, *, dtype: torch.dtype, device: torch.device, on_message: OnMessage) -> TextSource:
    """The encoder of the model in `folder`: our own where its statistics are there, else the released pair."""
    return _gallop_text(folder, on_message) if is_gallop(folder) else _released_text(folder, dtype, device)


def is_gallop(folder: Path) -> bool:
    """Whether the model reads our own encoder's states."""
    return (folder / STATISTICS).is_file()


def _gallop_text(folder: Path, say: OnMessage) -> TextSource:
    """SmolLM2 from the cache, fetched and converted when the first prompt comes."""
    statistics = TextStatistics.load(folder / STATISTICS)

    def encoder() -> TextEncoder:
        return GallopEncoder(ensure(GALLOP_TEXT_ASSET, on_progress=say), statistics)

    return TextSource(encoder, num_bytes=GALLOP_TEXT_BYTES)


def _released_text(folder: Path, dtype: torch.dtype, device: torch.device) -> TextSource:
    """Llama and CLIP from the folders or single files beside the networks, loaded when the first prompt comes."""
    places = find_text_encoders(folder)

    def encoder() -> TextEncoder:
        found = load_released_text(places, dtype=dtype)
        for model in (found.language.model, found.clip.model):
            nn.Module.to(model, device)
        return found

    return TextSource(encoder, num_bytes=places.num_parameters() * dtype.itemsize)
