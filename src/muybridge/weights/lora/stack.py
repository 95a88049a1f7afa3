"""The LoRAs that act on a model, from outside (DESIGN law 5): several, weighted, filtered, by step, fused or not.

Order of what is applied from outside: quantise, then this, then recompute, shard and compile.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from muybridge.core.errors import WeightsError, invalid
from muybridge.ops.adapted import Adapted, Dial, Shift, is_plain
from muybridge.ops.lora import Delta
from muybridge.transformer.packed import rows_of_layer
from muybridge.weights.accounting import nearest
from muybridge.weights.lora.fit import added_to, bound, exact
from muybridge.weights.lora.form import Lora
from muybridge.weights.lora.select import selected

_BASE_INFIX = ".base"  # of a wrapped layer's own
_BLOCK = re.compile(r"blocks[._]\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class ActiveLora:
    """A LoRA in use. weight: how strongly; 1 as trained, negative turns away.

    blocks: as `selected` reads it, None for all. steps: the first and the last step of the sampling that it acts in,
    counted from 1, None for all; a last of None for all from the first on.
    """

    lora: Lora
    weight: float = 1.0
    blocks: str | None = None
    steps: tuple[int, int | None] | None = None

    def strength_in(self, step: int) -> float:
        """Its weight in a step of the sampling, counted from 1, that it acts in, else 0."""
        first, last = self.steps or (1, None)
        return self.weight if first <= step and (last is None or step <= last) else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Attached:
    use: ActiveLora
    dial: Dial
    modules: tuple[str, ...]


class LoraStack:
    """What acts on one model. The model keeps its class, names and state dict; only layers that change are wrapped.

    Deltas are cast to the model's dtype where they act as adapters, and merged in float32 or better where they are
    fused. Memory: the factors; while fused, also the plain tensors that were replaced, which stay as they are (mapped
    ones take none) and come back bit for bit.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._attached: list[_Attached] = []
        self._plain: dict[str, nn.Parameter] = {}

    @property
    def uses(self) -> tuple[ActiveLora, ...]:
        """What was set."""
        return tuple(attached.use for attached in self._attached)

    @property
    def dials(self) -> tuple[Dial, ...]:
        """Of what was set, in the same order."""
        return tuple(attached.dial for attached in self._attached)

    @property
    def is_linear_in_blocks(self) -> bool:
        """Whether all that acts in blocks changes linear layers alone, not norms."""
        layers = [self.model.get_submodule(name) for own in self._attached for name in own.modules if "blocks." in name]
        return not any(isinstance(delta, Shift) for layer in layers for delta in layer.deltas)  # type: ignore[union-attr]

    @property
    def is_fused(self) -> bool:
        """Whether the changes are in the weights now."""
        return bool(self._plain)

    @property
    def kept_bytes(self) -> int:
        """Size of the plain tensors kept for `unfuse`."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._plain.values())

    def set(self, uses: Sequence[ActiveLora]) -> None:
        """Make exactly these act, from the first step on: what is there already stays, nothing is built anew.

        Raises WeightsError, with the model as it was, where a LoRA does not fit it; InvalidInput on a filter that
        means nothing, and while fused.
        """
        if self.is_fused:
            raise invalid("the LoRAs are fused", "fused weights cannot be swapped", "unfuse first")
        pool, wanted = list(self._attached), []
        for use in uses:
            found = next((own for own in pool if own.use.lora is use.lora and own.use.blocks == use.blocks), None)
            if found is not None:
                pool.remove(found)
            wanted.append(_Attached(use, found.dial, found.modules) if found else self._new(use))
        known = {id(own.dial) for own in self._attached}
        added = [(own, list(self._changes(own))) for own in wanted if id(own.dial) not in known]
        for gone in pool:
            self._detach(gone)
        for own, changes in added:
            for name, change in changes:
                self._adapted(name).add(change, own.dial)
        self._attached = wanted
        self.at_step(1)

    def clear(self) -> None:
        """Take everything off: the model is as it was."""
        self.unfuse()
        self.set(())

    def at_step(self, step: int) -> None:
        """Turn on what acts in this step of the sampling, counted from 1, and off what does not."""
        for attached in self._attached:
            attached.dial.strength = 0.0 if self.is_fused else attached.use.strength_in(step)

    def mute(self) -> None:
        """Turn everything off, but leave it at hand."""
        for attached in self._attached:
            attached.dial.strength = 0.0

    @torch.no_grad()
    def fuse(self) -> None:
        """Put the changes into the weights, which then cost nothing to use; `unfuse` brings the very same bits back.

        Rounded once, to the weight's own dtype. Raises InvalidInput where one acts in some steps only, or a layer
        keeps its weight quantised.
        """
        if self.is_fused:
            return
        for use in self.uses:
            if use.steps is not None:
                raise invalid(
                    f"{use.lora.path} in steps {use.steps}",
                    "fused weights are the same in every step",
                    "leave it unfused",
                )
        names = list(dict.fromkeys(name for attached in self._attached for name in attached.modules))
        for name in names:
            if not is_plain(self._layer(name)):
                raise invalid(
                    f"{name} is quantised or streamed", "only plain weights can take a change in", "leave it unfused"
                )
        try:
            for name in names:
                for parameter, tensor in self._merged(name).items():
                    self._replace(f"{name}.{parameter}", nn.Parameter(tensor, requires_grad=False))
        except BaseException:  # out of memory, an interrupt: half of the layers would hold the change
            self.unfuse()
            raise
        self.at_step(1)

    def unfuse(self) -> None:
        """Bring the plain weights back, bit for bit, and let the LoRAs act beside them again."""
        plain, self._plain = self._plain, {}
        for key, parameter in plain.items():
            name, _, field = key.rpartition(".")
            setattr(self._layer(name), field, parameter)
        self.at_step(1)

    def _new(self, use: ActiveLora) -> _Attached:
        names = selected(use.blocks, use.lora.modules, of=str(use.lora.path))
        self._check_places(use.lora, names)
        return _Attached(use, Dial(0.0), tuple(names))

    def _check_places(self, lora: Lora, names: Sequence[str]) -> None:
        """Raises WeightsError where the model lacks one of these layers."""
        known = {key.replace(_BASE_INFIX, "") for key, _ in self.model.named_modules()}
        for name in names:
            if name not in known:
                alike = [key for key in known if _BLOCK.findall(key) == _BLOCK.findall(name)]
                near = nearest(name, alike, what="layer")
                rule = f"changes {name!r}, which this model lacks"
                raise WeightsError(f"{lora.path}: {rule}; {near}use a LoRA made for it.")

    def _changes(self, attached: _Attached) -> Iterator[tuple[str, Delta | Shift]]:
        """What to add to each layer, in the model's dtype."""
        lora = attached.use.lora
        for name in attached.modules:
            layer = self._layer(name)
            cast = partial(Tensor.to, dtype=self._dtype(layer))
            for change in bound(lora, name, layer):
                yield name, change.map(cast)

    @torch.no_grad()
    def _merged(self, name: str) -> dict[str, Tensor]:
        """The layer's parameters with all that is attached to it in them."""
        layer = self._layer(name)
        plain = {key: exact(parameter) for key, parameter in layer.named_parameters()}
        total = dict(plain)
        for attached in self._attached:
            if name not in attached.modules:
                continue
            for change in bound(attached.use.lora, name, layer):
                for key, added in added_to(change, plain).items():
                    total[key] = total[key] + attached.use.weight * added
        parameters = dict(layer.named_parameters())
        changed = {key: tensor for key, tensor in total.items() if tensor is not plain[key]}
        return {key: tensor.to(parameters[key].dtype) for key, tensor in changed.items()}

    def _replace(self, key: str, parameter: nn.Parameter) -> None:
        name, _, field = key.rpartition(".")
        layer = self._layer(name)
        self._plain[key] = getattr(layer, field)
        setattr(layer, field, parameter)

    def _layer(self, name: str) -> nn.Module:
        """The plain layer, wrapped or not."""
        found = self.model.get_submodule(name)
        return found.base if isinstance(found, Adapted) else found

    def _adapted(self, name: str) -> Adapted:
        found = self.model.get_submodule(name)
        if not isinstance(found, Adapted):
            found = Adapted(found, sees=rows_of_layer(name)).train(found.training)
            self.model.set_submodule(name, found)
        return found

    def _detach(self, attached: _Attached) -> None:
        for name in attached.modules:
            adapted = self._adapted(name)
            adapted.remove(attached.dial)
            if not adapted.dials:
                self.model.set_submodule(name, adapted.base)

    def _dtype(self, layer: nn.Module) -> torch.dtype:
        """What the model computes in."""
        found = getattr(self.model, "dtype", None)
        return found if isinstance(found, torch.dtype) else next(layer.parameters()).dtype
