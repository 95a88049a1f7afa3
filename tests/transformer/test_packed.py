"""Clips of different sizes in one pass: each as if it were alone."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from muybridge.acceleration.attention import use_attention
from muybridge.acceleration.modulation import Tables
from muybridge.acceleration.quantise import quantise
from muybridge.acceleration.stream import host_sources, stream_blocks
from muybridge.core.errors import InvalidInput
from muybridge.ops.adapted import Adapted, Dial, Dials
from muybridge.ops.lora import Delta, LowRank
from muybridge.transformer import Transformer
from muybridge.transformer.packed import Clip, PackedTransformer, rows_of_layer
from tests.transformer.networks import TINY_15, conditions, latents, network

ROUNDING = 1e-5  # of values around 5; on a CPU clips of a dozen tokens and more agree to the bit


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


def clip(grid: tuple[int, int, int], sigma: float | list[float], num_words: int, seed: int) -> Clip:
    given = replace(conditions((num_words,), padded_to=num_words + seed), guidance=torch.tensor([float(seed)]))
    return Clip(latents=latents(1, grid=grid, seed=seed), sigma=torch.tensor([sigma]), conditions=given)


CLIPS = (
    clip((3, 4, 6), 0.7, 7, 1),
    clip((1, 2, 2), 0.3, 4, 2),  # a picture of one token
    clip((2, 8, 4), [0.0, 0.9], 5, 3),  # a held frame
    clip((5, 6, 6), 1.0, 12, 4),
)


def alone(model: Transformer, each: Clip) -> torch.Tensor:
    return model(each.latents, each.sigma, each.conditions)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1), (2,), (0, 3)])
def test_every_clip_is_as_alone(order):
    model = network()
    made = PackedTransformer(model)([CLIPS[i] for i in order])
    for i, velocity in zip(order, made, strict=True):
        torch.testing.assert_close(velocity, alone(model, CLIPS[i]), rtol=0, atol=ROUNDING)


def test_films_of_a_dozen_tokens_and_more_agree_to_the_bit_on_a_cpu():
    model, films = network(), [CLIPS[0], CLIPS[2], CLIPS[3]]
    for each, velocity in zip(films, PackedTransformer(model)(films), strict=True):
        if each.latents.shape[2:].numel() >= 4 * 12:  # patches of four
            assert torch.equal(velocity, alone(model, each))


def test_pieces_of_a_long_sequence_make_no_difference():
    model = network()
    expected = [alone(model, each) for each in CLIPS]
    model.chunk_tokens = 16
    for velocity, one in zip(PackedTransformer(model)(CLIPS), expected, strict=True):
        torch.testing.assert_close(velocity, one, rtol=0, atol=ROUNDING)


def test_hunyuanvideo_15_with_and_without_glyphs():
    model = network(TINY_15)
    plain = replace(conditions((7,)), pooled=None, guidance=None)
    words = replace(plain, text=plain.text * 0.5, glyphs=torch.randn(1, 3, 8))
    clips = [
        Clip(latents=torch.randn(1, 9, *grid), sigma=torch.tensor([0.4]), conditions=given)
        for grid, given in (((1, 4, 6), plain), ((3, 2, 4), words), ((2, 3, 4), plain))
    ]
    for each, velocity in zip(clips, PackedTransformer(model)(clips), strict=True):
        torch.testing.assert_close(velocity, alone(model, each), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("scheme", ["int8", "int8-weights"])
def test_quantised_blocks(scheme):
    model = network()
    quantise(model, scheme)
    for each, velocity in zip(CLIPS, PackedTransformer(model)(CLIPS), strict=True):
        torch.testing.assert_close(velocity, alone(model, each), rtol=0, atol=ROUNDING)


def test_an_attention_by_a_pattern_sees_each_clips_own_grid():
    model = network()
    use_attention(model, "sliding-tile:1x1x1")
    for each, velocity in zip(CLIPS, PackedTransformer(model)(CLIPS), strict=True):
        torch.testing.assert_close(velocity, alone(model, each), rtol=0, atol=ROUNDING)


def test_streamed_blocks_come_once_for_all_clips():
    model = network()
    expected = [alone(model, each) for each in CLIPS]
    stream_blocks(model, host_sources(model, device=torch.device("cpu")), device=torch.device("cpu"))
    calls = []
    model.double_blocks[0].register_forward_hook(lambda *_: calls.append(1))
    for velocity, one in zip(PackedTransformer(model)(CLIPS), expected, strict=True):
        torch.testing.assert_close(velocity, one, rtol=0, atol=ROUNDING)
    assert len(calls) == 1


def test_tables_stand_in_for_modulation():
    model = network()
    expected = [alone(model, each) for each in CLIPS]
    tables = Tables(model)
    runs = [tables.add([each.conditions], [(1, each.sigma)]) for each in CLIPS]
    with tables:
        tables.turn_to([run.row(0, each.sigma) for run, each in zip(runs, CLIPS, strict=True)])
        made = PackedTransformer(model)(CLIPS)
    for velocity, one in zip(made, expected, strict=True):
        torch.testing.assert_close(velocity, one, rtol=0, atol=ROUNDING)


def test_changes_of_layers_differ_from_clip_to_clip():
    """Each clip has one, another, both or none, at its own strength, wherever in the network a layer is."""
    model = network()
    first, second = Dial(0.0), Dial(0.0)
    for dial, seed in ((first, 5), (second, 6)):
        generator = torch.Generator().manual_seed(seed)
        for name, layer in [(n, m.base if isinstance(m, Adapted) else m) for n, m in model.named_modules()]:
            if isinstance(layer, nn.Linear) and "mod" not in name and ".base" not in name:
                found = model.get_submodule(name)
                adapted = found if isinstance(found, Adapted) else Adapted(layer, sees=rows_of_layer(name))
                down = torch.randn(2, layer.in_features, generator=generator) * 0.1
                adapted.add(Delta(LowRank(down, torch.randn(layer.out_features, 2, generator=generator))), dial)
                model.set_submodule(name, adapted)
    dials = Dials()
    acting = [((first, 1.0),), (), ((first, -0.5), (second, 2.0)), ((second, 1.0),)]
    clips = [replace(each, adapters=own) for each, own in zip(CLIPS, acting, strict=True)]
    made = PackedTransformer(model, adapters=dials)(clips)
    outputs = []
    for each in clips:
        dials.turn_to(each.adapters)
        outputs.append(alone(model, each))
    dials.rest()
    for i, (velocity, one) in enumerate(zip(made, outputs, strict=True)):
        torch.testing.assert_close(velocity, one, rtol=1e-5, atol=1e-4)
        assert bool((one - alone(model, clips[i])).abs().max() > 0.1) == bool(acting[i])


def test_a_clip_that_does_not_fit_the_network_is_refused():
    wrong = replace(CLIPS[0], latents=CLIPS[0].latents[:, :3])
    with pytest.raises(InvalidInput, match="latents"):
        PackedTransformer(network())([CLIPS[1], wrong])
