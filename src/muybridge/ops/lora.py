"""Changes of a linear layer kept beside its weight: low-rank and its kin. `ops.adapted` adds them to the output.

A change of a weight (o, i) is written as factors: LoRA (arXiv 2106.09685), LoHa and LoKr (arXiv 2108.06098, 2212.10650,
as LyCORIS keeps them, arXiv 2309.14859) or the plain difference; DoRA (arXiv 2402.09353) adds a magnitude. Factors are
parameters, frozen unless they come as parameters, so the same classes train.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

OnTensor = Callable[[Tensor], Tensor]


class Factors(nn.Module, ABC):
    """A matrix (o, i) in some form. `forward` multiplies rows by it; `matrix` writes it out."""

    NAMES: tuple[str, ...] = ()  # its tensors in the order of the constructor; those in OUT have the rows of the matrix
    OUT: tuple[str, ...] = ()

    def __init__(self, *tensors: Tensor) -> None:
        super().__init__()
        for name, tensor in zip(self.NAMES, tensors, strict=True):
            is_made = isinstance(tensor, nn.Parameter)
            self.register_parameter(name, tensor if is_made else nn.Parameter(tensor, requires_grad=False))

    def tensors(self) -> dict[str, Tensor]:
        """The factors by name."""
        return {name: getattr(self, name) for name in self.NAMES}

    def map(self, change: OnTensor) -> Self:
        """The same form of changed tensors, such as casts."""
        return type(self)(*map(change, self.tensors().values()))

    def map_rows(self, change: OnTensor) -> Self:
        """The matrix with its rows sliced or reordered by `change`, exactly."""
        return type(self)(*(change(tensor) if name in self.OUT else tensor for name, tensor in self.tensors().items()))

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(o, i) of the matrix."""

    @property
    def rank(self) -> int | None:
        """What alpha is divided by; None where the form has no rank."""
        return None

    @abstractmethod
    def matrix(self) -> Float[Tensor, "o i"]:
        """The matrix in the factors' dtype."""


class LowRank(Factors):
    """up @ down: LoRA."""

    NAMES, OUT = ("down", "up"), ("up",)
    down: Tensor  # (r, i)
    up: Tensor  # (o, r)

    @property
    def shape(self) -> tuple[int, int]:
        """(o, i)."""
        return self.up.shape[0], self.down.shape[1]

    @property
    def rank(self) -> int:
        """r."""
        return self.down.shape[0]

    def matrix(self) -> Float[Tensor, "o i"]:
        """up @ down."""
        return self.up @ self.down

    def forward(self, x: Float[Tensor, "*rows i"]) -> Float[Tensor, "*rows o"]:
        """Two thin products."""
        return F.linear(F.linear(x, self.down), self.up)


class Hadamard(Factors):
    """(up1 @ down1) * (up2 @ down2), elementwise: LoHa. It is a low-rank matrix of rank r * r."""

    NAMES, OUT = ("up1", "down1", "up2", "down2"), ("up1", "up2")
    up1: Tensor
    down1: Tensor
    up2: Tensor
    down2: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """(o, i)."""
        return self.up1.shape[0], self.down1.shape[1]

    @property
    def rank(self) -> int:
        """Of each of the two products."""
        return self.down1.shape[0]

    def matrix(self) -> Float[Tensor, "o i"]:
        """The elementwise product."""
        return (self.up1 @ self.down1) * (self.up2 @ self.down2)

    def forward(self, x: Float[Tensor, "*rows i"]) -> Float[Tensor, "*rows o"]:
        """Through the r * r thin products where these are fewer numbers than the matrix, else through the matrix."""
        rows, columns = self.shape
        if self.rank**2 * (rows + columns) >= rows * columns:
            return F.linear(x, self.matrix())
        down = (self.down1[:, None] * self.down2[None]).flatten(0, 1)
        return F.linear(F.linear(x, down), (self.up1[:, :, None] * self.up2[:, None]).flatten(1, 2))


class Dense(Factors):
    """The matrix itself: a plain difference."""

    NAMES, OUT = ("weight",), ("weight",)
    weight: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """(o, i)."""
        return self.weight.shape[0], self.weight.shape[1]

    def matrix(self) -> Float[Tensor, "o i"]:
        """Itself."""
        return self.weight

    def forward(self, x: Float[Tensor, "*rows i"]) -> Float[Tensor, "*rows o"]:
        """One product."""
        return F.linear(x, self.weight)


class Kronecker(Factors):
    """The Kronecker product of two small matrices, either of which may be low-rank: LoKr."""

    def __init__(self, left: LowRank | Dense, right: LowRank | Dense) -> None:
        super().__init__()
        self.left, self.right = left, right

    def tensors(self) -> dict[str, Tensor]:
        """Both sides' factors."""
        return {f"{side}.{name}": t for side in ("left", "right") for name, t in getattr(self, side).tensors().items()}

    def map(self, change: OnTensor) -> Self:
        """Both sides changed."""
        return type(self)(self.left.map(change), self.right.map(change))

    def map_rows(self, change: OnTensor) -> Self:
        """Exact only where `change` moves whole blocks of the right side's rows; it is applied to the left side."""
        return type(self)(self.left.map_rows(change), self.right)

    @property
    def shape(self) -> tuple[int, int]:
        """Products of the sides' shapes."""
        (a, b), (c, d) = self.left.shape, self.right.shape
        return a * c, b * d

    @property
    def rank(self) -> int | None:
        """The right side's where it has one, else the left's; LyCORIS scales by it, and not at all without any."""
        return self.right.rank or self.left.rank

    def matrix(self) -> Float[Tensor, "o i"]:
        """Written out."""
        return torch.kron(self.left.matrix().contiguous(), self.right.matrix().contiguous())

    def forward(self, x: Float[Tensor, "*rows i"]) -> Float[Tensor, "*rows o"]:
        """Two small products: the right side along the inner index, the left along the outer."""
        blocks = x.unflatten(-1, (self.left.shape[1], self.right.shape[1]))
        return self.left(self.right(blocks).transpose(-1, -2)).transpose(-1, -2).flatten(-2)


