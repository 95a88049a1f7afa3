"""FlashAttention 2 and 3, from packages of their own. arXiv 2307.08691, 2407.08608."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from muybridge.ops.attention.limits import HALF, Limits
from muybridge.ops.attention.optional import Package


@dataclass(frozen=True, kw_only=True, slots=True)
class Flash:
    """One generation of the kernels and what it can work on.

    They want tokens before heads. Some versions return the logits' sums beside the result, which are left here.
    """

    package: Package
    limits: Limits

    def suits(self, value: Tensor) -> bool:
        """True where it is installed and can work on such tensors."""
        return value.is_cuda and self.package.is_installed and self.limits.unmet(value) is None

    def whole(
        self,
        query: Float[Tensor, "b heads m d"],
        key: Float[Tensor, "b heads s d"],
        value: Float[Tensor, "b heads s d"],
    ) -> Float[Tensor, "b heads m d"]:
        """Attention of samples of one length. Raises MissingExtra."""
        run = self.package.load().flash_attn_func
        return _alone(run(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2))).transpose(1, 2)

    def packed(
        self,
        query: Float[Tensor, "n heads d"],
        key: Float[Tensor, "n heads d"],
        value: Float[Tensor, "n heads d"],
        *,
        starts: Int[Tensor, " ends"],
        longest: int,
    ) -> Float[Tensor, "n heads d"]:
        """Attention of samples one after the other, `ops.attention.packing.packed`. Raises MissingExtra."""
        run = self.package.load().flash_attn_varlen_func
        return _alone(run(query, key, value, starts, starts, longest, longest))


FLASH_2 = Flash(
    package=Package(module="flash_attn", source="pip install flash-attn --no-build-isolation"),
    limits=Limits(dtypes=HALF, max_head_dim=256, head_step=8, capability=(8, 0)),
)
FLASH_3 = Flash(
    package=Package(module="flash_attn_interface", source="python setup.py install` in flash-attention's `hopper"),
    limits=Limits(dtypes=HALF, max_head_dim=256, head_step=8, capability=(9, 0), is_one_generation=True),
)


def _alone(result: Tensor | tuple[Tensor, ...]) -> Tensor:
    return result[0] if isinstance(result, tuple) else result
