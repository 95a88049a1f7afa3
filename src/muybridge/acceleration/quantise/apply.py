"""Quantised layers put in the place of the blocks' linear layers, and a checkpoint's own kept as they are."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from muybridge.acceleration.lanes import Source
from muybridge.acceleration.network import HasBlocks
from muybridge.acceleration.quantise.layers import Decode, PackedLinear, ProductLinear, QuantisedLinear
from muybridge.acceleration.quantise.schemes import SCHEMES, check_scheme
from muybridge.core.errors import invalid
from muybridge.transformer.blocks import Modulation, SingleBlock

OnBytes = Callable[[int, int], None]  # bytes of the plain weights done, and in all


Part = TypeVar("Part", bound=Source, covariant=True)


class PackedWeight(Protocol[Part]):
    """A weight that a file holds quantised: its parts by name, and how they become the weight."""

    @property
    def scheme(self) -> str:
        """As people call it."""
        ...

    @property
    def parts(self) -> Mapping[str, Part]:
        """The stored tensors."""
        ...

    @property
    def decode(self) -> Decode:
        """From the parts read to the weight in a dtype, on the device of the parts."""
        ...

    @property
    def row_parts(self) -> Collection[str]:
        """Parts with a row for each of the weight's, of which `decode` takes any; none where that cannot be."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantised:
    """What `quantise` did: how many layers, and the bytes of their weights before and after."""

    scheme: str
    num_layers: int
    bytes_before: int
    bytes_after: int


def quantise(model: HasBlocks, scheme: str, *, on_bytes: OnBytes | None = None) -> Quantised:
    """Swap the linear layers of the blocks for those of a row of `SCHEMES`, one at a time; again changes nothing.

    Modulation stays, and so do norms, embedders and the final layer. A LoRA stays beside its layer, in its own dtype.
    Each plain weight is let go before the next is read, so there are never two copies of the model.
    Raises InvalidInput on an unknown scheme, and where layers are quantised in another way already.
    """
    check_scheme(scheme)
    places = list(linear_places(model))
    for layer in (getattr(parent, name) for parent, name in places):
        if isinstance(layer, QuantisedLinear) and layer.scheme != scheme:
            rule = f"its weights are {layer.scheme} already, and rounding twice loses twice"
            raise invalid(f"quantise={scheme}", rule, "leave it out, or start from weights in bfloat16")
    plain = [(parent, name) for parent, name in places if isinstance(getattr(parent, name), nn.Linear)]
    total = sum(getattr(parent, name).weight.nbytes for parent, name in plain)
    done = after = 0
    for parent, name in plain:
        layer: nn.Linear = getattr(parent, name)
        small = _swapped(layer, scheme)
        setattr(parent, name, small)
        done, after = done + layer.weight.nbytes, after + small.num_bytes
        if on_bytes is not None:
            on_bytes(done, total)
        del layer
    return Quantised(scheme=scheme, num_layers=len(plain), bytes_before=total, bytes_after=after)


def settle(model: HasBlocks) -> None:
    """Lay quantised weights out for the device that they are on, where that is faster; no result changes.

    For a model that is in place: afterwards its weights neither move nor stream.
    """
    for block in model.blocks():
        for layer in block.modules():
            if isinstance(layer, ProductLinear):
                layer.settle(*_cuts(block, layer))


def _cuts(block: nn.Module, layer: QuantisedLinear) -> tuple[int, ...]:
    """Single blocks ask the first of their layers for what attends and what does not one after the other."""
    if not isinstance(block, SingleBlock):
        return ()
    attending = 3 * block.hidden_size
    return (attending,) if layer.out_features == attending + block.mlp_dim else ()


def keep_packed(model: nn.Module, weights: Mapping[str, PackedWeight[Part]]) -> dict[str, Part]:
    """Layers in place of those whose weights a file holds quantised; what to read into them, by the name of the part.

    weights: by the name of the weight, such as `double_blocks.0.img_attn_qkv.weight`. The new layers are on the meta
    device until the parts, and the biases as ever, are assigned: `load_state_dict(..., assign=True)`, or a stream.
    They decode at each call. Raises InvalidInput where a name is not that of a plain linear layer's weight.
    """
    parts: dict[str, Part] = {}
    for name, packed in weights.items():
        path, _, field = name.rpartition(".")
        parent_path, _, child = path.rpartition(".")
        parent = model.get_submodule(parent_path)
        layer = getattr(parent, child, None)
        if field != "weight" or not isinstance(layer, nn.Linear):
            raise invalid(name, "is not the weight of a plain linear layer", "read it decoded")
        empty = {role: torch.empty(part.shape, dtype=part.dtype, device="meta") for role, part in packed.parts.items()}
        shape = (layer.out_features, layer.in_features)
        small = PackedLinear(
            empty,
            _plain(layer.bias),
            shape=shape,
            scheme=packed.scheme,
            decode=packed.decode,
            row_parts=packed.row_parts,
        )
        setattr(parent, child, small)
        parts |= {f"{path}.{role}": part for role, part in packed.parts.items()}
    return parts


def linear_places(model: HasBlocks) -> Iterator[tuple[nn.Module, str]]:
    """Where the linear layers of the blocks are, plain or quantised: the module that holds each, and its name there."""
    for block in model.blocks():
        modulations = [module for module in block.modules() if isinstance(module, Modulation)]
        left_out = {id(module) for modulation in modulations for module in modulation.modules()}
        for parent in block.modules():
            if id(parent) not in left_out:
                children = parent.named_children()
                yield from (
                    (parent, name) for name, child in children if isinstance(child, nn.Linear | QuantisedLinear)
                )


def _swapped(layer: nn.Linear, scheme: str) -> QuantisedLinear:
    with torch.no_grad():
        return SCHEMES[scheme].swap(layer.weight.detach(), _plain(layer.bias), scheme)


def _plain(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.detach()
