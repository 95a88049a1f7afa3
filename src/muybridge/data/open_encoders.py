"""The encoders of a model on disk or in the catalogue."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from muybridge.core.files import sha256
from muybridge.data.encoders import Encoders, NamedText, PromptText
from muybridge.text.encoder import HashEncoder
from muybridge.text.gallop import GallopEncoder, TextStatistics
from muybridge.vae.tiling import released_tiling
from muybridge.weights.assets import ensure
from muybridge.weights.catalog import locate, resolve
from muybridge.weights.load import load_vae
from muybridge.weights.text_encoders import find_text_encoders, load_released_text

WORDS = "words"  # names the text encoder without weights
GALLOP_TEXT = "text.safetensors"
END_BYTES = 2**20  # from each end of a large file: enough to tell one from another

Say = Callable[[str], None]


def open_encoders(vae: str | Path, text: str | Path, *, device: str | None, say: Say) -> Encoders:
    """The VAE of one model and the text encoder of another or the same: catalogue names, files, folders or hub ids.

    text: also `words`, states drawn from each word's own letters, for trying things out. The VAE computes in float32;
    the released one is tiled, as its reference result is. device: None is cuda where there is one, else cpu.
    Raises InvalidInput, WeightsError, AssetError.
    """
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    network = load_vae(locate(resolve(vae)), dtype=torch.float32).to(place)
    film, picture = _text(text, place, say)
    return Encoders(vae=network, film_text=film, picture_text=picture, tiling=released_tiling(network.config))


def open_text(name: str | Path, *, device: torch.device, say: Say) -> NamedText:
    """The text encoder for films of a model, or `words`; see `open_encoders`."""
    return _text(name, device, say)[0]


def _text(name: str | Path, device: torch.device, say: Say) -> tuple[NamedText, NamedText]:
    """For films and for pictures, which the released templates tell apart."""
    if str(name) == WORDS:
        words = NamedText(encoder=HashEncoder(), identity=f"{WORDS}-32-16")
        return words, words
    folder = locate(resolve(name))
    if (folder / GALLOP_TEXT).is_file():
        statistics = folder / GALLOP_TEXT
        encoder = GallopEncoder(ensure("smollm2-135m-instruct", on_progress=say), TextStatistics.load(statistics))
        encoder.raw.language.model.to(device)  # type: ignore[arg-type]
        gallop = NamedText(encoder=encoder, identity=f"smollm2-{sha256(statistics)[:16]}")
        return gallop, gallop
    places = find_text_encoders(folder)
    released = load_released_text(places, dtype=torch.bfloat16 if device.type == "cuda" else torch.float32)
    for model in (released.language.model, released.clip.model):
        model.to(device)  # type: ignore[arg-type]
    identity = _identity(places.files())
    return (
        NamedText(encoder=PromptText(released, num_frames=2), identity=f"{identity}-film"),
        NamedText(encoder=PromptText(released, num_frames=1), identity=f"{identity}-picture"),
    )


def _identity(files: Iterable[Path]) -> str:
    """A hash of sizes and ends."""
    digest = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        with file.open("rb") as stream:
            digest.update(f"{file.name} {size}".encode() + stream.read(END_BYTES))
            stream.seek(max(0, size - END_BYTES))
            digest.update(stream.read(END_BYTES))
    return digest.hexdigest()[:16]
