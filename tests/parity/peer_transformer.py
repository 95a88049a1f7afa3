"""diffusers' transformer with the weights of ours."""

from pathlib import Path
from typing import Any

from diffusers import HunyuanVideoTransformer3DModel
from torch import Tensor

from muybridge.transformer import Conditions, Transformer
from muybridge.weights.config_json import diffusers_config
from muybridge.weights.layouts import from_official
from muybridge.weights.layouts.transformer import DIFFUSERS
from muybridge.weights.stored import from_tensor


def peer_of(model: Transformer, **changes: Any) -> HunyuanVideoTransformer3DModel:
    """The peer, config and weights mapped from ours; `changes` to its config."""
    config = diffusers_config(model.config) | changes
    peer = HunyuanVideoTransformer3DModel(**{k: v for k, v in config.items() if not k.startswith("_")})
    entries = {key: from_tensor(tensor, Path("memory")) for key, tensor in model.state_dict().items()}
    state = {k: v.read() for k, v in from_official(entries, DIFFUSERS, hidden_size=model.config.hidden_size).items()}
    peer.load_state_dict(state, strict=True)
    return peer.to(model.dtype).eval()


def peer_velocity(
    peer: HunyuanVideoTransformer3DModel, latents: Tensor, *, sigma: Tensor, conditions: Conditions
) -> Tensor:
    """What the peer predicts; `sigma` (b,)."""
    dtype = next(peer.parameters()).dtype
    guidance = conditions.guidance
    return peer(
        hidden_states=latents.to(dtype),
        timestep=sigma * 1000,
        encoder_hidden_states=conditions.text.to(dtype),
        encoder_attention_mask=conditions.text_mask,
        pooled_projections=conditions.pooled.to(dtype),
        guidance=None if guidance is None else guidance.to(dtype) * 1000,
        return_dict=False,
    )[0]


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference over the peer's standard deviation."""
    return float((ours.double() - theirs.double()).abs().max() / theirs.double().std())
