"""The small networks that the package ships to measure with: one safetensors file each, config and accuracy inside.

Matrices and convolutions are kept as int8 with one scale a row, everything else as float16, so that a million
parameters take a megabyte.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from muybridge.core.config import from_dict, to_dict
from muybridge.core.errors import WeightsError
from muybridge.weights.save import save_tensors

Config = TypeVar("Config")
Network = TypeVar("Network", bound=nn.Module)

CONFIG, ACCURACY, SCALE = "config", "accuracy", ".row_scale"
MIN_ROW = 16  # values; shorter rows gain nothing from int8
INT8_MAX = 127


def save_small(network: nn.Module, path: Path, *, config: Any, accuracy: Mapping[str, float] | None = None) -> None:
    """Write a network's weights, its frozen dataclass `config`, and what it reached on held-out data."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        tensors |= _stored(name, tensor.detach().cpu())
    about = {CONFIG: json.dumps(to_dict(config)), ACCURACY: json.dumps(dict(accuracy or {}))}
    save_tensors(tensors, path, metadata=about)


def load_small(path: Path, config: type[Config], build: Callable[[Config], Network]) -> Network:
    """The network of a file that `save_small` wrote, in float32, frozen, for inference.

    Raises WeightsError where the file is none, or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            settings = from_dict(config, json.loads((file.metadata() or {})[CONFIG]))
            stored = {name: file.get_tensor(name) for name in file.keys()}
        network = build(settings)
        network.load_state_dict({name: _restored(name, stored) for name in stored if not name.endswith(SCALE)})
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: not a network of this kind ({error}); train it again.") from None
    return network.eval().requires_grad_(False)


def accuracy_of(path: Path) -> dict[str, float]:
    """What the network of a file reached on held-out data, as measured when it was made. Raises WeightsError."""
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {})[ACCURACY])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise WeightsError(f"{path}: says nothing of its accuracy ({error}); train it again.") from None


def _stored(name: str, tensor: Tensor) -> dict[str, Tensor]:
    if not tensor.is_floating_point():
        return {name: tensor}
    if tensor.ndim < 2 or tensor[0].numel() < MIN_ROW:
        return {name: tensor.half()}
    rows = tensor.float().flatten(1)
    scale = rows.abs().amax(1).clamp_min(1e-12) / INT8_MAX
    codes = (rows / scale[:, None]).round().to(torch.int8)
    return {name: codes.view(tensor.shape), name + SCALE: scale}


def _restored(name: str, stored: Mapping[str, Tensor]) -> Tensor:
    tensor, scale = stored[name], stored.get(name + SCALE)
    if scale is None:
        return tensor.float() if tensor.is_floating_point() else tensor
    return tensor.float() * scale.view(-1, *[1] * (tensor.ndim - 1))
