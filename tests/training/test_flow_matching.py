"""The flow task: its draws are those of the whole step however it is split, and held frames are given, not learned."""

from dataclasses import replace

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.core.seeding import generator
from muybridge.data.cache import LatentBatch
from muybridge.flow.loss import velocity_loss
from muybridge.flow.path import interpolate, velocity
from muybridge.flow.timesteps import draw_sigmas
from muybridge.text.encoder import HashEncoder
from muybridge.training.tasks.flow_matching import FlowConfig, FlowTask, conditions_of
from muybridge.transformer import Transformer, TransformerConfig

TEXT = HashEncoder(text_dim=6, pooled_dim=6)
CLOSE = {"rtol": 1e-5, "atol": 1e-6}  # sums of float32 in another order


def model() -> Transformer:
    config = TransformerConfig(
        in_channels=4, out_channels=4, hidden_size=16, num_heads=2, num_double_blocks=1, num_single_blocks=1,
        num_refiner_blocks=1, rope_axes_dim=(2, 2, 4), rope_theta=16.0, text_dim=6, pooled_dim=6, has_guidance=False,
    )  # fmt: skip
    torch.manual_seed(0)
    network = Transformer(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.2, generator=generator(0, *parameter.shape))
    return network


class Rows:
    """Latents of one shape with random text, no files."""

    def __init__(self, shape: tuple[int, ...] = (4, 3, 4, 4)) -> None:
        self.shape = shape

    def batch(self, step: int, *, batch_size: int, seed: int) -> LatentBatch:
        draw = generator(seed, step, "rows")
        return LatentBatch(
            latents=torch.randn(batch_size, *self.shape, generator=draw),
            text=torch.randn(batch_size, 5, 6, generator=draw),
            text_mask=torch.arange(5) < torch.randint(2, 6, (batch_size, 1), generator=draw),
            pooled=torch.randn(batch_size, 6, generator=draw),
        )


def task(*, num_micro_batches: int = 1, **changes: object) -> FlowTask:
    held_out = (Rows().batch(0, batch_size=2, seed=1), Rows((4, 1, 4, 4)).batch(0, batch_size=1, seed=2))
    return FlowTask(
        cache=Rows(), held_out=held_out, empty=TEXT.encode([""], num_frames=1), config=replace(FlowConfig(), **changes),
        seed=3, num_micro_batches=num_micro_batches,
    )  # fmt: skip


def test_the_stream_of_earlier_runs_is_kept_bit_for_bit() -> None:
    """What a run draws may gain options, never change under a run that goes on."""
    network, flow = model(), task()
    draw, batch = generator(3, 7, "flow"), Rows().batch(7, batch_size=4, seed=3)
    is_image = bool(torch.rand((), generator=draw) < 0.1)
    latents = batch.latents[:, :, : 1 if is_image else None]
    is_dropped = torch.rand(4, generator=draw) < 0.1
    sigma = draw_sigmas(4, generator=draw, method="mix", shift=2.0)
    noise = torch.randn(latents.shape, generator=draw)
    predicted = network(interpolate(latents, noise, sigma), sigma, conditions_of(batch, flow.empty, is_dropped))
    assert torch.equal(flow.loss(network, 7, batch_size=4)[0], velocity_loss(predicted, velocity(latents, noise)))


@pytest.mark.parametrize("changes", [{}, {"held_share": 0.7}, {"held_share": 0.7, "loss_tokens": 72}])
def test_micro_batches_sum_to_the_large_batch(changes: dict[str, object]) -> None:
    network = model()
    whole, _ = task(**changes).loss(network, 5, batch_size=6)
    parts = task(num_micro_batches=3, **changes)
    losses = [parts.loss(network, 5, batch_size=2, micro=micro)[0] for micro in range(3)]
    torch.testing.assert_close(torch.stack(losses).mean(), whole, **CLOSE)
    assert len({float(loss.detach()) for loss in losses}) == 3
    torch.testing.assert_close(gradient(network, torch.stack(losses).mean()), gradient(network, whole), **CLOSE)


def gradient(network: Transformer, loss: torch.Tensor) -> torch.Tensor:
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True, materialize_grads=True)
    return torch.cat([item.flatten() for item in found])


def test_rows_that_do_not_split_are_refused() -> None:
    flow = task(num_micro_batches=4)
    drawn = replace(flow, cache=Uneven())
    with pytest.raises(InvalidInput, match="a batch of 6 rows"):
        drawn.loss(model(), 0, batch_size=1)


class Uneven(Rows):
    """A source that gives six rows whatever it is asked for."""

    def batch(self, step: int, *, batch_size: int, seed: int) -> LatentBatch:
        return super().batch(step, batch_size=6, seed=seed)


def test_held_frames_reach_the_network_clean_and_their_velocity_is_not_learned() -> None:
    flow = task(held_share=0.9, image_share=0.0)
    drawn = flow._draw(0, 16, patch_volume=4)
    assert bool(drawn.held.any(1).float().mean() > 0.6)
    sigma = drawn.sigma[:, None].masked_fill(drawn.held, 0.0)
    noisy = interpolate(drawn.latents, drawn.noise, sigma).transpose(1, 2)
    assert torch.equal(noisy[drawn.held], drawn.latents.transpose(1, 2)[drawn.held])
    other = replace(drawn, noise=torch.where(drawn.held[:, None, :, None, None], 9.0, drawn.noise))
    losses = []
    for given in (drawn, other):
        predicted = model()(interpolate(given.latents, given.noise, sigma), sigma, conditions_of(
            given.batch, flow.empty, given.is_dropped
        ))  # fmt: skip
        losses.append(velocity_loss(predicted, velocity(given.latents, given.noise), counted=~given.held))
    torch.testing.assert_close(losses[0], losses[1])


def test_fewer_tokens_see_less_noise() -> None:
    flow = task(shift_tokens=12, image_share=0.0)
    films, pictures = flow._draw(1, 64, patch_volume=4), replace(flow, cache=Rows((4, 1, 4, 4)))._draw(
        1, 64, patch_volume=4
    )  # fmt: skip
    plain = task(image_share=0.0)._draw(1, 64, patch_volume=4)
    assert torch.equal(films.sigma, plain.sigma)
    assert bool((pictures.sigma < films.sigma).all())


def test_validation_is_the_mean_over_samples_of_all_shapes_and_repeats_itself() -> None:
    network, flow = model(), task()
    figures = flow.validate(network)
    films, pictures = (replace(flow, held_out=(batch,)).validate(network) for batch in flow.held_out)
    assert figures == flow.validate(network)
    assert set(figures) == {"val", "val_0.1", "val_0.3", "val_0.5", "val_0.7", "val_0.9"}
    assert min(films["val"], pictures["val"]) < figures["val"] < 1.2 * max(films["val"], pictures["val"])
