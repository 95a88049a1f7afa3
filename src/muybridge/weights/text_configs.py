"""The configs of text encoders: from a `config.json` of transformers beside the file, else read off the shapes."""

from collections.abc import Mapping
from typing import Any

from muybridge.core.errors import WeightsError
from muybridge.text.config import LanguageConfig, PooledConfig
from muybridge.weights.configs import Shapes, built

_KNOWN = {  # what shapes cannot tell, by (width, rows of k_proj): Llama-3-8B, also in LLaVA; SmolLM2-135M
    (4096, 1024): {"head_dim": 128, "rope_theta": 500_000.0, "norm_eps": 1e-5},
    (576, 192): {"head_dim": 64, "rope_theta": 100_000.0, "norm_eps": 1e-5},
}
_CLIP_HEAD_DIM = 64  # of every CLIP text model published
_CLIP_ACTIVATIONS = {768: "quick_gelu"}  # ViT-L/14; the wider ones of OpenCLIP have gelu


def language_config(shapes: Shapes, beside: Mapping[str, Any] | None) -> LanguageConfig:
    """Read off the shapes, with heads, rotary base and norm from the `config.json` beside, or known for these widths.

    Raises WeightsError where a key that tells a size is missing, or neither tells the heads.
    """
    vocab_size, hidden_size = shapes.of("embed_tokens.weight", 2)
    rows = {part: shapes.of(f"layers.0.self_attn.{part}_proj.weight", 2)[0] for part in "qk"}
    found = _language_fields(shapes, _text_part(beside), query_rows=rows["q"]) or _KNOWN.get((hidden_size, rows["k"]))
    if found is None:
        raise WeightsError(
            f"{shapes.path}: a language model of width {hidden_size} does not tell its heads; "
            "put its config.json beside it."
        )
    values = {
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "num_layers": shapes.depth("layers"),
        "num_heads": rows["q"] // found["head_dim"],
        "num_kv_heads": rows["k"] // found["head_dim"],
        "mlp_dim": shapes.of("layers.0.mlp.gate_proj.weight", 2)[0],
        **found,
    }
    return built(LanguageConfig, values, shapes.path)


def pooled_config(shapes: Shapes, beside: Mapping[str, Any] | None) -> PooledConfig:
    """Read off the shapes, with heads of 64 channels; a `config.json` beside the file counts more.

    Raises WeightsError where a key that tells a size is missing.
    """
    vocab_size, hidden_size = shapes.of("embeddings.token_embedding.weight", 2)
    said = _text_part(beside)
    values = {
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "num_layers": shapes.depth("encoder.layers"),
        "num_heads": said.get("num_attention_heads", max(1, hidden_size // _CLIP_HEAD_DIM)),
        "mlp_dim": shapes.of("encoder.layers.0.mlp.fc1.weight", 2)[0],
        "max_tokens": shapes.of("embeddings.position_embedding.weight", 2)[0],
        "activation": said.get("hidden_act", _CLIP_ACTIVATIONS.get(hidden_size, "gelu")),
        "eos_token_id": said.get("eos_token_id", vocab_size - 1),
    }
    return built(PooledConfig, values, shapes.path)


def _text_part(beside: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """A `config.json`, or what it says of the text model where it describes several."""
    said = (beside or {}).get("text_config", beside)
    return said if isinstance(said, dict) else {}


def _language_fields(shapes: Shapes, said: Mapping[str, Any], *, query_rows: int) -> dict[str, Any] | None:
    """Head width, rotary base and norm from a `config.json`; None where it does not tell the heads."""
    if not isinstance(said.get("num_attention_heads"), int) or said["num_attention_heads"] < 1:
        return None
    rope = said.get("rope_parameters") or said.get("rope_scaling")
    rope = rope if isinstance(rope, dict) else {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise WeightsError(
            f"{shapes.path}: config.json asks for rotary embedding {kind!r}; use a Llama-3 or other plain model."
        )
    head_dim = said.get("head_dim") or query_rows // said["num_attention_heads"]
    if not isinstance(head_dim, int) or head_dim < 1:
        raise WeightsError(f"{shapes.path}: head_dim={head_dim!r} in config.json is no size; use the model's own.")
    return {
        "head_dim": head_dim,
        "rope_theta": rope.get("rope_theta", said.get("rope_theta", 10_000.0)),
        "norm_eps": said.get("rms_norm_eps", 1e-6),
    }
