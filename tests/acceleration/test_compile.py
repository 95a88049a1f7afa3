"""One compilation for all sizes, prompts and adapters; the same velocity."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from muybridge.acceleration.attention import use_attention
from muybridge.acceleration.compile import compile_blocks
from muybridge.acceleration.modulation import evicted_modulation
from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.ops.adapted import Adapted, Dial
from muybridge.ops.lora import Delta, LowRank
from muybridge.transformer import Transformer
from tests.transformer.networks import conditions, latents, network

pytestmark = [pytest.mark.compile, pytest.mark.slow]  # tracing goes through the wrappers that check shapes

NUM_GRAPHS = 6  # make_heads and finish: of both streams of a double block, and of a single block
SIGMA = torch.tensor([0.7, 0.4])


class Counter:
    """A backend that compiles nothing and counts the graphs."""

    def __init__(self) -> None:
        self.num_graphs = 0

    def __call__(self, graph: torch.fx.GraphModule, _inputs: list[Any]) -> Callable[..., Any]:
        self.num_graphs += 1
        return graph.forward


@pytest.fixture
def counted() -> tuple[Transformer, Transformer, Counter]:
    """A compiled network, its uncompiled twin, and what counts."""
    torch._dynamo.reset()
    model, counter = network(), Counter()
    compile_blocks(model, backend=counter)
    return model, network(), counter


def check(model: Transformer, twin: Transformer, *given: Any) -> None:
    with torch.inference_mode():
        torch.testing.assert_close(model(*given), twin(*given), rtol=0, atol=2e-5)


def test_sizes_and_prompts_compile_nothing_more(counted):
    model, twin, counter = counted
    for grid in ((3, 4, 6), (5, 4, 4), (2, 6, 8)):
        for num_text in (7, 9):
            check(model, twin, latents(1, grid=grid), SIGMA[:1], conditions((num_text,), padded_to=9))
    assert counter.num_graphs == NUM_GRAPHS


def test_another_attention_compiles_nothing_more(counted):
    model, twin, counter = counted
    for name in ("auto", "math", "sliding-tile:1x1x1,tile=2x2x2"):
        use_attention(model, name)
        use_attention(twin, name)
        check(model, twin, latents(1), SIGMA[:1], conditions((7,)))
    assert counter.num_graphs == NUM_GRAPHS


def test_pieces_and_tables_of_modulation_compile_nothing_more(counted):
    model, twin, counter = counted
    given = latents(1), SIGMA[:1], conditions((7,))
    check(model, twin, *given)
    model.chunk_tokens = 7  # 18 visual tokens and the text: several pieces of both
    check(model, twin, *given)
    with torch.inference_mode():
        expected = twin(*given)
        with evicted_modulation(model, [given[2]], [(1, given[1])]) as ((velocity,), _):
            torch.testing.assert_close(velocity(*given[:2]), expected, rtol=0, atol=2e-5)
    assert counter.num_graphs == NUM_GRAPHS


def test_batches_and_held_frames_compile_once_each(counted):
    model, twin, counter = counted
    for grid in ((3, 4, 6), (4, 4, 4)):
        check(model, twin, latents(grid=grid), SIGMA, conditions((7, 4)))
    assert counter.num_graphs == NUM_GRAPHS
    held = torch.tensor([0.0, 0.7, 0.7, 0.7]).expand(2, 4)
    check(model, twin, latents(grid=(4, 4, 4)), held, conditions((7, 4)))
    after = counter.num_graphs
    check(model, twin, latents(grid=(3, 4, 6)), held[:, :3], conditions((7, 4)))
    assert after <= 2 * NUM_GRAPHS and counter.num_graphs == after


def adapt(model: Transformer, *, rank: int, seed: int) -> Dial:
    """One low-rank change, beside a layer of each block, in the place of the one before."""
    generator, dial = torch.Generator().manual_seed(seed), Dial(1.0)
    for block in model.blocks():
        name = "linear1" if hasattr(block, "linear1") else "img_mlp.fc1"
        layer = block.get_submodule(name)
        if not isinstance(layer, Adapted):
            layer = Adapted(layer)
            block.set_submodule(name, layer)
        for old in list(layer.dials):
            layer.remove(old)
        rows, columns = layer.weight.shape
        factors = torch.randn(rank, columns, generator=generator), torch.randn(rows, rank, generator=generator)
        layer.add(Delta(LowRank(*factors), scale=0.1), dial)
    return dial


def test_a_lora_of_a_rank_seen_before_compiles_nothing_more(counted):
    model, twin, counter = counted
    given = latents(1), SIGMA[:1], conditions((7,))
    numbers = []
    for rank in (4, 4, 8, 4):
        dials = [adapt(each, rank=rank, seed=rank) for each in (model, twin)]
        check(model, twin, *given)
        for dial in dials:
            dial.strength = 0.3
        check(model, twin, *given)
        numbers.append(counter.num_graphs)
    assert numbers == [NUM_GRAPHS, NUM_GRAPHS, NUM_GRAPHS + 3, NUM_GRAPHS + 3]  # three halves have an adapted layer


@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated")  # torch's own, when it is imported
def test_compiled_code_gives_the_same_velocity():
    torch._dynamo.reset()
    model, twin = network(), network()
    compile_blocks(model)
    for num_text in (7, 5):
        check(model, twin, latents(1), SIGMA[:1], conditions((num_text,)))


def test_recording_gradients_goes_the_plain_way(counted):
    model, twin, counter = counted
    given = latents(1), SIGMA[:1], conditions((7,))
    for each in (model, twin):
        each(*given).square().sum().backward()
    for (name, own), their in zip(model.named_parameters(), twin.parameters(), strict=True):
        assert torch.equal(own.grad, their.grad), name
    assert counter.num_graphs == 0


def test_a_machine_without_a_compiler_is_refused_in_one_line(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InvalidInput, match=r"compile: needs a C\+\+ compiler \(g\+\+.*\); install one"):
        compile_blocks(network())


def test_a_compiler_that_fails_is_reported_in_one_line():
    def broken(graph: torch.fx.GraphModule, _inputs: list[Any]) -> Callable[..., Any]:
        raise RuntimeError("internal compiler error\nand much more")

    torch._dynamo.reset()
    model = network()
    compile_blocks(model, backend=broken)
    with (
        pytest.raises(RunFailed, match="compile: .*internal compiler error; run without it") as raised,
        torch.no_grad(),
    ):
        model(latents(1), SIGMA[:1], conditions((7,)))
    assert "\n" not in str(raised.value)
