"""The Tucker form in which LyCORIS keeps the change of a convolution: a core with the kernel between two factors.

Multiplied into the factor behind it, the core is gone and the change is a plain one; the patch embedding is the
network's only convolution.
"""

from dataclasses import replace
from typing import NamedTuple

import torch

from muybridge.core.errors import WeightsError
from muybridge.weights.lora.groups import Group


class _Core(NamedTuple):
    """The roles of a core's two factors, and whether the file has the one before it as (rank, outputs)."""

    down: str
    up: str
    has_turned_up: bool


CORES = {
    "core": _Core("down", "up", False),
    "hada_core1": _Core("hada_down1", "hada_up1", True),
    "hada_core2": _Core("hada_down2", "hada_up2", True),
    "right_core": _Core("right_down", "right_up", True),
}


def without_cores(group: Group) -> Group:
    """The group with every core multiplied into its factor: exact but for the rounding of that product.

    Raises WeightsError where a factor is missing or does not fit its core.
    """
    tensors = dict(group.tensors)
    for role in tensors.keys() & CORES.keys():
        core, (down_role, up_role, has_turned_up) = tensors.pop(role), CORES[role]
        for needed in (down_role, up_role):
            if needed not in tensors:
                raise WeightsError(f"{group.at(role)} lacks its factor ({needed}); use the complete file.")
        down, up = tensors[down_role], tensors[up_role]
        up = up.T if has_turned_up and up.ndim == 2 else up
        is_fit = core.ndim == 5 and min(down.ndim, up.ndim) >= 2
        if not is_fit or core.shape[:2] != (up.shape[1], down.shape[0]) or down[0].numel() != down.shape[1]:
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in (core, down, up))
            raise WeightsError(f"{group.at(role)} and its factors have the shapes {shapes}, which do not fit.")
        product = torch.einsum("orthw,rc->octhw", core.float(), down.flatten(1).float())
        tensors |= {down_role: product.to(down.dtype), up_role: up}
    return replace(group, tensors=tensors)
