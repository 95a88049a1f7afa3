"""The released system's text encoders from whatever people have: folders, LLaVA, ComfyUI's single files."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast as typed

import torch
from torch import Tensor
from transformers.models.auto.tokenization_auto import AutoTokenizer
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaModel, LlamaRotaryEmbedding
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from muybridge.core.errors import WeightsError
from muybridge.text.config import LanguageConfig, PooledConfig
from muybridge.text.pictured import PicturedEncoder
from muybridge.text.released import ReleasedEncoder
from muybridge.weights.files import open_checkpoint
from muybridge.weights.folders import SUFFIXES
from muybridge.weights.layouts import Kind, part, stripped
from muybridge.weights.llava import has_eyes, load_picture_tower
from muybridge.weights.recognise import Recognised, recognise
from muybridge.weights.registry import detect
from muybridge.weights.storage import plain
from muybridge.weights.stored import StoredTensor, cast

_FOLDERS = ("text_encoder", "text_encoder_2", "text_encoder_i2v")  # of diffusers and of the release
_FILES = "text_encoders"  # ComfyUI's folder of single files
_TOKENIZERS: dict[Kind, str] = {"text-encoder": "tokenizer", "pooled-text-encoder": "tokenizer_2"}


@dataclass(frozen=True, kw_only=True, slots=True)
class TextPlaces:
    """Where the two text encoders of a system lie, each a folder or a file."""

    language: Path
    pooled: Path

    def configs(self) -> tuple[LanguageConfig, PooledConfig]:
        """Of both, from the headers alone. Raises WeightsError as loading them would."""
        language, pooled = _recognised(self.language, "text-encoder"), _recognised(self.pooled, "pooled-text-encoder")
        return typed(LanguageConfig, language.config), typed(PooledConfig, pooled.config)

    def files(self) -> list[Path]:
        """The files with the weights."""
        places = (self.language, self.pooled)
        return [
            file for place in places for file in (sorted(place.glob("*.safetensors")) if place.is_dir() else [place])
        ]


def find_text_encoders(folder: Path, *, sees_pictures: bool = False) -> TextPlaces:
    """The text encoders in a model folder or beside it, known by their keys, whatever they are called.

    sees_pictures: a language model without eyes is passed over where there is another.
    Raises WeightsError where one is missing, or a folder of single files holds several of a kind.
    """
    found: dict[Kind, Path] = {}
    candidates = (*_candidates(folder), *_candidates(folder.parent))
    places: list[tuple[Path, Kind | None]] = [(place, _kind(place)) for place in candidates]
    if sees_pictures:  # the first with eyes first
        places.sort(key=lambda found: not (found[1] == "text-encoder" and has_eyes(found[0])))
    for place, kind in places:
        first = found.setdefault(kind, place) if kind else place
        if first != place and first.parent == place.parent and place.is_file():
            raise WeightsError(f"{place.parent}: {first.name} and {place.name} are both a {kind}; keep one.")
    for kind, remedy in (("text-encoder", _FOLDERS[0]), ("pooled-text-encoder", _FOLDERS[1])):
        if kind not in found:
            raise WeightsError(
                f"{folder}: has no {kind}; put the released one into {remedy}, or its single file into {_FILES}."
            )
    return TextPlaces(language=found["text-encoder"], pooled=found["pooled-text-encoder"])


def load_released_text(places: TextPlaces, *, dtype: torch.dtype) -> ReleasedEncoder:
    """Both encoders with the tokenizers inside their folders or beside them (`tokenizer`, `tokenizer_2`).

    Layers above the one whose states are the result are not read. Raises WeightsError where weights or a tokenizer are
    missing, damaged, or of another model.
    """
    encoder, entries = open_released_text(places, dtype=dtype)
    encoder.language.model.load_state_dict(_read(entries), strict=True, assign=True)
    assert isinstance(encoder, ReleasedEncoder)
    return encoder


def load_pictured_text(places: TextPlaces, *, dtype: torch.dtype, stride: int) -> PicturedEncoder:
    """As `load_released_text`, of the encoder that sees a picture; stride: which of its vectors are kept."""
    encoder, entries = open_released_text(places, dtype=dtype, picture_stride=stride)
    encoder.language.model.load_state_dict(_read(entries), strict=True, assign=True)
    assert isinstance(encoder, PicturedEncoder)
    return encoder


def open_released_text(
    places: TextPlaces, *, dtype: torch.dtype, picture_stride: int = 0
) -> tuple[ReleasedEncoder | PicturedEncoder, Mapping[str, StoredTensor]]:
    """As `load_released_text`, with the language model on the meta device: for what brings its weights otherwise.

    And what to read into `language.model`, by the names of its state dict. picture_stride: 0, or that of an encoder
    that sees a picture (`text.pictured`).
    """
    model, entries = _open_language_model(places.language, dtype=dtype)
    tokenizer = load_tokenizer(places.language, "text-encoder")
    clip = load_pooled_model(places.pooled, dtype=dtype)
    clip_tokenizer = load_tokenizer(places.pooled, "pooled-text-encoder")
    if picture_stride:
        tower = load_picture_tower(places.language, dtype=dtype)
        encoder: ReleasedEncoder | PicturedEncoder = PicturedEncoder(
            model, tokenizer, tower=tower, stride=picture_stride, clip=clip, clip_tokenizer=clip_tokenizer
        )
    else:
        encoder = ReleasedEncoder(model, tokenizer, clip=clip, clip_tokenizer=clip_tokenizer)
    return encoder, {name: entries[name] for name in encoder.language.model.state_dict()}


def load_language_model(path: Path, *, dtype: torch.dtype) -> LlamaModel:
    """The Llama-like decoder in a file or folder, alone or inside LLaVA; memory-mapped where `dtype` is the file's.

    Raises WeightsError on damaged, missing or misshapen tensors, and where heads cannot be known.
    """
    model, entries = _open_language_model(path, dtype=dtype)
    model.load_state_dict(_read(entries), strict=True, assign=True)
    return model


def _open_language_model(path: Path, *, dtype: torch.dtype) -> tuple[LlamaModel, dict[str, StoredTensor]]:
    """The decoder on the meta device, and what to read into it by the names of its state dict."""
    found = _recognised(path, "text-encoder", verify=True)
    config = typed(LanguageConfig, found.config)
    theirs = LlamaConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.mlp_dim,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        num_key_value_heads=config.num_kv_heads,
        head_dim=config.head_dim,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        rms_norm_eps=config.norm_eps,
        pad_token_id=None,
    )
    with torch.device("meta"):
        model = LlamaModel(theirs)
    model.rotary_emb = LlamaRotaryEmbedding(theirs)  # its tables are computed, not stored
    return model.requires_grad_(False).eval(), _entries(found, dtype)


def load_pooled_model(path: Path, *, dtype: torch.dtype) -> CLIPTextModel:
    """The CLIP text model in a file or folder, also inside a whole CLIP; otherwise as `load_language_model`."""
    found = _recognised(path, "pooled-text-encoder", verify=True)
    config = typed(PooledConfig, found.config)
    theirs = CLIPTextConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.mlp_dim,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        max_position_embeddings=config.max_tokens,
        hidden_act=config.activation,
        bos_token_id=None,
        eos_token_id=config.eos_token_id,
        pad_token_id=None,
    )
    with torch.device("meta"):
        model = CLIPTextModel(theirs)
    model.load_state_dict(_read(_entries(found, dtype)), strict=True, assign=True)
    for module in model.modules():
        if "position_ids" in module._buffers:  # counted, not stored
            module.register_buffer("position_ids", torch.arange(config.max_tokens)[None], persistent=False)
    return model.requires_grad_(False).eval()


def load_tokenizer(place: Path, kind: Kind) -> PreTrainedTokenizerBase:
    """The tokenizer of a text encoder: inside its folder, or in `tokenizer` or `tokenizer_2` beside or above it.

    Raises WeightsError where there is none, or it is damaged.
    """
    name = _TOKENIZERS[kind]
    inside = [place] if place.is_dir() else []
    for folder in (*inside, place.parent / name, place.parent.parent / name):
        if (folder / "tokenizer_config.json").is_file():
            return _opened_tokenizer(folder)
    raise WeightsError(f"{place}: has no tokenizer; put the tokenizer's files into {place.parent / name}.")


def _candidates(folder: Path) -> Iterator[Path]:
    yield from (folder / name for name in _FOLDERS if (folder / name).is_dir())
    if (folder / _FILES).is_dir():
        yield from sorted(file for file in (folder / _FILES).iterdir() if file.suffix in SUFFIXES)


def _kind(place: Path) -> Kind | None:
    """What lies there, by its keys; None where it is no text encoder."""
    checkpoint, _ = plain(open_checkpoint(place))
    found = detect(stripped(part(checkpoint.entries, None, file=place)))
    return found[0].kind if found and found[0].kind in _TOKENIZERS else None


def _recognised(path: Path, kind: Kind, *, verify: bool = False) -> Recognised:
    return recognise(open_checkpoint(path, verify=verify), kind=kind)


def _entries(found: Recognised, dtype: torch.dtype) -> dict[str, StoredTensor]:
    """What the network itself needs; what else the file carries stays there."""
    return {key: cast(found.entries[key], dtype) for key in found.network.shapes(found.config)}


def _read(entries: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
    return {key: entry.read() for key, entry in entries.items()}


def _opened_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers package raises nothing more precise
        reason = textwrap.shorten(str(error), 200)
        raise WeightsError(f"{folder}: not a tokenizer ({reason}); fetch it again.") from None
