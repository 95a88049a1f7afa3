"""Where each layout keeps each module of the text encoders: a Llama-like decoder, alone or in LLaVA, and CLIP's text.

The official names are those of the bare models. What else their files hold (the vision tower, the projector, the
head) rides along under one name, so that going there and back loses nothing.
"""

from muybridge.weights.layouts.table import Row, Table, identity, renamed, same

_LAYER = (
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "input_layernorm", "post_attention_layernorm",
)  # fmt: skip
_CLIP_LAYER = (
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "layer_norm1", "layer_norm2",
    "mlp.fc1", "mlp.fc2",
)  # fmt: skip
LANGUAGE_CARRIED = ("lm_head.", "vision_tower.", "multi_modal_projector.", "logit_scale")
POOLED_CARRIED = ("logit_scale", "text_projection.", "visual_projection.", "vision_model.", "embeddings.position_ids")


def _under(prefix: str, *modules: str) -> tuple[Row, ...]:
    """Rows of modules that stand under a prefix."""
    return renamed({name: name for name in modules}, theirs=prefix)


def _language(decoder: str, *, head: str = "", vision: str = "") -> tuple[Row, ...]:
    """The decoder, its head, and the parts of a vision model, each under a prefix."""
    return (
        *_under(decoder, "embed_tokens", "norm", *(f"layers.{{i}}.{name}" for name in _LAYER)),
        *_under(head, "lm_head"),
        *_under(vision, "vision_tower.*", "multi_modal_projector.*"),
        *same("logit_scale!"),  # ComfyUI gives every text encoder one
    )


def _pooled(prefix: str) -> tuple[Row, ...]:
    return (
        *_under(prefix, "embeddings.token_embedding", "embeddings.position_embedding", "final_layer_norm"),
        *_under(prefix, "embeddings.position_ids!", *(f"encoder.layers.{{i}}.{name}" for name in _CLIP_LAYER)),
        *same("text_projection", "visual_projection", "logit_scale!", "vision_model.*"),
    )


_CAUSAL = Table(layout="causal-lm", rows=_language("model."))
LANGUAGE_TABLES: tuple[Table, ...] = (
    identity(_CAUSAL),
    _CAUSAL,
    Table(layout="llava", rows=_language("language_model.model.", head="language_model.")),
    Table(layout="llava-2025", rows=_language("model.language_model.", vision="model.")),
)
_CLIP = Table(layout="clip", rows=_pooled("text_model."))
POOLED_TABLES: tuple[Table, ...] = (identity(_CLIP), _CLIP)
