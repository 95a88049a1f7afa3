"""The critic: it judges films and pictures, one by one, and can learn to tell."""

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.vae.discriminator import AdversaryConfig, PatchDiscriminator, critic_hinge, generator_hinge
from tests.vae.small import clip

CONFIG = AdversaryConfig(channels=(8, 16), norm_groups=4)


def critic() -> PatchDiscriminator:
    torch.manual_seed(0)
    return PatchDiscriminator(CONFIG)


@pytest.mark.parametrize(("frames", "verdicts"), [(1, 1), (5, 3), (9, 5)])
def test_it_judges_patches_of_films_and_pictures(frames: int, verdicts: int) -> None:
    assert critic()(clip(frames, 16, 24)).shape == (1, 1, verdicts, 4, 6)


def test_a_verdict_does_not_depend_on_the_rest_of_the_batch() -> None:
    pair, network = clip(5, batch=2), critic()
    torch.testing.assert_close(network(pair)[:1], network(pair[:1]), rtol=1e-4, atol=1e-5)  # other summation orders


def test_confident_verdicts_cost_nothing() -> None:
    sure = torch.full((1, 1, 1, 2, 2), 1.0)
    assert float(critic_hinge(sure, -sure)) == 0.0
    assert float(critic_hinge(-sure, sure)) == 2.0
    assert float(generator_hinge(sure)) == -1.0


def test_it_learns_to_tell_flat_from_textured() -> None:
    network, real = critic(), clip(5, 8, 8, batch=2)
    fake = clip(5, 8, 8, batch=2, seed=1).mean(dim=(3, 4), keepdim=True).expand_as(real)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(20):
        optimizer.zero_grad()
        critic_hinge(network(real), network(fake)).backward()
        optimizer.step()
    with torch.no_grad():
        assert float(network(real).mean()) > 0.5 > -0.5 > float(network(fake).mean())


def test_the_term_grows_from_the_start_step_over_the_ramp() -> None:
    config = AdversaryConfig(start_step=10, ramp_steps=4)
    assert [config.ramp(step) for step in (0, 9, 10, 11, 13, 99)] == [0.0, 0.0, 0.25, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("changes", [{"channels": ()}, {"channels": (12,)}, {"start_step": -1}, {"ramp_steps": -1}])
def test_impossible_settings_are_refused(changes: dict) -> None:
    with pytest.raises(InvalidInput):
        AdversaryConfig(**changes)
