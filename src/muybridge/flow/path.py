"""The straight path between data and noise, and the one time convention of the package.

| here                                  | paper 4.5.1                       | diffusers, released code            |
|---------------------------------------|-----------------------------------|-------------------------------------|
| sigma in [0, 1]; 1 noise, 0 data      | t = 1 - sigma; 0 noise, 1 data    | timestep = 1000 sigma               |
| x = (1 - sigma) data + sigma noise    | x_t = t x_1 + (1 - t) x_0         | the same x                          |
| data, noise                           | x_1, x_0                          | sample, noise                       |
| v = dx/dsigma = noise - data          | u_t = dx_t/dt = x_1 - x_0 = -v    | model output = v (`--flow-reverse`) |
| step: x + v (sigma_next - sigma)      | x + u (t_next - t), the same step | the same step                       |

Nothing in the package reverses time by a switch. `sigma` is one number per sample, (b,), or per latent frame, (b, t).
"""

from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid


def expand_sigma(sigma: Float[Tensor, "b *t"], like: Float[Tensor, "b *rest"]) -> Float[Tensor, "b *ones"]:
    """`sigma` of shape (b,) or (b, t) shaped to multiply `like`, (b, c, t, h, w); the dtype stays.

    A `like` of any rank takes a (b,) sigma. Raises InvalidInput where the shapes do not fit.
    """
    if sigma.ndim == 1 and sigma.shape[0] == like.shape[0]:
        return sigma.reshape(-1, *[1] * (like.ndim - 1))
    if sigma.ndim == 2 and like.ndim == 5 and tuple(sigma.shape) == (like.shape[0], like.shape[2]):
        return sigma[:, None, :, None, None]
    rule = f"must be (b,) or (b, t) of a (b, c, t, h, w) such as {tuple(like.shape)}"
    raise invalid(f"sigma of shape {tuple(sigma.shape)}", rule, "give one value per sample or per latent frame")


def interpolate(
    data: Float[Tensor, "b *rest"], noise: Float[Tensor, "b *rest"], sigma: Float[Tensor, "b *t"]
) -> Float[Tensor, "b *rest"]:
    """The point x at `sigma` between `data` (sigma 0) and `noise` (sigma 1).   Paper 4.5.1, with t = 1 - sigma."""
    weight = expand_sigma(sigma, data)
    return (1 - weight) * data + weight * noise


def velocity(data: Float[Tensor, "b *rest"], noise: Float[Tensor, "b *rest"]) -> Float[Tensor, "b *rest"]:
    """v = noise - data, the same at every sigma: what the network learns to predict.   Paper 4.5.1, v = -u."""
    return noise - data


def data_from_velocity(
    x: Float[Tensor, "b *rest"], v: Float[Tensor, "b *rest"], sigma: Float[Tensor, "b *t"]
) -> Float[Tensor, "b *rest"]:
    """The clean sample that x and v point at: x - sigma v."""
    return x - expand_sigma(sigma, x) * v


def noise_from_velocity(
    x: Float[Tensor, "b *rest"], v: Float[Tensor, "b *rest"], sigma: Float[Tensor, "b *t"]
) -> Float[Tensor, "b *rest"]:
    """The noise that x and v point back at: x + (1 - sigma) v."""
    return x + (1 - expand_sigma(sigma, x)) * v
