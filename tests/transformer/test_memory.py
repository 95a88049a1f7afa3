"""What a forward pass holds beside its weights: counted operation by operation on tensors that are shapes only."""

import math
from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from muybridge.core.allocations import Allocations
from muybridge.transformer import HUNYUANVIDEO_15, Conditions, Transformer, TransformerConfig
from muybridge.transformer.cost import activation_bytes

RELEASED = replace(TransformerConfig(), num_double_blocks=1, num_single_blocks=1)  # one of each tells the peak
SPLIT = replace(HUNYUANVIDEO_15, num_double_blocks=1)
FULL_WIDTHS = 6.0  # values a token and channel at most, of a long film
CLOSED_FORM_TOLERANCE = 0.1
TEXT = 256


def peak_bytes(config: TransformerConfig, grid: tuple[int, int, int], *, chunk: int | None, per_frame: bool) -> int:
    """Of one film in float32, where attention is one kernel."""
    with FakeTensorMode():
        model = Transformer(config).requires_grad_(False)
        model.chunk_tokens = chunk
        cells = (size * patch for size, patch in zip(grid, config.patch_size, strict=True))
        given = Conditions(
            text=torch.empty(1, TEXT, config.text_dim),
            pooled=torch.empty(1, config.pooled_dim) if config.pooled_dim else None,
            guidance=torch.empty(1) if config.has_guidance else None,
        )
        latents, sigma = torch.empty(1, config.in_channels, *cells), torch.empty(1, grid[0]) if per_frame else None
        with torch.no_grad(), Allocations() as counted:
            model(latents, torch.empty(1) if sigma is None else sigma, given)
    return counted.peak_bytes


@pytest.mark.parametrize("per_frame", [False, True])
@pytest.mark.parametrize("config", [RELEASED, SPLIT], ids=["released", "1.5"])
def test_a_long_film_takes_at_most_six_values_a_token_and_channel(config, per_frame):
    """Long beside a piece, that is; 720p of the released length is in benchmarks/transformer.py."""
    grid = 4, 32, 32
    tokens = math.prod(grid) + TEXT
    peak = peak_bytes(config, grid, chunk=512, per_frame=per_frame)
    assert peak <= FULL_WIDTHS * tokens * config.hidden_size * 4


@pytest.mark.parametrize("grid, chunk", [((4, 32, 32), 512), ((4, 32, 32), 1500), ((5, 20, 32), None)])
@pytest.mark.parametrize("config", [RELEASED, SPLIT], ids=["released", "1.5"])
def test_the_closed_form_is_what_is_counted(config, grid, chunk):
    predicted = activation_bytes(
        config, num_visual_tokens=math.prod(grid), num_text_tokens=TEXT, value_bytes=4, chunk_tokens=chunk
    )
    counted = peak_bytes(config, grid, chunk=chunk, per_frame=False)
    assert predicted == pytest.approx(counted, rel=CLOSED_FORM_TOLERANCE)


def test_what_is_given_back_is_not_counted():
    with Allocations() as counted:
        x = torch.ones(1000)
        y = x.view(10, 100) + 1
        del x
        y.add_(1)
    assert (counted.live_bytes, counted.peak_bytes) == (4000, 8000)
