"""A tiny transformer with nothing zero in it, and inputs for it."""

from dataclasses import replace

import torch
from torch import Tensor

from muybridge.transformer import Conditions, Transformer, TransformerConfig

TINY = TransformerConfig(
    in_channels=4,
    out_channels=4,
    hidden_size=32,
    num_heads=2,
    num_double_blocks=2,
    num_single_blocks=2,
    rope_axes_dim=(4, 6, 6),
    text_dim=12,
    pooled_dim=10,
)

TINY_15 = replace(
    TINY, in_channels=9, patch_size=(1, 1, 1), num_single_blocks=0, pooled_dim=0, has_guidance=False,
    has_split_qkv=True, glyph_dim=8, vision_dim=6,
)  # fmt: skip


def network(config: TransformerConfig = TINY, *, seed: int = 0) -> Transformer:
    """Every parameter drawn, modulation included, so that every path shows in the output."""
    model = Transformer(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.3
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator) + (parameter.ndim == 1) * 0.5)
    return model.eval()


def latents(b: int = 2, *, grid: tuple[int, int, int] = (3, 4, 6), seed: int = 1) -> Tensor:
    return torch.randn(b, 4, *grid, generator=torch.Generator().manual_seed(seed))


def conditions(
    lengths: tuple[int, ...] = (7, 4), *, padded_to: int = 7, config: TransformerConfig = TINY
) -> Conditions:
    """Prompts of these lengths; the padding holds large numbers, as a language model's states do."""
    generator = torch.Generator().manual_seed(2)
    b = len(lengths)
    mask = torch.arange(padded_to) < torch.tensor(lengths)[:, None]
    states = torch.randn(b, 16, TINY.text_dim, generator=generator)[:, :padded_to]
    return Conditions(
        text=torch.where(mask[..., None], states, 50 * states),
        text_mask=mask,
        pooled=torch.randn(b, TINY.pooled_dim, generator=generator),
        guidance=torch.linspace(6.0, 1.0, b),
    )


def sample(given: Conditions, i: int) -> Conditions:
    """One sample alone, its padding cut off and no mask."""
    assert given.text_mask is not None
    return replace(
        given,
        text=given.text[i : i + 1, : int(given.text_mask[i].sum())],
        text_mask=None,
        pooled=given.pooled[i : i + 1],
        guidance=None if given.guidance is None else given.guidance[i : i + 1],
    )
