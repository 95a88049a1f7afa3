"""Where concrete choices meet: a recipe is a function that returns a complete config."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muybridge.recipes.families import FAMILIES
    from muybridge.recipes.launch import OwnData, run_all, run_on_data, run_stage
    from muybridge.recipes.planning import StagePlan, plan_stages

_HOMES = {
    "FAMILIES": "families",
    "OwnData": "launch",
    "StagePlan": "planning",
    "plan_stages": "planning",
    "run_all": "launch",
    "run_on_data": "launch",
    "run_stage": "launch",
}
__all__ = ["FAMILIES", "OwnData", "StagePlan", "plan_stages", "run_all", "run_on_data", "run_stage"]


def __getattr__(name: str) -> Any:
    """A public name, its module imported now: the command line's help must not wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'muybridge.recipes' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"muybridge.recipes.{_HOMES[name]}"), name)
