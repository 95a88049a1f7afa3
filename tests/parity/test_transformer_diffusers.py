"""The transformer against diffusers', the same random weights in both."""

from dataclasses import replace

import pytest
import torch

from tests.transformer.networks import TINY, conditions, latents, network

pytest.importorskip("diffusers")

from tests.parity.peer_transformer import peer_of, peer_velocity, relative_error  # noqa: E402

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]  # the peer warns

TOLERANCE = 1e-5  # of the output's standard deviation: float32 over four blocks (measured 2e-6); the goal is 2e-4
SIGMA = torch.tensor([0.9, 0.25])


@pytest.mark.parametrize("lengths", [(7, 4), (5, 5), (16, 1)])
@torch.no_grad()
def test_velocity_with_a_padded_prompt_is_the_peers(lengths):
    model, given = network(), conditions(lengths, padded_to=16)
    expected = peer_velocity(peer_of(model), latents(), sigma=SIGMA, conditions=given)
    assert relative_error(model(latents(), SIGMA, given), expected) < TOLERANCE


@torch.no_grad()
def test_velocity_without_guidance_is_the_peers():
    model = network(replace(TINY, has_guidance=False))
    given = replace(conditions(), guidance=None)
    expected = peer_velocity(peer_of(model), latents(), sigma=SIGMA, conditions=given)
    assert relative_error(model(latents(), SIGMA, given), expected) < TOLERANCE


@torch.no_grad()
def test_a_held_first_frame_is_the_peers_replaced_tokens():
    model, given = network(), conditions(padded_to=9)
    peer = peer_of(model, image_condition_type="token_replace")
    held = SIGMA[:, None].repeat(1, 3)
    held[:, 0] = 0
    expected = peer_velocity(peer, latents(), sigma=SIGMA, conditions=given)
    assert relative_error(model(latents(), held, given), expected) < TOLERANCE
    assert relative_error(model(latents(), SIGMA, given), expected) > 0.1


@torch.no_grad()
def test_more_input_channels_are_the_peers():
    """The image-to-video variant that concatenates 17 channels."""
    model = network(replace(TINY, in_channels=33, out_channels=16, hidden_size=64, rope_axes_dim=(8, 12, 12)))
    x = torch.randn(2, 33, 3, 4, 6, generator=torch.Generator().manual_seed(3))
    expected = peer_velocity(peer_of(model), x, sigma=SIGMA, conditions=conditions())
    assert relative_error(model(x, SIGMA, conditions()), expected) < TOLERANCE
