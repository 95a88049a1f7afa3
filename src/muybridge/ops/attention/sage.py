"""SageAttention 1 and 2: queries and keys in 8 bits, so an approximation. arXiv 2410.02367, 2411.10958."""

from jaxtyping import Float
from torch import Tensor

from muybridge.ops.attention.limits import HALF, Limits
from muybridge.ops.attention.optional import Package

SAGE_LIMITS = Limits(dtypes=HALF, max_head_dim=128, head_step=8, capability=(8, 0))
SAGE = Package(module="sageattention", source="pip install sageattention")


def sage_attention(
    query: Float[Tensor, "b heads m d"], key: Float[Tensor, "b heads s d"], value: Float[Tensor, "b heads s d"]
) -> Float[Tensor, "b heads m d"]:
    """By the installed version, which chooses its kernel for the device. Raises MissingExtra."""
    run = SAGE.load().sageattn
    return run(query.contiguous(), key.contiguous(), value.contiguous(), tensor_layout="HND", is_causal=False)
