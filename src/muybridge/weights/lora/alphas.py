"""What the low-rank product is scaled by: a tensor beside it, else what the file's metadata or its neighbours say."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muybridge.core.errors import WeightsError
from muybridge.weights.json_map import json_map

DIFFUSERS_KEY = "lora_adapter_metadata"  # a peft LoraConfig as JSON, its fields behind `transformer.`
_BESIDE = "adapter_config.json"  # of a peft folder
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class AlphaRule:
    """A peft configuration as far as scale goes: one alpha for all, others for some, over the rank or its root."""

    alpha: float | None = None
    by_module: Mapping[str, float] = field(default_factory=dict)
    is_by_root: bool = False  # rank-stabilised LoRA, arXiv 2312.03732

    def scale(self, name: str, rank: int | None) -> float:
        """The scale of a module (as the file spells it); 1 where nothing is said."""
        alpha = next((alpha for pattern, alpha in self.by_module.items() if _fits(name, pattern)), self.alpha)
        if alpha is None or rank is None:
            return 1.0
        return alpha / (math.sqrt(rank) if self.is_by_root else rank)


def alpha_rule(path: Path, metadata: Mapping[str, str]) -> AlphaRule:
    """What is said outside the tensors. Raises WeightsError where it does not hold together."""
    if DIFFUSERS_KEY in metadata:
        values = json_map(metadata[DIFFUSERS_KEY], f"{path}: {DIFFUSERS_KEY} in its metadata")
        return _rule({key.removeprefix("transformer."): value for key, value in values.items()}, path)
    beside = path.parent / _BESIDE
    if path.name.startswith("adapter_model") and beside.is_file() and beside.stat().st_size <= _MAX_BYTES:
        return _rule(json_map(beside.read_bytes(), f"{beside}:"), beside)
    return AlphaRule()


def checked_alpha(value: Any, where: str) -> float:
    """A usable alpha. Raises WeightsError on NaN, infinity, zero and what is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise WeightsError(
            f"{where}: alpha is {value!r}, which is no scale; save the LoRA again with a number above 0."
        )
    return float(value)


def _rule(values: Mapping[str, Any], where: Path) -> AlphaRule:
    alpha, patterns = values.get("lora_alpha"), values.get("alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise WeightsError(f"{where}: alpha_pattern is no map; save the LoRA again.")
    return AlphaRule(
        alpha=None if alpha is None else checked_alpha(alpha, str(where)),
        by_module={str(name): checked_alpha(value, f"{where}: {name}") for name, value in patterns.items()},
        is_by_root=values.get("use_rslora") is True,
    )


def _fits(name: str, pattern: str) -> bool:
    """A pattern is a module's name, or the end of one unless ^ stands before it."""
    return name == pattern.removeprefix("^") or name.endswith("." + pattern)
