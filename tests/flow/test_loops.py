"""Latent frames on a circle."""

import torch

from muybridge.flow.loops import on_a_circle
from muybridge.flow.samplers import SAMPLERS
from muybridge.flow.timesteps import inference_sigmas
from muybridge.flow.wander import wander

X = torch.randn(1, 2, 5, 2, 2, generator=torch.Generator().manual_seed(0))


def neighbourly(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Every frame is drawn to the one before it; the first has none."""
    before = torch.cat([x[:, :, :1], x[:, :, :-1]], 2)
    return (x - before) * 2


def test_turning_frames_that_know_nothing_of_each_other_changes_nothing():
    alone = on_a_circle(lambda x, sigma: torch.sin(x), cut=wander(5, sigmas=inference_sigmas(30, shift=3.0)))
    for sigma in (1.0, 0.83, 0.4):
        assert torch.equal(alone(X, torch.tensor([sigma])), torch.sin(X))


def test_a_level_for_every_frame_goes_with_its_frame():
    levels = torch.tensor([[0.8, 0.0, 0.8, 0.8, 0.8]])
    seen = on_a_circle(lambda x, sigma: x * sigma[:, None, :, None, None], cut=lambda _: 3)(X, levels)
    assert torch.equal(seen, X * levels[:, None, :, None, None])


def test_the_last_frame_comes_to_meet_the_first():
    sigmas = inference_sigmas(40, shift=1.0)
    turned = on_a_circle(neighbourly, cut=wander(5, sigmas=sigmas))
    plain, circle = (SAMPLERS["euler"](v, X, sigmas)[0] for v in (neighbourly, turned))
    seams = [float((film[:, -1] - film[:, 0]).abs().mean()) for film in (plain, circle)]
    steps = float((circle[:, 1:] - circle[:, :-1]).abs().mean())
    assert seams[1] <= 1.2 * steps and seams[1] < seams[0]
