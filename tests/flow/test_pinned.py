"""Known cells beside cells that are made."""

import pytest
import torch

from muybridge.flow.path import interpolate, velocity
from muybridge.flow.pinned import pin_cells
from muybridge.flow.samplers import SAMPLERS
from muybridge.flow.timesteps import inference_sigmas

GENERATOR = torch.Generator().manual_seed(0)
GIVEN, NOISE = (torch.randn(2, 3, 2, 4, 4, generator=GENERATOR, dtype=torch.float64) for _ in range(2))
MADE = torch.rand(2, 2, 4, 4, generator=GENERATOR) < 0.5
KNOWN = ~MADE[:, None].expand_as(GIVEN)


def wild(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """A field that would take the known cells anywhere."""
    return torch.sin(5 * x) + sigma.to(x).reshape(-1, 1, 1, 1, 1)


@pytest.mark.parametrize("strength", [1.0, 0.4])
@pytest.mark.parametrize("name", SAMPLERS)
def test_known_cells_land_on_what_was_given_from_any_level(name, strength):
    sigmas = inference_sigmas(7, shift=5.0, strength=strength).double()
    start = interpolate(GIVEN, NOISE, sigmas[:1].expand(2))
    pinned = pin_cells(wild, MADE, path=velocity(GIVEN, NOISE))
    end = SAMPLERS[name](pinned, start, sigmas)
    torch.testing.assert_close(end[KNOWN], GIVEN[KNOWN], rtol=0, atol=1e-12)  # float64 rounding
    assert (end - GIVEN)[~KNOWN].abs().mean() > 0.1


def test_known_cells_are_as_noisy_as_the_level_says_all_along():
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def watched(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        seen.append((x, sigma))
        return wild(x, sigma)

    pinned = pin_cells(watched, MADE, path=velocity(GIVEN, NOISE))
    SAMPLERS["euler"](pinned, NOISE, inference_sigmas(5, shift=3.0).double())
    for x, sigma in seen:
        torch.testing.assert_close(x[KNOWN], interpolate(GIVEN, NOISE, sigma)[KNOWN], rtol=0, atol=1e-12)


def test_made_cells_move_as_if_alone():
    pinned = pin_cells(wild, MADE, path=velocity(GIVEN, NOISE))
    moved, sigma = pinned(NOISE, torch.ones(2)), torch.ones(2)
    assert torch.equal(moved[~KNOWN], wild(NOISE, sigma)[~KNOWN])
