"""A LoRA's changes made ready for the layers of a model, and checked against them."""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from muybridge.core.errors import WeightsError
from muybridge.ops.adapted import Shift, dense_weight, is_plain, place_of
from muybridge.ops.lora import Delta, Dense
from muybridge.weights.lora.form import Lora


def bound(lora: Lora, name: str, layer: nn.Module) -> Iterator[Delta | Shift]:
    """The changes of one layer, on its device, checked against it. Raises WeightsError where a shape does not fit."""
    if name in lora.shifts:
        _check_shift(lora, name, layer)
        yield lora.shifts[name].map(partial(Tensor.to, device=place_of(layer)))
    yield from _replacements(lora, name, layer)
    for delta in lora.deltas.get(name, ()):
        yield _checked(lora, name, delta, layer)


def _checked(lora: Lora, name: str, delta: Delta, layer: nn.Module) -> Delta:
    rows, columns = _size(layer, delta)
    changed = delta.factors.shape if delta.factors is not None else (delta.num_rows, columns)
    fits = changed[1] == columns
    fits = fits and (changed[0] == rows if delta.first_row is None else delta.first_row + changed[0] <= rows)
    if not fits:
        raise WeightsError(
            f"{lora.path}: changes {changed[0]} x {changed[1]} of {name!r}, which is {rows} x {columns} here; "
            "use a LoRA made for this model."
        )
    delta = delta.map(partial(Tensor.to, device=place_of(layer)))
    return delta if delta.magnitude is None else delta.bound(dense_weight(layer, columns))


def _size(layer: nn.Module, delta: Delta) -> tuple[int, int]:
    """Rows and columns of a linear layer, quantised or not."""
    weight = getattr(layer, "weight", None)
    if is_plain(layer) and isinstance(weight, Tensor) and weight.ndim >= 2:
        return weight.shape[0], weight[0].numel()
    columns = delta.factors.shape[1] if delta.factors is not None else 0
    return getattr(layer, "out_features", delta.num_rows), getattr(layer, "in_features", columns)


def _replacements(lora: Lora, name: str, layer: nn.Module) -> Iterator[Delta | Shift]:
    """Values that the file replaces, as differences from this model's own."""
    values = {key.rpartition(".")[2]: value for key, value in lora.values.items() if key.rpartition(".")[0] == name}
    if not values:
        return
    own = dict(layer.named_parameters())
    for field, value in values.items():
        if field not in own or own[field].shape != value.shape:
            shape = tuple(own[field].shape) if field in own else "no such parameter"
            raise WeightsError(
                f"{lora.path}: replaces {name}.{field} by {tuple(value.shape)}, which is {shape} here; "
                "use the model that it was made for."
            )
    place = place_of(layer)
    changes = {field: exact(value.to(place)) - _values(layer, own[field]) for field, value in values.items()}
    if own["weight"].ndim == 1:
        yield Shift(changes)
        return
    weight = changes.get("weight")
    yield Delta(None if weight is None else Dense(weight.flatten(1)), bias=changes.get("bias"))


def _values(layer: nn.Module, own: Tensor) -> Tensor:
    """A parameter of a layer, at least float32; a matrix that is away is found through the layer."""
    return dense_weight(layer, own[0].numel()).reshape(own.shape) if own.is_meta and own.ndim > 1 else exact(own)


def _check_shift(lora: Lora, name: str, layer: nn.Module) -> None:
    own = dict(layer.named_parameters())
    for field, change in lora.shifts[name].changes.items():
        if field not in own or own[field].shape != change.shape:
            rule = f"changes {name}.{field} by {tuple(change.shape)}, which does not fit"
            raise WeightsError(f"{lora.path}: {rule}; use a LoRA made for this model.")


def added_to(change: Delta | Shift, plain: dict[str, Tensor]) -> dict[str, Tensor]:
    """What a change adds to each parameter of a layer."""
    if isinstance(change, Shift):
        return {key: tensor.to(plain[key].dtype) for key, tensor in change.changes.items()}
    weight = plain["weight"]
    added = {}
    if change.factors is not None:
        added["weight"] = change.merged(weight.flatten(1)).reshape(weight.shape)
    bias = change.merged_bias(len(weight), dtype=weight.dtype)
    return added if bias is None else {**added, "bias": bias}


def exact(tensor: Tensor) -> Tensor:
    """In float32, or better where it is."""
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32))
