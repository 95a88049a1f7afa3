"""Films that need no camera: moving dead leaves, whose edges and sizes are distributed as those of natural pictures.

Discs of random size, colour, shading and speed hide one another. With radii distributed as r^-3 such pictures have the
spectrum, the edges and the occlusions of photographs (Lee, Mumford and Huang, 2001, "Occlusion models for natural
images"). What is fitted to them serves for films of any kind.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.seeding import generator

NUM_LEAVES = 60
MIN_RADIUS, MAX_RADIUS = 0.03, 0.5  # of the height
SPEED = 0.35  # heights that a leaf moves in a film, deviation
COLOUR, SHADING = 0.5, 0.6  # deviation from grey; largest change of brightness across the picture


def leaves(seed: int, *, num_frames: int, height: int, width: int) -> Float[Tensor, "3 f y x"]:
    """A film in [-1, 1], float32, the same for the same seed."""
    draw = generator(seed, "leaves")
    times = torch.linspace(0, 1, num_frames).view(-1, 1, 1)
    rows = ((torch.arange(height) + 0.5) / height).view(1, -1, 1)
    columns = ((torch.arange(width) + 0.5) / height).view(1, 1, -1)
    ratio = width / height
    film = _shaded(rows, columns, draw).expand(3, num_frames, height, width)
    for _ in range(NUM_LEAVES):
        radius = _radius(float(torch.rand((), generator=draw)))
        y, x = 1.4 * torch.rand(2, generator=draw) - 0.2
        speed_y, speed_x = SPEED * torch.randn(2, generator=draw)
        stretch = torch.exp(0.5 * torch.randn((), generator=draw))
        down, across = rows - y - speed_y * times, columns - ratio * x - speed_x * times
        distance = torch.hypot(down * stretch, across / stretch)
        softness_px = 0.5 + 1.5 * torch.rand((), generator=draw)
        mask = torch.sigmoid((radius - distance) * height / softness_px)
        film = torch.lerp(film, _shaded(rows, columns, draw), mask)
    return film


def _radius(share: float) -> float:
    """Of a share of all discs from the largest down: the inverse of the distribution that falls as r^-3."""
    small, large = MIN_RADIUS**-2, MAX_RADIUS**-2
    return (large + share * (small - large)) ** -0.5


def _shaded(rows: Tensor, columns: Tensor, draw: torch.Generator) -> Float[Tensor, "3 1 y x"]:
    """A colour that grows lighter towards some side."""
    grey = 2 * torch.rand(1, generator=draw) - 1
    colour = (grey + COLOUR * torch.randn(3, generator=draw)).clamp(-1, 1)
    angle, strength = torch.rand(2, generator=draw).tolist()
    ramp = math.cos(2 * math.pi * angle) * (rows - 0.5) + math.sin(2 * math.pi * angle) * (columns - 0.5)
    return (colour.view(3, 1, 1, 1) + SHADING * strength * ramp).clamp(-1, 1)
