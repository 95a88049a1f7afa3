"""The text encoders of a model, loaded when the first prompt comes."""

from collections.abc import Callable
from pathlib import Path

import torch

from muybridge.acceleration.facts import TextFacts
from muybridge.acceleration.network import WithBlocks
from muybridge.acceleration.stream import move_present, stream_blocks, streamed
from muybridge.pipelines.components import TextSource
from muybridge.text.encoder import TextEncoder
from muybridge.text.gallop import GallopEncoder, TextStatistics
from muybridge.text.pictured import PicturedEncoder
from muybridge.text.released import ReleasedEncoder
from muybridge.weights.assets import ensure
from muybridge.weights.text_encoders import TextPlaces, find_text_encoders, open_released_text

GALLOP_TEXT_ASSET = "smollm2-135m-instruct"
STATISTICS = "text.safetensors"

OnMessage = Callable[[str], None]


def text_source(
    folder: Path,
    *,
    facts: TextFacts,
    dtype: torch.dtype,
    device: torch.device,
    weights: str = "device",
    picture_stride: int = 0,
    on_message: OnMessage,
) -> TextSource:
    """The encoder of the model in `folder`: our own where its statistics are there, else the released pair.

    weights: where they are, as `RunSettings.text_weights`. Our own is small: it is read whole and computes on the host.
    picture_stride: as `PictureUse.stride`.
    """
    if is_gallop(folder):
        return _gallop_text(folder, facts, on_message)
    places = find_text_encoders(folder, sees_pictures=picture_stride > 0)
    place = torch.device("cpu") if weights == "host" else device

    def encoder() -> TextEncoder:
        return released_text(
            places, dtype=dtype, device=place, is_streamed=weights == "disk", picture_stride=picture_stride
        )

    return TextSource(encoder, facts=facts, sees_pictures=picture_stride > 0)


def is_gallop(folder: Path) -> bool:
    """Whether the model reads our own encoder's states."""
    return (folder / STATISTICS).is_file()


def _gallop_text(folder: Path, facts: TextFacts, say: OnMessage) -> TextSource:
    """SmolLM2 from the cache, fetched and converted when the first prompt comes."""
    statistics = TextStatistics.load(folder / STATISTICS)

    def encoder() -> TextEncoder:
        return GallopEncoder(ensure(GALLOP_TEXT_ASSET, on_progress=say), statistics)

    return TextSource(encoder, facts=facts)


def released_text(
    places: TextPlaces, *, dtype: torch.dtype, device: torch.device, is_streamed: bool, picture_stride: int = 0
) -> ReleasedEncoder | PicturedEncoder:
    """Both encoders on the device; where it is streamed, the matrices of the language model's layers come in turn.

    Their memory is given back after each prompt. picture_stride: 0, or that of an encoder that sees a picture.
    Raises WeightsError as `load_released_text`.
    """
    encoder, entries = open_released_text(places, dtype=dtype, picture_stride=picture_stride)
    language = encoder.language.model
    network = WithBlocks(language, list(language.get_submodule("layers").children()))
    away = streamed(network, entries) if is_streamed else {}
    here = {name: entry.read() for name, entry in entries.items() if name not in away}
    language.load_state_dict(here, strict=False, assign=True)
    if away:
        stream = stream_blocks(network, away.items(), device=device)
        language.register_forward_hook(lambda *_: stream.release(), always_call=True)
    eyes = [encoder.tower] if isinstance(encoder, PicturedEncoder) else []
    for model in (language, encoder.clip.model, *eyes):
        move_present(model, device)
    return encoder
