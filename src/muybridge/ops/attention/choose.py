"""Attention by name: the kernels of torch and of other packages, and the patterns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend

from muybridge.core.errors import invalid
from muybridge.ops.attention.attend import attend
from muybridge.ops.attention.blocked import blocked_attention
from muybridge.ops.attention.flash import FLASH_2, FLASH_3, Flash
from muybridge.ops.attention.interface import Attention, Grid, Kernel, is_whole, one_by_one
from muybridge.ops.attention.limits import Limits
from muybridge.ops.attention.optional import Package
from muybridge.ops.attention.packing import PackedKernel, attend_packed
from muybridge.ops.attention.patterns import parse_pattern
from muybridge.ops.attention.reference import reference_attention
from muybridge.ops.attention.sage import SAGE, SAGE_LIMITS, sage_attention
from muybridge.ops.attention.sdpa import CUDNN_LIMITS, sdpa_only
from muybridge.ops.attention.sparse import SparseAttention

ANYWHERE = {"cuda": Limits(), "cpu": Limits()}


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedKernel:
    """One kernel and no other, over every pair of tokens; refuses what it cannot work on.

    kernel: for samples of one length; packed: for a batch of different lengths, which are served one by one where there
    is none. limits: by kind of device. package: what must be installed. is_exact: False where it computes in fewer bits
    than its inputs have.
    """

    name: str
    kernel: Kernel
    limits: Mapping[str, Limits] = field(default_factory=lambda: ANYWHERE)
    packed: PackedKernel | None = None
    package: Package | None = None
    is_exact: bool = True

    def unmet(self, value: Tensor) -> str | None:
        """Why it cannot work on such tensors; None where it can, if it is installed."""
        limits = self.limits.get(value.device.type)
        if limits is None:
            return f"needs {' or '.join(self.limits)}, and these are on {value.device.type}"
        return limits.unmet(value)

    def check(self, value: Tensor) -> None:
        """Raises InvalidInput where it cannot work on such tensors."""
        unmet = self.unmet(value)
        if unmet is not None:
            raise invalid(f"attention={self.name}", unmet, "use attention=auto")

    def __call__(
        self,
        query: Float[Tensor, "b heads s d"],
        key: Float[Tensor, "b heads s d"],
        value: Float[Tensor, "b heads s d"],
        *,
        lengths: Sequence[int] | None = None,
        grid: Grid | None = None,
    ) -> Float[Tensor, "b heads s d"]:
        """As `attend`. Raises InvalidInput where the tensors are not for this kernel."""
        self.check(value)
        query, key = query.to(value.dtype), key.to(value.dtype)
        if is_whole(value, lengths):
            return self.kernel(query, key, value)
        if self.packed is not None and lengths is not None:
            return attend_packed(self.packed, query, key, value, lengths=lengths)
        return one_by_one(self.kernel, query, key, value, lengths=lengths)


def _flash(name: str, flash: Flash) -> NamedKernel:
    return NamedKernel(
        name=name, kernel=flash.whole, packed=flash.packed, package=flash.package, limits={"cuda": flash.limits}
    )


_ROWS = (
    NamedKernel(name="torch", kernel=F.scaled_dot_product_attention),
    NamedKernel(
        name="flash",
        kernel=sdpa_only(SDPBackend.FLASH_ATTENTION),
        limits={"cuda": FLASH_2.limits, "cpu": Limits()},
    ),
    NamedKernel(
        name="cudnn",
        kernel=sdpa_only(SDPBackend.CUDNN_ATTENTION),
        limits={"cuda": replace(CUDNN_LIMITS, capability=(8, 0))},
    ),
    NamedKernel(name="efficient", kernel=sdpa_only(SDPBackend.EFFICIENT_ATTENTION), limits={"cuda": Limits()}),
    NamedKernel(name="math", kernel=sdpa_only(SDPBackend.MATH)),
    NamedKernel(
        name="blocked",
        kernel=partial(one_by_one, blocked_attention, lengths=None),
        limits={"cpu": Limits(dtypes=(torch.bfloat16,))},
    ),
    _flash("flash-attention-2", FLASH_2),
    _flash("flash-attention-3", FLASH_3),
    NamedKernel(name="sage", kernel=sage_attention, package=SAGE, limits={"cuda": SAGE_LIMITS}, is_exact=False),
    NamedKernel(name="reference", kernel=reference_attention),
)
KERNELS = {kernel.name: kernel for kernel in _ROWS}
NAMES = ("auto", *KERNELS, "sliding-tile", "radial")


def attention_named(name: str, *, like: Tensor | None = None) -> Attention:
    """What blocks are to call: "auto" for `attend`, a row of `KERNELS`, or a pattern (`parse_pattern`).

    like: values (b, heads, s, d) as the blocks will have them: a kernel that cannot work on such is refused here, not
    when it is called. Only patterns, and kernels whose `is_exact` is False, change results by more than rounding;
    "auto" never takes them.
    Raises InvalidInput on any other name, MissingExtra where the kernel's package is not installed.
    """
    if name == "auto":
        return attend
    pattern = parse_pattern(name)
    if pattern is not None:
        return SparseAttention(pattern)
    if name not in KERNELS:
        raise invalid(f"attention={name}", f"known are {', '.join(NAMES)}", "use auto, which is exact")
    kernel = KERNELS[name]
    if like is not None:
        kernel.check(like)
    if kernel.package is not None:
        kernel.package.load()
    return kernel
