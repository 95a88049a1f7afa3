"""What a stage is, and a family of them that together make a model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from muybridge.core.errors import invalid
from muybridge.training.probe_stage import ProbeStage
from muybridge.training.self_trained import SelfTrained
from muybridge.training.stages import CacheStage, FlowStage, VAEStage
from muybridge.worlds.sprites import SpritesConfig

Recipe = VAEStage | CacheStage | FlowStage | ProbeStage | SelfTrained


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage: its recipe, what it learns from, and the stage whose weights it starts from.

    world: None where the data are the user's own. reads: the stage whose result it encodes with (latents: a VAE) or
    learns on (transformers: latents). text: the model whose text encoder made the states of the user's own data.
    """

    recipe: Callable[[], Recipe]
    summary: str
    world: Callable[[], SpritesConfig] | None = None
    start: str | None = None
    reads: str | None = None
    text: str = "gallop"


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """The stages of one model in order, and what its published folder says of itself: None for VAEs, which have none.

    Raises InvalidInput where a stage needs one that does not come before it.
    """

    name: str
    summary: str
    stages: Mapping[str, Stage]
    about: Callable[[], dict[str, Any]] | None

    def __post_init__(self) -> None:
        known: set[str] = set()
        for name, stage in self.stages.items():
            for needed in (stage.start, stage.reads):
                if needed is not None and needed not in known:
                    raise invalid(f"stage {name}", f"needs {needed} before it", "put the stages in order")
            known.add(name)

    def last(self, kind: type[VAEStage] | type[CacheStage] | type[FlowStage]) -> str:
        """The last stage of a kind, whose weights are published."""
        names = [name for name, stage in self.stages.items() if isinstance(stage.recipe(), kind)]
        if not names:
            raise invalid(f"family {self.name}", f"has no {kind.__name__}", "add one to publish it")
        return names[-1]
