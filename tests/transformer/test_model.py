"""The transformer's laws: structure, padding, noise levels per frame, dtypes, what it refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from muybridge.core.errors import InvalidInput
from muybridge.transformer import Conditions, Transformer, TransformerConfig
from muybridge.transformer.blocks import DoubleBlock, SingleBlock
from tests.transformer.networks import TINY, conditions, latents, network, sample

TOLERANCE = 1e-5  # of the output's standard deviation: float32 over four blocks
BFLOAT16_TOLERANCE = 0.15  # likewise: 8 bits of mantissa over four blocks
SIGMA = torch.tensor([0.9, 0.25])


@pytest.fixture(autouse=True)
def no_gradients(request: pytest.FixtureRequest) -> Iterator[None]:
    with torch.set_grad_enabled("gradient" in request.node.name):
        yield


def error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.double() - theirs.double()).abs().max() / theirs.double().std())


@contextmanager
def inputs_of(module: nn.Module) -> Iterator[list[tuple[tuple[Any, ...], dict[str, Any]]]]:
    """What the module is called with inside the block."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    hook = module.register_forward_pre_hook(lambda _, *given: calls.append(given), with_kwargs=True)
    yield calls
    hook.remove()


def test_the_default_network_is_the_released_one():
    with torch.device("meta"):
        model = Transformer(TransformerConfig())
    assert sum(parameter.numel() for parameter in model.parameters()) == 12_821_012_544
    assert len(model.state_dict()) == 856


def test_without_guidance_four_tensors_fewer():
    with torch.device("meta"):
        model = Transformer(TransformerConfig(has_guidance=False))
    assert sum(parameter.numel() for parameter in model.parameters()) == 12_810_782_784
    assert len(model.state_dict()) == 852


def test_a_forward_on_the_meta_device_has_the_shape_of_the_latents():
    with torch.device("meta"):
        given = Conditions(text=torch.empty(1, 5, 12), pooled=torch.empty(1, 10), guidance=torch.empty(1))
        x = torch.empty(1, 4, 3, 4, 6)
        assert Transformer(TINY)(x, torch.empty(1), given).shape == x.shape


def test_more_channels_in_than_out():
    config = replace(TINY, in_channels=9)
    x = torch.cat([latents(), latents(), latents()[:, :1]], 1)
    assert network(config)(x, SIGMA, conditions()).shape == latents().shape


def test_one_frame_is_an_image():
    x = latents(grid=(1, 4, 6))
    assert network()(x, SIGMA, conditions()).shape == x.shape


def test_blocks_are_the_double_then_the_single_ones():
    assert [type(block) for block in network().blocks()] == [DoubleBlock] * 2 + [SingleBlock] * 2


def test_padding_is_not_read():
    model, given = network(), conditions()
    spoilt = replace(given, text=given.text.masked_fill(~given.text_mask[..., None], float("nan")))
    assert torch.equal(model(latents(), SIGMA, spoilt), model(latents(), SIGMA, given))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_a_mask_of_ones_and_zeros_is_a_mask(dtype):
    given = conditions()
    assert given.text_mask is not None
    numbers = replace(given, text_mask=given.text_mask.to(dtype))
    assert torch.equal(network()(latents(), SIGMA, numbers), network()(latents(), SIGMA, given))


def test_the_amount_of_padding_never_changes_the_output():
    outputs = [network()(latents(), SIGMA, conditions(padded_to=length)) for length in (7, 16)]
    assert torch.equal(*outputs)


def test_every_valid_token_is_read():
    model, given = network(), conditions()
    expected = model(latents(), SIGMA, given)
    for token in range(4):
        text = given.text.clone()
        text[:, token] += 1
        changed = model(latents(), SIGMA, replace(given, text=text)) - expected
        assert (changed.abs().amax((1, 2, 3, 4)) > 1e-3).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("lengths", [(7, 4), (3, 16), (5, 5)])
@pytest.mark.parametrize("per_frame", [False, True])
@pytest.mark.parametrize("chunk_tokens", [None, 64])
def test_a_batch_is_its_samples_bit_for_bit(dtype, lengths, per_frame, chunk_tokens):
    """Also without the padding, and at 150 visual tokens, where bfloat16 attention runs in blocks."""
    model, given = network().to(dtype), conditions(lengths, padded_to=16)
    model.chunk_tokens = chunk_tokens
    x, sigma = latents(grid=(3, 10, 20)), torch.tensor([[0.0, 0.5, 0.9], [0.25, 0.0, 0.1]]) if per_frame else SIGMA
    batch = model(x, sigma, given)
    for i in range(2):
        assert torch.equal(model(x[i : i + 1], sigma[i : i + 1], sample(given, i)), batch[i : i + 1])


