"""What makes a run itself: the settings that a checkpoint remembers, and how they are compared later."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.core.config import completed, to_dict

# How long to train, what to show and what to keep may change between calls of one run.
FREE_NAMES = (
    "num_steps", "log_every_steps", "checkpoint_every_steps", "validate_every_steps", "sample_every_steps",
    "num_checkpoints", "trackers", "recompute",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSettings:
    """A recipe's config, as a run is known by."""

    config: Any

    def save(self, path: Path) -> None:
        """Write them as JSON."""
        path.write_text(json.dumps(_fixed(to_dict(self.config)), indent=1))

    def changed_since(self, path: Path) -> list[str]:
        """Dotted names of the settings that differ from those saved at `path`, as `--set` takes them.

        A setting that did not exist when they were saved had the value that is its default now.
        """
        before = _flat(_fixed(completed(json.loads(path.read_text()), self.config)))
        now = _flat(_fixed(to_dict(self.config)))
        return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def settings_of(config: Any) -> RunSettings:
    """The settings of a run, from its recipe's config."""
    return RunSettings(config=config)


def _fixed(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings without those of `run` that are free to change."""
    if "run" not in settings:
        return settings
    return settings | {"run": {name: value for name, value in settings["run"].items() if name not in FREE_NAMES}}


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
