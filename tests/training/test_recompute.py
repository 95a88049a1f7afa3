"""Recomputation changes memory alone: outputs, gradients and names stay."""

import copy

import pytest
import torch
from torch import Tensor, nn

from muybridge.core.errors import InvalidInput
from muybridge.training.recompute import apply_recompute
from muybridge.transformer import Transformer
from tests.transformer.networks import TINY, conditions, latents, network
from tests.vae.small import clip, small_vae

MODES = ("selective", "full")


def kept_bytes(model: nn.Module, *, is_bf16: bool = False) -> tuple[int, Tensor]:
    """Bytes that a forward pass keeps for the backward pass, parameters left out; and the loss."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            loss = model(latents(), torch.tensor([0.3, 0.7]), conditions()).square().sum()
    return sum(kept.values()), loss


@pytest.mark.parametrize("is_bf16", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("mode", MODES)
def test_gradients_are_equal(mode, is_bf16: bool) -> None:
    plain = network().train()
    thrifty = copy.deepcopy(plain)
    apply_recompute(thrifty, mode)
    for model in (plain, thrifty):
        kept_bytes(model, is_bf16=is_bf16)[1].backward()
    wanted = {name: parameter.grad for name, parameter in plain.named_parameters()}
    found = {name.replace("_checkpoint_wrapped_module.", ""): p.grad for name, p in thrifty.named_parameters()}
    assert wanted.keys() == found.keys()
    assert [name for name in wanted if not torch.equal(wanted[name], found[name])] == []


@pytest.mark.parametrize("mode", MODES)
def test_a_vae_s_gradients_are_equal(mode) -> None:
    plain = small_vae().train()
    thrifty = copy.deepcopy(plain)
    apply_recompute(thrifty, mode)
    for vae in (plain, thrifty):
        vae.decode(vae.encode(clip(5)).mode()).square().sum().backward()
    pairs = zip(plain.named_parameters(), thrifty.parameters(), strict=True)
    assert [name for (name, one), other in pairs if not _equal(one.grad, other.grad)] == []


def test_less_is_kept() -> None:
    sizes = []
    for mode in ("none", *MODES):
        model = network().train()
        apply_recompute(model, mode)  # type: ignore[arg-type]
        sizes.append(kept_bytes(model)[0])
    none, _, full = sizes
    assert full < 0.5 * none


@pytest.mark.parametrize("mode", MODES)
def test_the_state_dict_is_the_network_s_own(mode) -> None:
    model = network()
    names = list(model.state_dict())
    apply_recompute(model, mode)
    assert list(model.state_dict()) == names
    model.load_state_dict(Transformer(TINY).state_dict(), strict=True)
    assert len(list(model.blocks())) == TINY.num_double_blocks + TINY.num_single_blocks


def test_a_model_without_blocks_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Linear names no blocks"):
        apply_recompute(nn.Linear(2, 2), "full")


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    return (one is None and other is None) or (one is not None and other is not None and torch.equal(one, other))