@pytest.mark.parametrize("sigma", [[0.9, 0.25], [1.0, 0.0]])
def test_equal_sigma_in_every_frame_is_the_sigma_of_the_clip(sigma):
    model, sigma = network(), torch.tensor(sigma)
    per_frame = model(latents(), sigma[:, None].expand(2, 3), conditions())
    assert error(per_frame, model(latents(), sigma, conditions())) < TOLERANCE


def test_each_frame_is_modulated_at_its_own_sigma():
    model, given = network(), conditions()
    sigma = torch.tensor([[0.0, 0.5, 0.9], [0.25, 0.0, 0.1]])
    with inputs_of(model.double_blocks[0]) as calls:
        model(latents(), sigma, given)
    signals = calls[0][1]["signals"]
    pooled = model.vector_in(given.pooled)
    guidance = model.guidance_in(given.guidance * 1000, dtype=torch.float32)
    for i in range(2):
        for frame in range(3):
            expected = model.time_in(sigma[i, frame] * 1000, dtype=torch.float32) + pooled[i]
            if sigma[i, frame] > 0:  # a held frame leaves the guidance out
                expected = expected + guidance[i]
            torch.testing.assert_close(signals.frames[i, frame], expected)
        clip = model.time_in(sigma[i].max() * 1000, dtype=torch.float32) + pooled[i] + guidance[i]
        torch.testing.assert_close(signals.clip[i, 0], clip)


def test_text_and_final_layer_take_the_clips_own_sigma():
    model = network()
    with inputs_of(model.txt_in) as text_calls, inputs_of(model.final_layer) as final_calls:
        model(latents(), torch.tensor([[0.0, 0.5, 0.9], [0.25, 0.0, 0.1]]), conditions())
        model(latents(), torch.tensor([0.9, 0.25]), conditions())
    torch.testing.assert_close(text_calls[0][0][1], torch.tensor([900.0, 250.0]))
    torch.testing.assert_close(text_calls[0][0][1], text_calls[1][0][1])
    torch.testing.assert_close(final_calls[0][0][1].clip, final_calls[1][0][1].clip)


def test_frames_are_modulated_apart():
    """With attention silenced, a frame's output depends on its own sigma only."""
    model = network()
    for name, parameter in model.named_parameters():
        if name.endswith(("attn_proj.weight", "attn_proj.bias")):
            parameter.zero_()
    for block in model.single_blocks:
        block.linear2.weight[:, : TINY.hidden_size] = 0
    outputs = [model(latents(1), torch.tensor([[0.9, s, 0.3]]), conditions((7,))) for s in (0.0, 0.5)]
    assert torch.equal(outputs[0][:, :, [0, 2]], outputs[1][:, :, [0, 2]])
    assert error(outputs[0][:, :, 1], outputs[1][:, :, 1]) > 0.1


@pytest.mark.parametrize("dtype, expected", [(torch.float32, 6000.0), (torch.bfloat16, 6016.0)])
def test_guidance_is_rounded_to_the_networks_dtype(dtype, expected):
    model = network().to(dtype)
    with inputs_of(model.guidance_in) as calls:
        model(latents(), SIGMA, conditions())
    assert float(calls[0][0][0][0]) == expected


def test_a_bfloat16_network_follows_the_float32_one():
    given = replace(conditions(), guidance=torch.ones(2))  # 1000 is exact in bfloat16; 6000 is not
    expected = network()(latents(), SIGMA, given)
    ours = network().bfloat16()(latents(), SIGMA, given)
    assert ours.dtype == torch.float32 and error(ours, expected) < BFLOAT16_TOLERANCE
    assert network().bfloat16()(latents().bfloat16(), SIGMA, given).dtype == torch.bfloat16


def test_a_network_without_guidance_ignores_it():
    model, given = network(replace(TINY, has_guidance=False)), conditions()
    assert torch.equal(model(latents(), SIGMA, given), model(latents(), SIGMA, replace(given, guidance=None)))


@pytest.mark.parametrize("per_frame", [False, True])
def test_autocast_gives_every_parameter_a_gradient(per_frame):
    model = network()
    sigma = torch.tensor([[0.0, 0.5, 0.9], [0.25, 0.0, 0.1]]) if per_frame else SIGMA
    with torch.autocast("cpu", torch.bfloat16):
        velocity = model(latents(), sigma, conditions())
    assert velocity.dtype == torch.float32
    assert error(velocity.detach(), network()(latents(), sigma, conditions()).detach()) < BFLOAT16_TOLERANCE
    velocity.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all() and parameter.grad.any(), name


