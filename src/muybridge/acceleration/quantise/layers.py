"""Linear layers whose weight is stored small. They are called as the plain ones, and their parts are plain buffers."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid

Parts = Mapping[str, Tensor]
Decode = Callable[[Parts, torch.dtype], Tensor]  # from the parts to the weight (o, i) in a dtype
Product = Callable[[Tensor, Tensor, Tensor], Tensor]
LayOut = Callable[[Tensor], Tensor]


class QuantisedLinear(nn.Module, ABC):
    """`x @ weight.T + bias`, the weight in parts. Moving it to a device never changes a dtype: `.to(dtype)` is ignored.

    The parts are buffers, so that whatever moves or streams a block takes them along; the bias is a parameter as ever.
    """

    def __init__(self, parts: Parts, bias: Tensor | None, *, shape: tuple[int, int], scheme: str) -> None:
        super().__init__()
        self.out_features, self.in_features = shape
        self.scheme = scheme
        for name, part in parts.items():
            self.register_buffer(name, part)
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias, requires_grad=False))
        self.bias: nn.Parameter | None

    @abstractmethod
    def forward(self, x: Float[Tensor, "*rows i"]) -> Float[Tensor, "*rows o"]:
        """As the plain layer, in the dtype of `x`."""

    @abstractmethod
    def outputs(self, x: Float[Tensor, "*rows i"], *, first: int, num: int) -> Float[Tensor, "*rows o"]:
        """Outputs first ... first + num - 1 alone, as `ops.outputs` asks for them."""

    @property
    def parts(self) -> dict[str, Tensor]:
        """The weight as it is stored."""
        return dict(self.named_buffers(recurse=False))

    @property
    def num_bytes(self) -> int:
        """Size of the weight, scales included."""
        return sum(part.nbytes for part in self.parts.values())

    def extra_repr(self) -> str:
        """For print(model)."""
        return f"{self.in_features} -> {self.out_features}, {self.scheme}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        def moved(tensor: Tensor) -> Tensor:
            changed = fn(tensor)
            return changed if changed.dtype == tensor.dtype else tensor.to(changed.device)

        return super()._apply(moved, recurse)


class PackedLinear(QuantisedLinear):
    """Decoded to the dtype of `x` at each call, then multiplied: less memory, no less work.

    decode: not kept in the state dict, so a packed layer is rebuilt, not unpickled. row_parts: the parts with a row for
    each output, of which `decode` takes any; empty where some outputs cannot be decoded alone.
    """

    def __init__(
        self,
        parts: Parts,
        bias: Tensor | None,
        *,
        shape: tuple[int, int],
        scheme: str,
        decode: Decode,
        row_parts: Collection[str],
    ) -> None:
        super().__init__(parts, bias, shape=shape, scheme=scheme)
        self.decode = decode
        self.row_parts = frozenset(row_parts)

    def forward(self, x: Float[Tensor, "*rows i"]) -> Float[Tensor, "*rows o"]:
        """The weight decoded for this call."""
        return self.outputs(x, first=0, num=self.out_features)

    def outputs(self, x: Float[Tensor, "*rows i"], *, first: int, num: int) -> Float[Tensor, "*rows o"]:
        """Where rows can be decoded alone, these are."""
        rows = slice(first, first + num)
        bias = None if self.bias is None else self.bias[rows].to(x.dtype)
        if not self.row_parts:
            return F.linear(x, self.decode(self.parts, x.dtype)[rows], bias)
        parts = {name: part[rows] if name in self.row_parts else part for name, part in self.parts.items()}
        return F.linear(x, self.decode(parts, x.dtype), bias)


class ProductLinear(QuantisedLinear):
    """Tokens are rounded too, each with a scale of its own, and the product is computed with the small numbers.

    product: tokens (n, i), the parts `weight` and `scale` -> (n, o), without the bias. It has no gradient. lay_out:
    gives a weight the order in which the device multiplies it, where it has one.
    """

    weight: Tensor
    scale: Tensor

    def __init__(
        self,
        parts: Parts,
        bias: Tensor | None,
        *,
        shape: tuple[int, int],
        scheme: str,
        product: Product,
        lay_out: LayOut | None = None,
    ) -> None:
        super().__init__(parts, bias, shape=shape, scheme=scheme)
        self.product = product
        self.lay_out = lay_out
        self._settled: dict[range, Tensor] = {}  # weights that have been laid out, by their outputs

    def settle(self, *cuts: int) -> None:
        """Lay the weight out for where it is; from then on it neither moves nor streams.

        cuts: where it is divided because outputs are asked for by parts. Does nothing where no order is known.
        """
        if self.lay_out is None or self._settled:
            return
        edges = (0, *cuts, self.out_features)
        for first, end in itertools.pairwise(edges):
            self._settled[range(first, end)] = self.lay_out(self._rows(first, end - first))
        self.weight = self.weight.new_empty(0)

    def forward(self, x: Float[Tensor, "*rows i"]) -> Float[Tensor, "*rows o"]:
        """The rounded product. Raises InvalidInput where a gradient is asked for."""
        return self.outputs(x, first=0, num=self.out_features)

    def outputs(self, x: Float[Tensor, "*rows i"], *, first: int, num: int) -> Float[Tensor, "*rows o"]:
        """The product with some of the weight's rows, which it may keep as columns; raises as `forward`."""
        if x.requires_grad and torch.is_grad_enabled():
            rule = "a product of rounded tokens has no gradient"
            raise invalid(f"{self.scheme} in training", rule, f"use {self.scheme}-weights")
        if num < self.out_features and self.out_features == self.in_features:  # its way cannot be seen
            return self(x).narrow(-1, first, num)
        tokens = x.flatten(0, -2)
        if self._settled:
            out = self._by_runs(tokens, first, num)
        else:
            out = self.product(tokens, self._rows(first, num), self.scale[first : first + num])
        if self.bias is not None:
            out.add_(self.bias[first : first + num].to(x.dtype))
        return out.unflatten(0, x.shape[:-1])

    def _rows(self, first: int, num: int) -> Tensor:
        """The part of the weight that makes these outputs, whichever way it lies."""
        if num == self.out_features:
            return self.weight
        across = 0 if self.weight.shape == (self.out_features, self.in_features) else 1
        return self.weight.narrow(across, first, num).contiguous()

    def _by_runs(self, tokens: Tensor, first: int, num: int) -> Tensor:
        """Outputs of weights that were laid out: those of the runs that they lie in, cut to what is asked for."""
        end, made = first + num, []
        for run, weight in self._settled.items():
            start, stop = max(first, run.start), min(end, run.stop)
            if start < stop:
                outputs = self.product(tokens, weight, self.scale[run.start : run.stop])
                made.append(outputs[:, start - run.start : stop - run.start])
        return made[0] if len(made) == 1 else torch.cat(made, -1)
