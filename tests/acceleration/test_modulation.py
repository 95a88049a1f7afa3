"""Tables in the place of modulation: the same bits, a quarter of the weights away, everything back afterwards."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from muybridge.acceleration.modulation import evicted_modulation, modulations, moved_without_modulation
from muybridge.acceleration.quantise import quantise
from muybridge.acceleration.stream import host_sources, stream_blocks
from muybridge.flow.evaluations import evaluations
from muybridge.flow.held import hold_frames
from muybridge.flow.samplers import SAMPLERS, sampler
from muybridge.flow.timesteps import inference_sigmas
from muybridge.ops.adapted import Adapted, Dial
from muybridge.ops.lora import Delta, LowRank
from muybridge.transformer import Conditions, Transformer, TransformerConfig
from muybridge.transformer.cost import modulation_parameters
from tests.transformer.networks import TINY, TINY_15, conditions, latents, network

RESIDENT = 0.735  # of the released weights: 26.7 % are modulation
PER_FRAME = torch.tensor([[0.0, 0.5, 0.9], [0.0, 0.5, 0.5]])


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


def test_the_released_network_keeps_at_most_735_thousandths_of_its_weights():
    config = TransformerConfig()
    with torch.device("meta"):
        model = Transformer(config)
        given = Conditions(text=torch.empty(1, 8, 4096), pooled=torch.empty(1, 768), guidance=torch.empty(1))
    whole = sum(parameter.nbytes for parameter in model.parameters())
    with evicted_modulation(model, [given], [(1, torch.tensor([0.5]))]):
        kept = sum(parameter.nbytes for parameter in model.parameters())
    assert kept <= RESIDENT * whole
    assert whole - kept == 4 * modulation_parameters(config)
    assert sum(parameter.nbytes for parameter in model.parameters()) == whole


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("sigma", [torch.tensor([0.9, 0.25]), PER_FRAME], ids=["clip", "frames"])
def test_the_output_is_the_same_to_the_bit(dtype, sigma):
    model, given = network().to(dtype), [conditions(), conditions((3, 7))]
    levels = [sigma, sigma * 0.5, torch.full((2,), 0.3)]
    expected = [[model(latents(), level, each) for level in levels] for each in given]
    with evicted_modulation(model, given, [(1, level) for level in levels]) as (velocities, _):
        for velocity, outputs in zip(velocities, expected, strict=True):
            for level, output in reversed(list(zip(levels, outputs, strict=True))):
                assert torch.equal(velocity(latents(), level), output)


def test_more_frames_than_rows_are_made_together():
    model, x = network(), latents(1, grid=(40, 2, 4))
    sigma = torch.linspace(0, 1, 40)[None]
    expected = model(x, sigma, conditions((7,)))
    with evicted_modulation(model, [conditions((7,))], [(1, sigma)]) as (velocities, _):
        assert torch.equal(velocities[0](x, sigma), expected)


def test_hunyuanvideo_15_has_its_tables_too():
    model, x = network(TINY_15), torch.randn(1, 9, 3, 4, 6)
    given = replace(conditions((7,)), pooled=None, guidance=None)
    sigma = torch.tensor([0.4])
    expected = model(x, sigma, given)
    with evicted_modulation(model, [given], [(1, sigma)]) as (velocities, _):
        assert torch.equal(velocities[0](x, sigma), expected)


def test_the_network_comes_back_as_it_was():
    model = network()
    state, modules = {key: tensor.clone() for key, tensor in model.state_dict().items()}, modulations(model)
    expected = model(latents(), PER_FRAME, conditions())
    with (
        pytest.raises(ZeroDivisionError),
        evicted_modulation(model, [conditions()], [(1, PER_FRAME)]),
    ):
        assert not modulations(model) and len(model.state_dict()) == len(state) - 2 * len(modules)
        raise ZeroDivisionError
    assert modulations(model) == modules
    assert all(torch.equal(model.state_dict()[key], tensor) for key, tensor in state.items())
    assert torch.equal(model(latents(), PER_FRAME, conditions()), expected)


def test_what_was_not_said_beforehand_is_our_own_mistake():
    with evicted_modulation(network(), [conditions()], [(1, torch.tensor([0.5, 0.5]))]) as (velocities, _):
        with pytest.raises(AssertionError, match="not made beforehand"):
            velocities[0](latents(), torch.tensor([0.5, 0.25]))


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("held", [(False, False, False), (True, False, False)], ids=["free", "held"])
def test_every_sampler_asks_for_what_it_said(name, held):
    model, given, mask = network(), conditions((7,)), torch.tensor(held)
    sigmas, solve = inference_sigmas(3, shift=5.0), sampler(name)
    asked: list[tuple[int, Tensor]] = []
    for each in evaluations(solve, sigmas):
        hold_frames(lambda x, sigma, step=each.step: asked.append((step, sigma)) or x, mask)(
            torch.zeros(1, 1, 3, 1, 1), torch.tensor([each.sigma])
        )
    expected = solve(hold_frames(lambda x, sigma: model(x, sigma, given), mask), latents(1), sigmas)
    with evicted_modulation(model, [given], asked) as (velocities, _):
        assert torch.equal(solve(hold_frames(velocities[0], mask), latents(1), sigmas), expected)


def lora_on(model: Transformer, names: Sequence[str]) -> Callable[[int], None]:
    """A change of these layers that acts in the second step alone."""
    dial, generator = Dial(0.0), torch.Generator().manual_seed(3)
    for name in names:
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        down = torch.randn(2, layer.in_features, generator=generator)
        up = torch.randn(layer.out_features, 2, generator=generator)
        adapted = Adapted(layer)
        adapted.add(Delta(LowRank(down, up)), dial)
        model.set_submodule(name, adapted)

    def at_step(step: int) -> None:
        dial.strength = 1.0 if step == 2 else 0.0

    return at_step


def test_a_lora_of_some_steps_is_in_the_rows_of_these_steps():
    model, level = network(TINY), torch.tensor([0.9, 0.25])
    layers = ["double_blocks.0.img_mod.linear", "single_blocks.1.modulation.linear", "time_in.mlp.0"]
    at_step = lora_on(model, layers)
    expected = []
    for step in (1, 2, 3):
        at_step(step)
        expected.append(model(latents(), level, conditions()))
    assert torch.equal(expected[0], expected[2]) and not torch.equal(expected[0], expected[1])
    asked = [(step, level) for step in (1, 2, 3)]
    with evicted_modulation(model, [conditions()], asked, at_step=at_step) as (velocities, to_step):
        for step in (1, 2, 3):
            to_step(step)
            assert torch.equal(velocities[0](latents(), level), expected[step - 1])


def test_moving_leaves_modulation_where_it_is():
    model = network(TINY)
    moved_without_modulation(model, torch.device("meta"))
    assert model.device.type == "meta"
    away = {name for name, parameter in model.named_parameters() if not parameter.is_meta}
    assert away == {f"{name}.{key}" for name, each in modulations(model).items() for key in each.state_dict()}


def test_what_is_streamed_comes_for_its_rows_and_stays_away():
    model, level = network(), torch.tensor([0.9, 0.25])
    expected = model(latents(), level, conditions())
    stream = stream_blocks(model, host_sources(model, device=torch.device("cpu")), device=torch.device("cpu"))
    with evicted_modulation(model, [conditions()], [(1, level)]) as (velocities, _):
        assert torch.equal(velocities[0](latents(), level), expected)
    assert torch.equal(model(latents(), level, conditions()), expected)
    stream.release()


def test_quantised_blocks_have_tables_of_the_same_bits():
    model, level = network(replace(TINY, hidden_size=64, rope_axes_dim=(8, 12, 12))), torch.tensor([0.9, 0.25])
    quantise(model, "int8")
    expected = model(latents(), level, conditions())
    with evicted_modulation(model, [conditions()], [(1, level)]) as (velocities, _):
        assert torch.equal(velocities[0](latents(), level), expected)