def test_recording_the_gradient_never_changes_the_output():
    model = network()
    recorded = model(latents(), SIGMA, conditions())
    with torch.inference_mode():
        assert error(model(latents(), SIGMA, conditions()), recorded.detach()) < TOLERANCE


@pytest.mark.parametrize("chunk_tokens", [None, 50, 17])
@pytest.mark.parametrize("per_frame", [False, True])
def test_pieces_never_change_the_output(chunk_tokens, per_frame):
    model, x = network(), latents(grid=(3, 10, 20))
    sigma = torch.tensor([[0.0, 0.5, 0.9], [0.25, 0.0, 0.1]]) if per_frame else SIGMA
    with torch.enable_grad():
        expected = model(x, sigma, conditions()).detach()
    model.chunk_tokens = chunk_tokens
    assert error(model(x, sigma, conditions()), expected) < TOLERANCE


def test_a_block_leaves_its_inputs_alone():
    """Step caches keep what went into a block beside what came out."""
    model = network()
    for block in model.blocks():
        with inputs_of(block) as calls:
            model(latents(), SIGMA, conditions())
        tokens, signals = calls[0]
        before = [x.clone() for x in tokens]
        block(*tokens, **signals)
        assert all(map(torch.equal, tokens, before))


def test_recompute_from_outside_gives_the_same_gradient():
    class Recomputed(nn.Module):
        def __init__(self, block: nn.Module) -> None:
            super().__init__()
            self.block = block

        def forward(self, *tokens: Tensor, **given: Any) -> Any:
            return checkpoint(self.block, *tokens, use_reentrant=False, **given)

    plain, model = network(), network()
    model.double_blocks = nn.ModuleList(map(Recomputed, model.double_blocks))
    model.single_blocks = nn.ModuleList(map(Recomputed, model.single_blocks))
    for each in (plain, model):
        each(latents(), SIGMA, conditions()).square().mean().backward()
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad)


@pytest.mark.slow
@pytest.mark.compile
def test_each_block_is_one_graph():
    """Traced without a break, so that a compiler that is applied block by block sees all of it."""
    model = network(replace(TINY, num_double_blocks=1, num_single_blocks=1))
    given = replace(conditions((7, 7)), text_mask=None)
    expected = model(latents(), SIGMA, given)
    for block in model.blocks():
        block.compile(backend="eager", fullgraph=True)
    assert torch.equal(model(latents(), SIGMA, given), expected)


@pytest.mark.wrong_shapes
@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": latents()[:, :3]}, "channels"),
        ({"x": latents(grid=(3, 5, 6))}, "latent h=5"),
        ({"sigma": torch.rand(3)}, r"sigma \(3,\)"),
        ({"sigma": torch.rand(2, 2)}, r"sigma \(2, 2\)"),
        ({"guidance": None}, "guidance=None"),
        ({"guidance": torch.ones(1)}, r"guidance \(1,\)"),
        ({"pooled": torch.ones(2, 3)}, r"pooled \(2, 3\)"),
        ({"text": torch.ones(2, 7, 3)}, r"text \(2, 7, 3\)"),
        ({"text": torch.ones(1, 7, 12)}, r"text \(1, 7, 12\)"),
        ({"text_mask": torch.ones(2, 6).bool()}, r"text_mask \(2, 6\)"),
        ({"text_mask": torch.ones(2, 7)}, "must be bool"),
        ({"text_mask": torch.full((2, 7), 2)}, "other than 0 and 1"),
        ({"text_mask": torch.zeros(2, 7).bool()}, "no valid token"),
        ({"text_mask": torch.eye(2, 7).bool()}, "has a hole"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    of_network = {"x": latents(), "sigma": SIGMA} | {key: change[key] for key in ("x", "sigma") if key in change}
    given = replace(conditions(), **{key: value for key, value in change.items() if key not in of_network})
    with pytest.raises(InvalidInput, match=message):
        network()(of_network["x"], of_network["sigma"], given)


def test_sigma_per_frame_needs_patches_of_one_frame():
    model = network(replace(TINY, patch_size=(2, 2, 2)))
    x = latents(grid=(4, 4, 6))
    assert model(x, SIGMA, conditions()).shape == x.shape
    with pytest.raises(InvalidInput, match="patches span frames"):
        model(x, SIGMA[:, None].expand(2, 4), conditions())
