from dataclasses import replace

import pytest
import torch
from torch import nn

from muybridge.acceleration.caches.first_block import first_block_cache
from muybridge.acceleration.caches.magcache import magcache
from muybridge.acceleration.caches.teacache import teacache
from muybridge.flow.guidance import classifier_free
from muybridge.flow.samplers import Velocity, euler
from muybridge.flow.timesteps import inference_sigmas
from muybridge.transformer import Transformer
from tests.transformer.networks import TINY, conditions, latents, network, sample

STEPS = 6
SIGMAS = inference_sigmas(STEPS, shift=3.0)
RATIOS = (1.0, 0.5, 0.9, 0.8, 0.7)
CACHES = {
    "TeaCache": lambda net, threshold: teacache(net, threshold=threshold, polynomial=(1.0, 0.0), num_evaluations=STEPS),
    "MagCache": lambda net, threshold: magcache(net, threshold=threshold, ratios=RATIOS, num_evaluations=STEPS),
    "first block": lambda net, threshold: first_block_cache(net, threshold=threshold),
}
NEVER_SKIPS, SOMETIMES, ALWAYS_SKIPS = 0.0, 0.6, 1e9


def _guided(net: Transformer, given) -> Velocity:
    other = replace(given, pooled=-given.pooled)
    return classifier_free(lambda x, s: net(x, s, given), lambda x, s: net(x, s, other), 2.0)


@torch.inference_mode()
def _made(cache: str, threshold: float, *, net=None, given=None, x=None) -> tuple[torch.Tensor, int]:
    net, given, x = net or network(), given or conditions(), latents() if x is None else x
    with CACHES[cache](net, threshold) as gate:
        return euler(gate.around(_guided(net, given)), x, SIGMAS), gate.num_computed


@pytest.mark.parametrize("cache", CACHES)
def test_a_gate_that_never_closes_changes_nothing(cache):
    found, num_computed = _made(cache, NEVER_SKIPS)
    with torch.inference_mode():
        dense = euler(_guided(network(), conditions()), latents(), SIGMAS)
    torch.testing.assert_close(found, dense, rtol=0, atol=0)
    assert num_computed == STEPS


@pytest.mark.parametrize("cache", CACHES)
def test_blocks_are_left_out_and_put_back(cache):
    net = network()
    names, blocks = list(net.state_dict()), list(net.blocks())
    calls = []
    blocks[-1].register_forward_hook(lambda *_: calls.append(1))
    _, num_computed = _made(cache, ALWAYS_SKIPS, net=net)
    assert num_computed == {"TeaCache": 2, "MagCache": 2, "first block": 1}[cache]  # its last one too; a fifth of 5
    assert len(calls) == 2 * num_computed  # both halves of the guidance, together
    assert list(net.state_dict()) == names
    assert list(net.blocks()) == blocks


@pytest.mark.parametrize("cache", CACHES)
def test_a_film_does_not_depend_on_its_neighbours(cache):
    together, _ = _made(cache, SOMETIMES)
    for index in range(2):
        alone, num_computed = _made(cache, SOMETIMES, given=sample(conditions(), index), x=latents()[index : index + 1])
        assert 1 < num_computed < STEPS
        torch.testing.assert_close(together[index : index + 1], alone, rtol=0, atol=2e-4)  # kernels round by size


def test_a_network_of_double_blocks_alone_has_a_gate_too():
    config = replace(TINY, num_single_blocks=0)
    dense, _ = _made("TeaCache", NEVER_SKIPS, net=network(config))
    cached, num_computed = _made("TeaCache", ALWAYS_SKIPS, net=network(config))
    assert num_computed == 2
    assert isinstance(network(config).single_blocks, nn.ModuleList)
    assert not torch.equal(dense, cached)
