"""Four bits a value, two codes to a byte, in groups along a row.

int4: sixteen even steps between the least and the largest value of a group. nf4: sixteen values that a normal
distribution uses equally often, times the largest of the group (QLoRA, arXiv 2305.14314).
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.ops.codes import NF4, in_pairs, nf4_codes, paired

GROUP = 64  # values under one scale (convention: bitsandbytes' for nf4)
STEPS = 15


def encode_int4(weight: Float[Tensor, "o i"]) -> dict[str, Tensor]:
    """Codes (o, i / 2), and of each group the step and the least value (o, i / GROUP) in bfloat16."""
    groups = _groups(weight)
    low, high = groups.aminmax(dim=2, keepdim=True)
    low = low.bfloat16()
    step = ((high - low.float()) / STEPS).clamp(min=torch.finfo(torch.float32).tiny).bfloat16()
    codes = ((groups - low.float()) / step.float()).round_().clamp_(0, STEPS).to(torch.uint8)
    return {"weight": in_pairs(codes.flatten(1)), "step": step.squeeze(2), "low": low.squeeze(2)}


def decode_int4(parts: Mapping[str, Tensor], dtype: torch.dtype) -> Float[Tensor, "o i"]:
    """low + code * step."""
    step, low = (parts[name].to(dtype)[..., None] for name in ("step", "low"))
    codes = paired(parts["weight"], torch.arange(16, dtype=dtype)).unflatten(1, (step.shape[1], -1))
    return codes.mul_(step).add_(low).flatten(1)


def encode_nf4(weight: Float[Tensor, "o i"]) -> dict[str, Tensor]:
    """Codes (o, i / 2), and of each group the largest magnitude (o, i / GROUP) in bfloat16."""
    groups = _groups(weight)
    largest = groups.abs().amax(2, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny).bfloat16()
    codes = nf4_codes(groups / largest.float())
    return {"weight": in_pairs(codes.flatten(1)), "largest": largest.squeeze(2)}


def decode_nf4(parts: Mapping[str, Tensor], dtype: torch.dtype) -> Float[Tensor, "o i"]:
    """The value of the code times the largest of its group."""
    largest = parts["largest"].to(dtype)[..., None]
    values = paired(parts["weight"], torch.tensor(NF4, dtype=dtype)).unflatten(1, (largest.shape[1], -1))
    return values.mul_(largest).flatten(1)


def _groups(weight: Tensor) -> Tensor:
    if weight.shape[1] % GROUP:
        given = f"a linear layer of {weight.shape[1]} columns"
        raise invalid(given, f"four-bit groups take {GROUP}", "use int8 for this model")
    return weight.float().unflatten(1, (-1, GROUP))
