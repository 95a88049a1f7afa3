"""Patches: a convolution with stride equal to its kernel, and its inverse."""

import torch

from muybridge.ops.patch import patchify, unpatchify


def test_unpatchify_undoes_patchify():
    x = torch.randn(2, 3, 4, 6, 8)
    assert torch.equal(unpatchify(patchify(x, (2, 2, 4)), (2, 3, 2), patch_size=(2, 2, 4)), x)


def test_patchify_then_linear_is_the_convolution():
    conv = torch.nn.Conv3d(3, 5, kernel_size=(1, 2, 2), stride=(1, 2, 2))
    x = torch.randn(2, 3, 4, 6, 8)
    ours = torch.nn.functional.linear(patchify(x, (1, 2, 2)), conv.weight.flatten(1), conv.bias)
    torch.testing.assert_close(ours, conv(x).flatten(2).transpose(1, 2))
