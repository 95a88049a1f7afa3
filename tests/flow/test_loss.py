"""Laws of the flow-matching loss."""

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.flow.loss import velocity_loss


def pair(dtype=torch.float32):
    return torch.randn(2, 3, 4, 5, 2, 2, generator=torch.Generator().manual_seed(0)).to(dtype)


def test_it_is_the_mean_squared_error():
    predicted, target = pair()
    torch.testing.assert_close(velocity_loss(predicted, target), (predicted - target).square().mean())


def test_a_perfect_prediction_costs_nothing():
    assert velocity_loss(pair()[0], pair()[0]) == 0


def test_weights_scale_samples():
    predicted, target = pair()
    alone = torch.stack([velocity_loss(p[None], t[None]) for p, t in zip(predicted, target, strict=True)])
    weights = torch.tensor([0.0, 2.0, 0.5])
    torch.testing.assert_close(velocity_loss(predicted, target, weights=weights), (alone * weights).mean())


def test_held_frames_carry_no_error():
    predicted, target = pair()
    counted = torch.ones(3, 5, dtype=torch.bool)
    counted[:, 0] = False
    wrong = predicted.clone()
    wrong[:, :, 0] = 100
    left = velocity_loss(wrong, target, counted=counted)
    torch.testing.assert_close(left, velocity_loss(predicted[:, :, 1:], target[:, :, 1:]))


def test_no_counted_frame_adds_nothing():
    predicted, target = pair()
    assert velocity_loss(predicted, target, counted=torch.zeros(3, 5, dtype=torch.bool)) == 0


def test_every_learned_cell_of_every_bucket_weighs_the_same():
    predicted, target = pair(torch.float64)
    buckets = [(predicted[:n, :, :t], target[:n, :, :t]) for n, t in ((3, 1), (1, 3), (2, 5))]
    parts = [velocity_loss(p, t, num_cells=20).double() * 20 for p, t in buckets]
    errors = torch.cat([(p - t).square().mean(1).flatten() for p, t in buckets])
    torch.testing.assert_close(sum(parts), errors.sum(), rtol=1e-5, atol=0)


def test_cells_of_held_frames_weigh_nothing():
    predicted, target = pair()
    counted = torch.ones(3, 5, dtype=torch.bool)
    counted[1, :3] = False
    left = velocity_loss(predicted, target, counted=counted, num_cells=20) * 20
    errors = (predicted - target).square().mean(1)
    torch.testing.assert_close(left, (errors * counted[:, :, None, None]).sum())


def test_the_sum_is_float32_even_for_bf16_predictions():
    predicted, target = pair(torch.bfloat16)
    loss = velocity_loss(predicted, target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, velocity_loss(predicted.float(), target.float()))


@pytest.mark.wrong_shapes
def test_other_shapes_are_refused():
    with pytest.raises(InvalidInput, match="must have one shape"):
        velocity_loss(pair()[0], pair()[0][:1])
