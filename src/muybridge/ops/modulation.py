"""Adaptive layer norm: scale, shift and gate the tokens with signals made from the conditions. arXiv 2212.09748.

Signals come as (b, g, d): the tokens (b, n, d) are g equal runs (latent frames, or g = 1 for the whole clip) and each
run has its own signal.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.ops.norm import layer_norm


def norm_and_modulate(
    x: Float[Tensor, "b n d"], shift: Float[Tensor, "b g d"], scale: Float[Tensor, "b g d"]
) -> Float[Tensor, "b n d"]:
    """`layer_norm(x) * (1 + scale) + shift`."""
    runs = layer_norm(x).unflatten(1, (scale.shape[1], -1))
    return torch.addcmul(shift[:, :, None], runs, 1 + scale[:, :, None]).flatten(1, 2)


def add_gated(
    x: Float[Tensor, "b n d"], gate: Float[Tensor, "b g d"], change: Float[Tensor, "b n d"]
) -> Float[Tensor, "b n d"]:
    """`x + gate * change`."""
    runs = (gate.shape[1], -1)
    return torch.addcmul(x.unflatten(1, runs), gate[:, :, None], change.unflatten(1, runs)).flatten(1, 2)
