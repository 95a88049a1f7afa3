"""What the keys of LoRA files mean, as two tables: how they begin and how they end."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from muybridge.core.errors import WeightsError
from muybridge.weights.accounting import nearest
from muybridge.weights.lora.names import Place, mangled_places, places

Spelling = Literal["dots", "underscores"]
_BLOCK = re.compile(r"blocks[._]\d+")


@dataclass(frozen=True, slots=True)
class Prefix:
    """How keys begin, how the module's name behind it is spelled, and who writes so."""

    text: str
    spelling: Spelling
    writer: str


PREFIXES: tuple[Prefix, ...] = (  # the longest that fits counts
    Prefix("base_model.model.", "dots", "peft"),
    Prefix("transformer.", "dots", "diffusers, diffusion-pipe"),
    Prefix("diffusion_model.", "dots", "diffusion-pipe, musubi converted, ComfyUI"),
    Prefix("model.diffusion_model.", "dots", "ComfyUI"),
    Prefix("lora_unet_", "underscores", "kohya, musubi-tuner"),
    Prefix("lora_transformer_", "underscores", "OneTrainer"),
    Prefix("lycoris_", "underscores", "LyCORIS"),
    Prefix("Hunyuan_video_I2V_lora_", "underscores", "official I2V"),
    Prefix("", "dots", "no prefix"),
)
TEXT_PREFIXES = (  # of text encoders and of embeddings trained along
    "lora_te_", "lora_te1_", "lora_te2_", "lora_te3_", "lora_llama_", "lora_clip_l_", "text_encoder.",
    "text_encoder_2.", "text_encoders.", "clip_l.", "llama.", "cond_stage_model.", "bundle_emb.",
)  # fmt: skip
SUFFIXES: dict[str, str] = {  # what stands behind the module's name: the part of the delta
    "lora_A.weight": "down", "lora_B.weight": "up", "lora_A.default.weight": "down", "lora_B.default.weight": "up",
    "lora_A": "down", "lora_B": "up", "lora_down.weight": "down", "lora_up.weight": "up",
    "lora.down.weight": "down", "lora.up.weight": "up", "lora_B.bias": "up_bias", "lora_B.default.bias": "up_bias",
    "alpha": "alpha", "lora_alpha": "alpha",
    "dora_scale": "magnitude", "lora_magnitude_vector": "magnitude", "lora_magnitude_vector.weight": "magnitude",
    "lora_magnitude_vector.default.weight": "magnitude", "lora_magnitude_vector.default": "magnitude",
    "hada_w1_a": "hada_up1", "hada_w1_b": "hada_down1", "hada_w2_a": "hada_up2", "hada_w2_b": "hada_down2",
    "lokr_w1": "left", "lokr_w1_a": "left_up", "lokr_w1_b": "left_down",
    "lokr_w2": "right", "lokr_w2_a": "right_up", "lokr_w2_b": "right_down",
    "lora_mid.weight": "core", "hada_t1": "hada_core1", "hada_t2": "hada_core2", "lokr_t2": "right_core",
    "diff": "diff", "diff_b": "bias", "w_norm": "diff", "b_norm": "bias",
    "set_weight": "value", "weight": "value", "bias": "value_bias",
}  # fmt: skip
UNREAD: dict[str, str] = {  # known, and why not read
    "lora_A.bias": "a bias inside the low-rank path, which no trainer of this network writes",
    "reshape_weight": "a weight of another shape, as ComfyUI's Flux tools write",
    **dict.fromkeys(("a1.weight", "a2.weight", "b1.weight", "b2.weight"), "GLoRA, a change relative to the weight"),
    **dict.fromkeys(("oft_blocks", "oft_diag", "oft_R.weight"), "OFT or BOFT, a rotation of the weight"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A key understood: the module as spelled and as it is, which part of its delta, and who writes such keys."""

    name: str
    place: Place
    role: str
    writer: str


def understand(key: str, *, file: object) -> Key | None:
    """What a key means; None for one of a text encoder.

    Raises WeightsError on any other key, naming the nearest module.
    """
    if key.startswith(TEXT_PREFIXES):
        return None
    name, prefix, suffix = split(key)
    if suffix in UNREAD:
        raise WeightsError(f"{file}: {key!r} is {UNREAD[suffix]}; train or extract it again as LoRA.")
    known: Mapping[str, Place] = mangled_places() if prefix.spelling == "underscores" else places()
    if suffix not in SUFFIXES:
        raise WeightsError(f"{file}: {key!r} ends in no form of LoRA that is known; {_near_name(name, known)}.")
    if name not in known:
        raise WeightsError(f"{file}: {key!r} is of no module of this network; {_near_name(name, known)}.")
    return Key(name=name, place=known[name], role=SUFFIXES[suffix], writer=prefix.writer)


def split(key: str) -> tuple[str, Prefix, str]:
    """The module's name as it is spelled, the prefix before it and the suffix behind it ("" where none is known)."""
    prefix = max((row for row in PREFIXES if key.startswith(row.text)), key=lambda row: len(row.text))
    rest = key[len(prefix.text) :]
    ends = (suffix for suffix in (*SUFFIXES, *UNREAD) if rest.endswith("." + suffix))
    suffix = max(ends, key=len, default="")
    return (rest[: -len(suffix) - 1] if suffix else rest), prefix, suffix


def _near_name(name: str, known: Mapping[str, Place]) -> str:
    """The remedy: the nearest module of the same block, if one is near."""
    block = _BLOCK.findall(name)
    alike = [other for other in known if _BLOCK.findall(other) == block]
    return nearest(name, alike, what="module") + "use a LoRA of HunyuanVideo"
