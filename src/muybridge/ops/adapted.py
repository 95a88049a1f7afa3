"""Layers with changes of their weights beside them, put in place of the plain ones from outside (DESIGN law 5)."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from muybridge.ops.lora import Delta
from muybridge.ops.outputs import outputs
from muybridge.ops.patch import patchify

IDENTITY_ROWS = 1024  # of the identity at a time: bounds the memory that reading a quantised weight takes
_BASE, _DELTAS = "base.", "deltas."


Shares = Sequence[tuple[slice, float]]  # rows of a layer's input, and how strongly a change acts on them


class Dial:
    """How strongly a set of changes acts, for many layers at once; 0 leaves them out.

    shares: where rows of several films go through a layer together, how strongly on which, by what the layer sees
    (`Adapted.sees`); None where all rows are alike.
    """

    def __init__(self, strength: float) -> None:
        self.strength = strength
        self.shares: Mapping[str, Shares] | None = None

    def over(self, sees: str | None) -> Shares:
        """The rows that it acts on."""
        if self.shares is not None and sees is not None:
            return self.shares[sees]
        return ((slice(None), self.strength),) if self.strength != 0 else ()


Strengths = tuple[tuple[Dial, float], ...]  # of one film


class Dials:
    """Dials that differ from film to film: each film has some of them, at its strength (`transformer.packed`)."""

    def __init__(self) -> None:
        self._known: set[Dial] = set()

    def turn_to(self, strengths: Strengths) -> None:
        """Whatever is called now is about films with these alone."""
        self._known.update(dial for dial, _ in strengths)
        for dial in self._known:
            dial.shares, dial.strength = None, 0.0
        for dial, strength in strengths:
            dial.strength = strength

    def spread(self, films: Sequence[Strengths], rows: Mapping[str, Sequence[slice]]) -> None:
        """Each film's act on its rows of what a layer sees, which may be several slices a film, one round each."""
        for dial in self._known:
            dial.shares = {
                sees: [
                    (own, strength)
                    for own, strengths in zip(slices, itertools.cycle(films))
                    for acting, strength in strengths
                    if acting is dial and strength != 0
                ]
                for sees, slices in rows.items()
            }

    def rest(self) -> None:
        """All off, as if there had been no films."""
        self.turn_to(())
        self._known.clear()


class Shift(nn.Module):
    """A plain change of the parameters of a layer that is no matrix, such as a norm."""

    def __init__(self, changes: dict[str, Tensor]) -> None:
        super().__init__()
        self.changes = nn.ParameterDict({name: nn.Parameter(t, requires_grad=False) for name, t in changes.items()})

    def map(self, change: Callable[[Tensor], Tensor]) -> "Shift":
        """The same shift of changed tensors."""
        return Shift({name: change(tensor) for name, tensor in self.changes.items()})


class Adapted(nn.Module):
    """A layer and what is added to it. It has the names of the plain layer: its state dict shows the base alone.

    sees: which of the `Dial.shares` are about its rows, (1, rows, i); None where it never sees several films at once.
    """

    def __init__(self, base: nn.Module, *, sees: str | None = None) -> None:
        super().__init__()
        self.base = base
        self.sees = sees
        self.deltas = nn.ModuleList()
        self.dials: list[Dial] = []
        self.register_state_dict_post_hook(_only_base)
        self.register_load_state_dict_pre_hook(_into_base)

    @property
    def weight(self) -> Tensor:
        """The base's."""
        return self.base.weight  # type: ignore[return-value]

    @property
    def bias(self) -> Tensor | None:
        """The base's."""
        return getattr(self.base, "bias", None)  # type: ignore[return-value]

    def add(self, delta: Delta | Shift, dial: Dial) -> None:
        """One more change, as strong as the dial says."""
        self.deltas.append(delta)
        self.dials.append(dial)

    def remove(self, dial: Dial) -> None:
        """All changes of that dial."""
        kept = [(delta, own) for delta, own in zip(self.deltas, self.dials, strict=True) if own is not dial]
        self.deltas = nn.ModuleList(delta for delta, _ in kept)
        self.dials = [own for _, own in kept]

    def forward(self, x: Float[Tensor, "*shape"], *more: Tensor | None) -> Float[Tensor, "*out"]:
        """The base's output with the changes that are on, in the dtype of both. `more` is the base's affair."""
        shifts, linear = self._active()
        y = functional_call(self.base, self._shifted(shifts), (x, *more)) if shifts else self.base(x, *more)
        if not linear:
            return y
        rows = x if not isinstance(self.base, nn.Conv3d) else patchify(x, self.base.stride)
        needs_plain = any(delta.gain is not None for delta, _ in linear)
        total = y.clone() if needs_plain else y
        for delta, shares in linear:
            part = total if delta.first_row is None else total.narrow(-1, delta.first_row, delta.num_rows)
            for own, strength in shares:
                part[..., own, :].add_(delta(rows[..., own, :], y[..., own, :], layer=self._on_rows), alpha=strength)
        return total

    def outputs(self, x: Float[Tensor, "*shape i"], *, first: int, num: int) -> Float[Tensor, "*shape o"]:
        """As `ops.outputs`: some of the outputs, with the changes that are on."""
        shifts, linear = self._active()
        if shifts or not all(delta.is_factors_alone for delta, _ in linear):
            return self(x).narrow(-1, first, num)
        total = outputs(self.base, x, first=first, num=num)
        for delta, shares in linear:
            start = delta.first_row or 0
            begin, end = max(first, start), min(first + num, start + delta.num_rows)
            for own, strength in shares if begin < end else ():
                change = delta(x[..., own, :], total[..., own, :], layer=self._on_rows)
                part = total[..., own, begin - first : end - first]
                part.add_(change.narrow(-1, begin - start, end - begin), alpha=strength)
        return total

    def _active(self) -> tuple[list[tuple[Shift, float]], list[tuple[Delta, Shares]]]:
        """The changes that are on, with their strength, and that of linear ones by rows."""
        pairs = list(zip(self.deltas, self.dials, strict=True))
        shifts = [(d, dial.strength) for d, dial in pairs if isinstance(d, Shift) and dial.strength != 0]
        linear = [(d, dial.over(self.sees)) for d, dial in pairs if isinstance(d, Delta)]
        return shifts, [(delta, shares) for delta, shares in linear if shares]

    def _on_rows(self, rows: Tensor) -> Tensor:
        """The base, and a patch convolution as the matrix that it is."""
        if isinstance(self.base, nn.Conv3d):
            return F.linear(rows, self.base.weight.flatten(1), self.base.bias)
        return self.base(rows)

    def _shifted(self, shifts: list[tuple[Shift, float]]) -> dict[str, Tensor]:
        parameters: dict[str, Tensor] = dict(self.base.named_parameters())
        for shift, strength in shifts:
            for name, change in shift.changes.items():
                parameters[name] = parameters[name] + strength * change
        return parameters


