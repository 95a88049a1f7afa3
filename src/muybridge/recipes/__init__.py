"""Where concrete choices meet: a recipe is a function that returns a complete config."""

from typing import TYPE_CHECKING

from muybridge.core.lazy import lazy_names

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
__getattr__ = lazy_names(__name__, _HOMES)  # the command line's help must not wait for torch