class Delta(nn.Module):
    """What one file changes in one linear layer, or in the rows from `first_row` on of a fused one.

    W + scale * factors, its rows (magnitude (o, 1)) or columns ((1, i)) then brought to the magnitude's lengths where
    there is one (DoRA); and the bias + bias. `alpha` is kept beside the scale, which it gives over the rank.
    """

    def __init__(
        self,
        factors: Factors | None,
        *,
        scale: float = 1.0,
        first_row: int | None = None,
        magnitude: Float[Tensor, "m n"] | None = None,
        bias: Float[Tensor, " o"] | None = None,
    ) -> None:
        super().__init__()
        self.factors, self.scale, self.first_row = factors, scale, first_row
        self.magnitude = None if magnitude is None else nn.Parameter(magnitude, requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
        self.register_buffer("gain", None, persistent=False)
        self.gain: Tensor | None

    def map(self, change: OnTensor) -> "Delta":
        """The same delta of changed tensors."""
        copy = Delta(
            None if self.factors is None else self.factors.map(change),
            scale=self.scale,
            first_row=self.first_row,
            magnitude=None if self.magnitude is None else change(self.magnitude),
            bias=None if self.bias is None else change(self.bias),
        )
        copy.gain = None if self.gain is None else change(self.gain)
        return copy

    @property
    def is_factors_alone(self) -> bool:
        """Whether it is the factors' product with the input, and asks for nothing of the layer's own output."""
        return self.factors is not None and self.gain is None

    @property
    def num_rows(self) -> int:
        """Rows of the layer that it changes."""
        if self.factors is not None:
            return self.factors.shape[0]
        return 0 if self.bias is None else len(self.bias)

    def bound(self, weight: Float[Tensor, "rows i"]) -> "Delta":
        """The delta ready for a layer with this weight: with DoRA's gain, which depends on it."""
        if self.magnitude is None:
            return self
        copy = self.map(lambda tensor: tensor)
        copy.gain = self._gain(self._rows(weight) + self.matrix(dtype=weight.dtype))
        return copy

    def matrix(self, *, dtype: torch.dtype) -> Float[Tensor, "o i"]:
        """scale * factors, computed in `dtype`."""
        if self.factors is None:
            raise AssertionError("a delta of a bias alone has no matrix")
        return self.factors.map(lambda tensor: tensor.to(dtype)).matrix() * self.scale

    def merged(self, weight: Float[Tensor, "rows i"]) -> Float[Tensor, "rows i"]:
        """The change of a layer's whole weight, in the dtype of `weight`: what fusing adds."""
        total = torch.zeros_like(weight)
        if self.factors is None:
            return total
        change = self.matrix(dtype=weight.dtype)
        if self.magnitude is not None:
            before = self._rows(weight)
            change = (before + change) * self._gain(before + change) - before
        self._rows(total).copy_(change)
        return total

    def merged_bias(self, num_rows: int, *, dtype: torch.dtype) -> Float[Tensor, " rows"] | None:
        """The change of the layer's whole bias; None where there is none."""
        if self.bias is None:
            return None
        total = torch.zeros(num_rows, dtype=dtype, device=self.bias.device)
        self._rows(total).copy_(self.bias)
        return total

    def forward(
        self, x: Float[Tensor, "*rows i"], y: Float[Tensor, "*rows out"], *, layer: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "*rows o"]:
        """What to add to its rows of `y`, which is `layer(x)`."""
        if self.factors is None:
            change = torch.zeros_like(self._columns(y))
        elif self.gain is None:
            change = self.scale * self.factors(x)
        elif self.gain.shape[1] == 1:  # of rows: (g - 1) W x + g dW x
            linear = self._columns(y - layer(torch.zeros_like(x[..., :1, :])))
            change = (self.gain[:, 0] - 1) * linear + self.gain[:, 0] * (self.scale * self.factors(x))
        else:  # of columns: W g x - W x + dW g x
            scaled = x * self.gain[0]
            change = self._columns(layer(scaled) - y) + self.scale * self.factors(scaled)
        return change if self.bias is None else change + self.bias

    def _gain(self, changed: Float[Tensor, "o i"]) -> Float[Tensor, "m n"]:
        """The magnitude over the lengths of the rows, or of the columns, of the changed weight."""
        if self.magnitude is None:
            raise AssertionError("only DoRA has a gain")
        axis = 1 if self.magnitude.shape[1] == 1 else 0
        length = changed.norm(dim=axis, keepdim=True).clamp_min(torch.finfo(changed.dtype).tiny)
        return self.magnitude.to(changed.dtype) / length

    def _rows(self, tensor: Tensor) -> Tensor:
        return tensor if self.first_row is None else tensor.narrow(0, self.first_row, self.num_rows)

    def _columns(self, y: Tensor) -> Tensor:
        return y if self.first_row is None else y.narrow(-1, self.first_row, self.num_rows)
