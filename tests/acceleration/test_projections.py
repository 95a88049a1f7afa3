"""One layer for queries, keys and values computes what three do."""

from dataclasses import replace

import pytest
import torch

from muybridge.acceleration.projections import fuse_projections
from muybridge.acceleration.quantise import quantise
from muybridge.core.errors import InvalidInput
from muybridge.transformer import Transformer
from tests.transformer.networks import TINY, TINY_15, conditions, network

ROUNDING = 64  # places of outputs of about one: kernels add in another order at another width


def forward(net: Transformer) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, net.config.in_channels, 3, 4, 6, generator=generator, dtype=net.dtype)
    with torch.inference_mode():
        return net(x, torch.tensor([0.3, 0.7]), replace(conditions(), pooled=None, guidance=None))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_fused_projections_differ_by_rounding_alone(dtype):
    net = network(TINY_15).to(dtype).requires_grad_(False)
    expected, count = forward(net), sum(p.numel() for p in net.parameters())
    fuse_projections(net)
    names = {name for name, _ in net.named_modules() if "attn" in name}
    assert "double_blocks.1.txt_attn_qkv" in names and "double_blocks.1.txt_attn_q" not in names
    assert sum(p.numel() for p in net.parameters()) == count and not any(p.requires_grad for p in net.parameters())
    torch.testing.assert_close(forward(net), expected, rtol=0, atol=ROUNDING * torch.finfo(dtype).eps)


def test_fused_weights_stay_as_they_are():
    net = network(TINY).requires_grad_(False)
    before = dict(net.named_parameters())
    fuse_projections(net)
    assert all(parameter is before[name] for name, parameter in net.named_parameters())


def test_what_was_applied_before_is_refused():
    net = network(TINY_15).requires_grad_(False)
    quantise(net, "int8")
    with pytest.raises(InvalidInput, match="only plain layers can be fused; fuse them before anything else"):
        fuse_projections(net)
