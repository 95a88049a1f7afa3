"""Attention without a mask equals attention with one; the first frame never grows in time."""

import pytest
import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from muybridge.vae.blocks import Downsample, FeatureNorm, FrameCausalAttention, Upsample
from muybridge.vae.config import Norm
from muybridge.vae.stem import depth_to_space, space_to_depth


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def features(channels: int = 8, frames: int = 4, side: int = 3, *, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, channels, frames, side, side, generator=generator, dtype=torch.float64)


def densely_masked(layer: FrameCausalAttention, x: Tensor) -> Tensor:
    """The same attention with the whole (t h w)^2 matrix of scores and its mask."""
    t, h, w = x.shape[2:]
    tokens = rearrange(layer.group_norm(x), "b c t h w -> b (t h w) c")
    query, key, value = layer.to_q(tokens), layer.to_k(tokens), layer.to_v(tokens)
    frame = repeat(torch.arange(t), "t -> (t n)", n=h * w)
    scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
    scores = scores.masked_fill(frame[None, :] > frame[:, None], float("-inf"))
    mixed = layer.to_out[0](scores.softmax(dim=-1) @ value)
    return x + rearrange(mixed, "b (t h w) c -> b c t h w", t=t, h=h)


@pytest.mark.parametrize("norm", ["clip", "frame", "cell"])
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_attention_equals_the_dense_masked_one(frames: int, norm: Norm) -> None:
    layer = FrameCausalAttention(8, num_groups=2, norm=norm).double()
    x = features(frames=frames)
    torch.testing.assert_close(layer(x), densely_masked(layer, x), rtol=0, atol=1e-12)


def passes_input_through(layer: Upsample) -> Upsample:
    """Make the convolution pick its newest, central input."""
    nn.init.dirac_(layer.conv.conv.weight)
    layer.conv.conv.weight.copy_(layer.conv.conv.weight.roll(1, dims=2))
    nn.init.zeros_(layer.conv.conv.bias)  # type: ignore[arg-type]
    return layer.double()


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_the_first_frame_never_grows_in_time(frames: int) -> None:
    x = features(frames=frames)
    grown = passes_input_through(Upsample(8, (2, 2, 2)))(x)
    assert grown.shape == (2, 8, 1 + 2 * (frames - 1), 6, 6)
    enlarged = repeat(x, "b c t h w -> b c t (h p) (w q)", p=2, q=2)
    assert torch.equal(grown[:, :, 0], enlarged[:, :, 0])
    for frame in range(1, frames):
        assert torch.equal(grown[:, :, 2 * frame - 1], enlarged[:, :, frame])
        assert torch.equal(grown[:, :, 2 * frame], enlarged[:, :, frame])


def test_space_alone_grows_every_frame_alike() -> None:
    x = features()
    grown = passes_input_through(Upsample(8, (1, 2, 2)))(x)
    assert torch.equal(grown, repeat(x, "b c t h w -> b c t (h p) (w q)", p=2, q=2))


@pytest.mark.parametrize("frames", [1, 3, 5, 9])
def test_a_reduction_in_time_keeps_the_first_frame(frames: int) -> None:
    layer, x = Downsample(8, (2, 2, 2)).double(), features(frames=frames, side=4)
    reduced = layer(x)
    assert reduced.shape == (2, 8, 1 + frames // 2, 2, 2)
    torch.testing.assert_close(layer(x[:, :, :1]), reduced[:, :, :1])


@pytest.mark.parametrize("norm", ["clip", "frame", "cell"])
def test_a_frames_norm_is_that_of_a_picture(norm: Norm) -> None:
    x, layer = features(), FeatureNorm(8, num_groups=2, norm=norm).double()
    pictures = torch.cat([layer(x[:, :, i : i + 1]) for i in range(x.shape[2])], dim=2)
    is_same = torch.allclose(layer(x), pictures, rtol=0, atol=1e-12)
    assert is_same == (norm != "clip")


@pytest.mark.parametrize("norm", ["clip", "frame", "cell"])
def test_a_cells_norm_does_not_see_its_window(norm: Norm) -> None:
    x, layer = features(), FeatureNorm(8, num_groups=2, norm=norm).double()
    is_same = torch.allclose(layer(x)[..., 1:], layer(x[..., 1:]), rtol=0, atol=1e-12)
    assert is_same == (norm == "cell")


@pytest.mark.parametrize("patch", [(1, 1, 1), (2, 2, 2), (4, 4, 4), (1, 2, 2), (4, 8, 8)])
@pytest.mark.parametrize("frames", [1, 5, 9])
def test_the_stem_comes_back_exactly(patch: tuple[int, int, int], frames: int) -> None:
    pixels = features(3, frames, 16)
    packed = space_to_depth(pixels, patch)
    t, h, w = patch
    assert packed.shape == (2, 3 * t * h * w, 1 + (frames - 1) // t, 16 // h, 16 // w)
    assert torch.equal(depth_to_space(packed, patch), pixels)


def test_the_stem_sees_no_later_frame() -> None:
    pixels = features(3, 9, 8)
    start = space_to_depth(pixels[:, :, :5], (4, 4, 4))
    assert torch.equal(space_to_depth(pixels, (4, 4, 4))[:, :, :2], start)
