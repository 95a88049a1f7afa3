"""Embeddings of scalars and patches."""

import math

import torch
import torch.nn.functional as F

from muybridge.transformer.embed import PatchEmbed, sinusoids


def test_sinusoids_are_cosines_then_sines():
    t = torch.tensor([0.0, 1.0, 987.5], dtype=torch.float64)
    frequencies = torch.tensor([10000 ** (-k / 128) for k in range(128)], dtype=torch.float64)
    angle = t[:, None] * frequencies
    # a float32 angle near 1000 is rounded by 3e-5 rad
    torch.testing.assert_close(sinusoids(t).double(), torch.cat([angle.cos(), angle.sin()], 1), rtol=0, atol=1e-4)
    assert sinusoids(torch.zeros(1)).tolist() == [[1.0] * 128 + [0.0] * 128]


def test_sinusoids_are_float32_whatever_comes_in():
    assert sinusoids(torch.tensor([6016.0]).bfloat16()).dtype == torch.float32
    assert math.isclose(float(sinusoids(torch.tensor([6016.0]).bfloat16())[0, 0]), math.cos(6016.0), abs_tol=1e-5)


def test_the_patch_embedding_is_its_convolution():
    embed = PatchEmbed(4, 8, (1, 2, 2))
    x = torch.randn(2, 4, 3, 4, 6)
    convolved = F.conv3d(x, embed.proj.weight, embed.proj.bias, stride=embed.proj.stride)
    torch.testing.assert_close(embed(x), convolved.flatten(2).transpose(1, 2))
