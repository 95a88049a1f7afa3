"""llama.cpp's names and row order of a Llama, turned back into those of its Hugging Face checkpoint.

llama.cpp interleaves the two halves of each head in the rows of q and k, because its rotary embedding turns
neighbours where Hugging Face's turns halves.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from einops import rearrange

from muybridge.core.errors import WeightsError
from muybridge.weights.storage.companions import REMEDY
from muybridge.weights.storage.gguf_header import Value
from muybridge.weights.stored import StoredTensor

TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
HEADS = {"attn_q": "llama.attention.head_count", "attn_k": "llama.attention.head_count_kv"}
CONFIG = {  # of llama.cpp's metadata: transformers' names
    "llama.embedding_length": "hidden_size",
    "llama.attention.head_count": "num_attention_heads",
    "llama.attention.head_count_kv": "num_key_value_heads",
    "llama.rope.freq_base": "rope_theta",
    "llama.attention.layer_norm_rms_epsilon": "rms_norm_eps",
}
_LAYER = re.compile(r"blk\.(\d+)\.(\w+)\.(weight|bias)")


def from_llama_cpp(
    entries: Mapping[str, StoredTensor], metadata: Mapping[str, Value], file: Path
) -> dict[str, StoredTensor]:
    """The entries under Hugging Face's names, the rows of q and k in its order; unknown names stay.

    Raises WeightsError where the metadata lack the number of heads, or it does not divide the rows.
    """
    result: dict[str, StoredTensor] = {}
    for key, entry in entries.items():
        module, _, field = key.rpartition(".")
        found = _LAYER.fullmatch(key)
        if found is None or found[2] not in LAYER:
            result[f"{TOP[module]}.{field}" if module in TOP else key] = entry
            continue
        if found[2] in HEADS:
            entry = _halved(entry, key, _heads(metadata, found[2], file))
        result[f"model.layers.{found[1]}.{LAYER[found[2]]}.{field}"] = entry
    return result


def llama_config(metadata: Mapping[str, Value]) -> dict[str, Any]:
    """What of transformers' `config.json` the metadata tell; numbers as they were before they became float32."""
    known = {CONFIG[name]: value for name, value in metadata.items() if name in CONFIG}
    rounded = {name: float(f"{value:.7g}") if isinstance(value, float) else value for name, value in known.items()}
    return {"model_type": "llama", **rounded}


def _heads(metadata: Mapping[str, Value], module: str, file: Path) -> int:
    num_heads = metadata.get(HEADS[module], metadata.get(HEADS["attn_q"]))
    if type(num_heads) is not int or num_heads < 1:
        raise WeightsError(f"{file}: lacks {HEADS[module]} in its metadata, or it is no number; {REMEDY}.")
    return num_heads


def _halved(stored: StoredTensor, key: str, num_heads: int) -> StoredTensor:
    """Rows (head, pair, half) as (head, half, pair); rows of blocks move as rows of values do."""
    if stored.shape[0] % (2 * num_heads):
        given = f"{stored.file}: {key!r} of {stored.shape}"
        raise WeightsError(f"{given} does not divide into {num_heads} heads; {REMEDY}.")

    def turned(of: StoredTensor) -> StoredTensor:
        return replace(
            of, read=lambda: rearrange(of.read(), "(g p two) ... -> (g two p) ...", g=num_heads, two=2), packed=None
        )

    packed = stored.packed
    if packed is None or packed.parts["weight"].shape[0] != stored.shape[0]:
        return turned(stored)
    return replace(packed, parts={"weight": turned(packed.parts["weight"])}).stored(stored.shape, stored.dtype)
