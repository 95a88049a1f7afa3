"""Laws of held frames."""

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.flow.held import hold_frames, place
from muybridge.flow.samplers import SAMPLERS
from muybridge.flow.timesteps import inference_sigmas

HELD = torch.tensor([True, False, False, True])


def start():
    return torch.randn(2, 3, 4, 2, 2, generator=torch.Generator().manual_seed(0))


def field(x, sigma):
    return x + (sigma if sigma.ndim == 2 else sigma[:, None])[:, None, :, None, None]


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_held_frames_never_move_and_the_others_do(name):
    end = SAMPLERS[name](hold_frames(field, HELD), start(), inference_sigmas(4, shift=7.0))
    assert torch.equal(end[:, :, HELD], start()[:, :, HELD])
    assert bool((end[:, :, ~HELD] != start()[:, :, ~HELD]).all())


def test_the_network_sees_sigma_zero_on_held_frames():
    seen = []
    hold_frames(lambda x, sigma: seen.append(sigma) or x, HELD)(start(), torch.tensor([0.5, 0.25]))
    assert seen[0].tolist() == [[0, 0.5, 0.5, 0], [0, 0.25, 0.25, 0]]


def test_holding_nothing_is_the_velocity_itself():
    assert hold_frames(field, torch.zeros(4, dtype=torch.bool)) is field


def test_place_takes_only_the_held_frames():
    placed = place(start(), torch.zeros_like(start()), HELD)
    assert bool((placed[:, :, HELD] == 0).all()) and torch.equal(placed[:, :, ~HELD], start()[:, :, ~HELD])


@pytest.mark.wrong_shapes
def test_holding_every_frame_or_another_length_is_refused():
    with pytest.raises(InvalidInput, match="at least one free frame"):
        hold_frames(field, torch.ones(4, dtype=torch.bool))
    with pytest.raises(InvalidInput, match="held of 3 frames: the latents have 4"):
        hold_frames(field, HELD[:3])(start(), torch.ones(2))
    with pytest.raises(InvalidInput, match="held of 3 frames"):
        place(start(), start(), HELD[:3])
