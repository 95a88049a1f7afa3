"""Attention that is set from outside reaches every block, and the grid reaches it."""

import pytest
import torch

from muybridge.acceleration.attention import set_attention, use_attention
from muybridge.core.errors import InvalidInput
from muybridge.ops.attention import attend
from muybridge.transformer import Transformer
from tests.transformer.networks import TINY_15, conditions, latents, network

SIGMA = torch.tensor([0.7, 0.4])


@torch.no_grad()
def velocity(model: Transformer, sigma: torch.Tensor = SIGMA) -> torch.Tensor:
    return model(latents(), sigma, conditions())


@pytest.mark.parametrize("name", ["torch", "math", "reference", "sliding-tile:9x9x9", "radial:99"])
def test_an_exact_attention_changes_rounding_alone(name):
    model = network()
    before = velocity(model)
    use_attention(model, name)
    torch.testing.assert_close(velocity(model), before, rtol=0, atol=2e-5)
    use_attention(model, "auto")
    assert torch.equal(velocity(model), before)


def test_every_block_calls_it_with_the_grid_and_the_lengths():
    model, seen = network(), []

    def spy(query, key, value, *, lengths=None, grid=None):
        seen.append((lengths, grid))
        return attend(query, key, value, lengths=lengths)

    set_attention(model, spy)
    velocity(model)
    num_visual = 3 * 2 * 3
    assert seen == [([num_visual + 7, num_visual + 4], (3, 2, 3))] * 4


def test_a_pattern_leaves_something_out_also_where_frames_are_held():
    model = network()
    sigma = torch.tensor([[0.0, 0.7, 0.7], [0.4, 0.4, 0.4]])
    before = velocity(model, sigma)
    use_attention(model, "sliding-tile:1x1x1,tile=1x2x2,first-frame")
    after = velocity(model, sigma)
    assert after.isfinite().all() and not torch.allclose(before, after, atol=1e-3)


def test_it_leaves_the_state_dict_alone():
    model = network(TINY_15)
    before = list(model.state_dict())
    use_attention(model, "sliding-tile")
    assert list(model.state_dict()) == before


def test_an_unknown_name_is_refused_before_anything_is_set():
    model = network()
    with pytest.raises(InvalidInput, match="attention=quick"):
        use_attention(model, "quick")
    assert all(block.attention is attend for block in model.blocks())
