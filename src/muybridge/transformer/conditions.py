"""What the video is conditioned on, and what the blocks are told about it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Complex, Float, Integer
from torch import Tensor

from muybridge.core.errors import invalid


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """The prompt as the network takes it.

    text: states of the language model; text_mask: True (or 1, as tokenizers give it) where a token is part of the
    prompt, right-padded, None when all are; pooled: the pooled embedding; guidance: the embedded guidance scale such as
    6.0, for networks that have it.
    """

    text: Float[Tensor, "b l text_dim"]
    pooled: Float[Tensor, "b pooled_dim"]
    text_mask: Bool[Tensor, "b l"] | Integer[Tensor, "b l"] | None = None
    guidance: Float[Tensor, " b"] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Signals:
    """What every block receives beside its tokens.

    frames: conditioning vectors of the visual tokens, one per latent frame or one (g = 1) for the whole clip;
    clip: those of the text tokens; rope: `ops.rope.rope_table` of visual then text tokens; num_visual: tokens before
    the text; lengths: valid tokens of each sample (visual and text), None when all are valid.
    """

    frames: Float[Tensor, "b g d"]
    clip: Float[Tensor, "b 1 d"]
    rope: Complex[Tensor, "s half"]
    num_visual: int
    lengths: Sequence[int] | None


def text_lengths(mask: Bool[Tensor, "b l"] | Integer[Tensor, "b l"]) -> list[int]:
    """Valid tokens of each prompt. Reads the mask back to the host.

    Raises InvalidInput unless every row is some True (or 1) and then only False (or 0).
    """
    if mask.is_floating_point() or mask.is_complex():
        raise invalid(f"text_mask of {mask.dtype}", "must be bool, or whole numbers 0 and 1", "pass mask.bool()")
    if mask.dtype != torch.bool and not bool(((mask == 0) | (mask == 1)).all()):
        raise invalid("text_mask", "holds numbers other than 0 and 1", "give 1 for prompt, 0 for padding")
    mask = mask.bool()
    lengths = mask.sum(1)
    is_prefix = (mask == (torch.arange(mask.shape[1], device=mask.device) < lengths[:, None])).all(1)
    for sample, (length, fits) in enumerate(torch.stack([lengths, is_prefix.long()], 1).tolist()):
        if length == 0:
            raise invalid(f"text_mask[{sample}]", "has no valid token", "keep at least one, also for an empty prompt")
        if not fits:
            raise invalid(f"text_mask[{sample}]", "has a hole", "put the valid tokens first, padding after")
    return [int(length) for length in lengths.tolist()]
