"""What of tiny films is compared: local contrast, which brightness, contrast and colour of the whole leave alone."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

NOISE = 0.2  # levels of contrast that mean nothing


def contrast(film: Float[Tensor, "*b y x"]) -> Float[Tensor, "*b y x"]:
    """How much each cell differs from the mean of itself and its eight neighbours."""
    return film - around(film)


def around(film: Float[Tensor, "*b y x"]) -> Float[Tensor, "*b y x"]:
    """The mean of each cell and its eight neighbours."""
    flat = film.reshape(-1, 1, *film.shape[-2:])
    return F.avg_pool2d(F.pad(flat, (1, 1, 1, 1), mode="replicate"), 3, 1).reshape(film.shape)


def directions(film: Float[Tensor, "*b t y x"]) -> Float[Tensor, "*b t n"]:
    """The contrasts of each frame as a vector of length 1, squashed before to half of 1 at their mean size in the film:
    so that lettering over a few cells counts as those few cells.
    """
    values = contrast(film)
    size = values.abs()
    squashed = values / (size + size.mean((-1, -2, -3), keepdim=True) + NOISE)
    return F.normalize(squashed.flatten(-2), dim=-1)
