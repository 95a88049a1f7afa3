"""Reading checkpoints of frozen feature networks: tensors only, every key accounted for."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from muybridge.core.errors import WeightsError


def read_state(path: Path, *, remedy: str) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or of a PyTorch file that holds a state dict; nothing in it is run.

    Raises WeightsError, ending in `remedy`, on anything else.
    """
    try:
        is_safe = path.suffix == ".safetensors"
        state = load_file(path) if is_safe else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes can make the readers raise nearly anything
        reason = str(error).strip().splitlines()[0][:120].rstrip(". ") if str(error).strip() else type(error).__name__
        raise WeightsError(f"{path}: cannot be read as a PyTorch file ({reason}); {remedy}.") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path}: holds no state dict; {remedy}.")
    return dict(state)


def take(path: Path, state: dict[str, Tensor], key: str, *, shape: tuple[int, ...], remedy: str) -> Tensor:
    """Remove `key` from `state`. Raises WeightsError where it is missing or has another shape."""
    if key not in state:
        raise WeightsError(f"{path}: has no {key!r}; {remedy}.")
    value = state.pop(key)
    if tuple(value.shape) != shape:
        raise WeightsError(f"{path}: {key!r} has shape {tuple(value.shape)}, not {shape}; {remedy}.")
    return value
