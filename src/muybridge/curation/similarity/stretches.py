"""Which stretch of one clip may run beside which stretch of another, that is a trimmed or a longer copy of it."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor


@lru_cache(maxsize=4)
def stretches(parts: int) -> Float[Tensor, "k 2 2"]:
    """Where each begins and ends in the one and in the other, as shares of their lengths, in steps of 1 / `parts`.

    All of both first; then all of either with a half or more of the other, and the end of either with the beginning of
    the other. How fast they are played does not matter: all of the one runs beside all of the other.
    """
    sizes = range(parts - 1, parts // 2 - 1, -1)
    whole = (0, parts)
    inside = [(whole, (start, start + size)) for size in sizes for start in range(parts - size + 1)]
    shifted = [((0, size), (parts - size, parts)) for size in sizes]
    return torch.tensor([(whole, whole), *(way for each in (*inside, *shifted) for way in (each, each[::-1]))]) / parts


@lru_cache(maxsize=4)
def frames_beside(parts: int, count: int) -> Float[Tensor, "k t u"]:
    """Of each of `stretches(parts)`, the share of its time in which each of `count` frames of the one is beside each
    of the other, between neighbours.
    """
    spans, moments = stretches(parts), (torch.arange(4 * count) + 0.5) / (4 * count)
    times = spans[..., :1] + (spans[..., 1:] - spans[..., :1]) * moments
    places = (times * count - 0.5).clamp(0, count - 1)
    shown = (1 - (places[..., None] - torch.arange(count)).abs()).clamp(min=0)
    return torch.einsum("kqt,kqu->ktu", shown[:, 0], shown[:, 1]) / len(moments)
