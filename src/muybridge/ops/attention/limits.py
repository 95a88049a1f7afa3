"""What a kernel can work on, said before it is called."""

from dataclasses import dataclass

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Of one kernel on one kind of device.

    dtypes: None where all will do. max_head_dim: channels of a head, which must be a multiple of `head_step`.
    capability: of the graphics processor, at least; is_one_generation: newer generations will not do.
    """

    dtypes: tuple[torch.dtype, ...] | None = None
    max_head_dim: int | None = None
    head_step: int = 1
    capability: tuple[int, int] = (0, 0)
    is_one_generation: bool = False

    def unmet(self, value: Tensor) -> str | None:
        """The first rule that `value` breaks; None where it breaks none."""
        if self.dtypes is not None and value.dtype not in self.dtypes:
            return f"needs {' or '.join(map(_word, self.dtypes))}, and these are {_word(value.dtype)}"
        dim = value.shape[-1]
        if (self.max_head_dim is not None and dim > self.max_head_dim) or dim % self.head_step:
            limit = f" of at most {self.max_head_dim}" if self.max_head_dim else ""
            return f"needs heads{limit} in steps of {self.head_step} channels, and these have {dim}"
        has = torch.cuda.get_device_capability(value.device) if value.is_cuda else (0, 0)
        if has < self.capability or (self.is_one_generation and has[0] != self.capability[0]):
            major, minor = self.capability
            needed = f"{major}.x" if self.is_one_generation else f"{major}.{minor} or newer"
            return f"needs compute capability {needed}, and this device has {has[0]}.{has[1]}"
        return None


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