@torch.no_grad()
def dense_weight(layer: nn.Module, num_columns: int) -> Float[Tensor, "o i"]:
    """The matrix (o, i) of a linear layer, at least float32; of a quantised one from what it makes of the identity."""
    weight = getattr(layer, "weight", None)
    if is_plain(layer) and weight is not None:
        return weight.detach().flatten(1).to(torch.promote_types(weight.dtype, torch.float32))
    if isinstance(weight, Tensor) and weight.is_meta and weight.element_size() >= 2:
        return _seen_at_work(layer, weight)
    device = place_of(layer)
    bias = layer(torch.zeros(1, num_columns, device=device)).float()
    columns = []
    for start in range(0, num_columns, IDENTITY_ROWS):
        num_rows = min(IDENTITY_ROWS, num_columns - start)
        identity = torch.eye(num_rows, num_columns, device=device).roll(start, dims=1)
        columns.append(layer(identity).float() - bias)
    return torch.cat(columns).T.contiguous()


def _seen_at_work(layer: nn.Module, away: Tensor) -> Float[Tensor, "o i"]:
    """The matrix of a layer whose weight is away until the layer is called."""
    dtype, seen = torch.promote_types(away.dtype, torch.float32), []

    def look(module: nn.Module, *_: Any) -> None:
        seen.append(module.weight.detach().flatten(1).to(dtype, copy=True))  # type: ignore[union-attr]

    hook = layer.register_forward_hook(look, prepend=True)  # before it goes again
    try:
        layer(torch.zeros(1, away[0].numel(), dtype=away.dtype, device=place_of(layer)))
    finally:
        hook.remove()
    return seen[0]


def is_plain(layer: nn.Module) -> bool:
    """Whether the layer keeps its weight, here, as numbers that can be added to."""
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Tensor) or weight.is_meta:
        return False
    return weight.is_floating_point() and weight.element_size() >= 2


def place_of(layer: nn.Module) -> torch.device:
    """Where a layer computes; a weight that is streamed is away, on the meta device, and its bias is not."""
    places = [tensor.device for tensor in (*layer.parameters(), *layer.buffers())]
    return next((place for place in places if place.type != "meta"), places[0])


def _only_base(module: nn.Module, state: dict[str, Any], prefix: str, _metadata: dict[str, Any]) -> None:
    for key in [key for key in state if key.startswith((prefix + _BASE, prefix + _DELTAS))]:
        tensor = state.pop(key)
        if key.startswith(prefix + _BASE):
            state[prefix + key[len(prefix + _BASE) :]] = tensor


def _into_base(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for key in [key for key in state if key.startswith(prefix)]:
        state[prefix + _BASE + key[len(prefix) :]] = state.pop(key)
    state.update({prefix + name: own for name, own in module.named_parameters() if name.startswith(_DELTAS)})
