"""Mean and variance of a film's groups of channels, gathered from its chunks in one pass.

Of each chunk the squares are taken around its own mean, in the dtype of the features or float32; chunks are joined in
float64 (Chan, Golub and LeVeque 1979), so that no digits are lost where the mean is large.
"""

from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """Of g groups of channels, over `count` values each; k is 1, or frames that are taken each by itself."""

    count: int
    mean: Float[Tensor, "g k"]
    squares: Float[Tensor, "g k"]  # sum of squared distances from the mean

    @classmethod
    def of(cls, x: Float[Tensor, "1 c k h w"], num_groups: int, *, is_by_frame: bool) -> "Moments":
        """Of one chunk."""
        groups = rearrange(x, "1 (g c) k h w -> g c k h w", g=num_groups)
        groups = groups.to(torch.promote_types(x.dtype, torch.float32))
        dims = (1, 3, 4) if is_by_frame else (1, 2, 3, 4)
        mean = groups.mean(dim=dims, keepdim=True)
        squares = (groups - mean).square_().sum(dim=dims).double()
        width = groups.shape[2] if is_by_frame else 1
        return cls(
            count=groups[0].numel() // width,
            mean=mean.double().reshape(num_groups, width),
            squares=squares.reshape(num_groups, width),
        )

    def joined(self, other: "Moments") -> "Moments":
        """Of both sets of values together."""
        count = self.count + other.count
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        squares = self.squares + other.squares + apart**2 * (self.count * other.count / count)
        return Moments(count=count, mean=mean, squares=squares)

    def variance(self) -> Float[Tensor, "g k"]:
        """Mean squared distance from the mean, as group norms divide by."""
        return self.squares / self.count

    def affine(self, norm: nn.GroupNorm) -> tuple[Float[Tensor, "1 c k 1 1"], Float[Tensor, "1 c k 1 1"]]:
        """(scale, shift) by which `norm` would change features with these statistics; float32, or float64 weights."""
        run = norm.num_channels // norm.num_groups
        mean = repeat(self.mean, "g k -> (g run) k", run=run)
        deviation = repeat((self.variance() + norm.eps).sqrt(), "g k -> (g run) k", run=run)
        scale = norm.weight.double()[:, None] / deviation
        shift = norm.bias.double()[:, None] - mean * scale
        dtype = torch.promote_types(norm.weight.dtype, torch.float32)
        as_features = "c k -> 1 c k 1 1"
        return rearrange(scale, as_features).to(dtype), rearrange(shift, as_features).to(dtype)


def drift(frozen: Moments, real: Moments) -> Float[Tensor, ""]:
    """The largest distance of a group's mean and of its deviation from the real ones, in real deviations."""
    deviation = real.variance().sqrt().clamp_min(torch.finfo(torch.float32).tiny)
    means = (frozen.mean - real.mean).abs() / deviation
    return torch.maximum(means, (frozen.variance().sqrt() / deviation - 1).abs()).max()
