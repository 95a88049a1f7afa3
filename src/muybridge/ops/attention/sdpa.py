"""torch's own attention, and its kernels by name."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from muybridge.ops.attention.interface import Kernel
from muybridge.ops.attention.limits import HALF, Limits

CUDNN_LIMITS = Limits(dtypes=HALF, max_head_dim=128, head_step=8, capability=(9, 0))
_BY_SPEED = [  # on Hopper and after it; what the first cannot do the next does
    SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH,
]  # fmt: skip


def sdpa_only(backend: SDPBackend) -> Kernel:
    """torch's attention by this kernel and no other."""

    def kernel(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(query, key, value)

    return kernel


def sdpa_cudnn_first(
    query: Float[Tensor, "b heads m d"], key: Float[Tensor, "b heads s d"], value: Float[Tensor, "b heads s d"]
) -> Float[Tensor, "b heads m d"]:
    """torch's attention, cuDNN's kernel before the others."""
    with sdpa_kernel(_BY_SPEED, set_priority=True):
        return F.scaled_dot_product_attention(query, key, value)


def suits_cudnn(value: Tensor) -> bool:
    """True where cuDNN's kernel is the fastest of torch's."""
    return value.is_cuda and CUDNN_LIMITS.unmet(value) is None
