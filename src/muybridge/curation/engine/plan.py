"""What a run does to its sources, and the short name of all that its values depend on."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.core.errors import invalid
from muybridge.core.files import sha256
from muybridge.curation.stage import Column, Splitter, Stage, check_chain

FACTS: Mapping[str, Column] = {
    "id": "text", "source": "text", "uri": "text", "start_s": "float", "end_s": "float", "num_frames": "int",
    "width": "int", "height": "int", "fps": "float", "source_width": "int", "source_height": "int", "crop": "floats",
    "clip": "text", "sha256": "text", "licence": "text", "has_consent": "bool", "has_sound": "bool",
    "is_picture": "bool", "stage_version": "text",
}  # fmt: skip
_DECLARED = {"name", "version", "inputs", "outputs", "resources"}  # of a stage, which are no settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a source may take before its worker is ended: it is tried once more alone, then put in quarantine.

    Time: every step, a stage on a clip or the search for the next clip, has `base_s` and `per_second` for each second
    of the clip or source. memory_bytes: of one worker, networks and all.
    """

    base_s: float = 60.0
    per_second: float = 4.0
    memory_bytes: int = 6 * 2**30

    def __post_init__(self) -> None:
        if self.base_s <= 0 or self.per_second < 0:
            raise invalid(f"base_s={self.base_s}, per_second={self.per_second}", "limits lie above 0", "use 60 and 4")
        if self.memory_bytes < 2**20:
            raise invalid(f"memory_bytes={self.memory_bytes}", "a worker takes megabytes", "use 6 GiB, 6442450944")

    def of(self, length_s: float) -> float:
        """Seconds for a step on so much footage."""
        return self.base_s + self.per_second * length_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The splitter, the stages in order, and the folder that is filled.

    qp: the quantiser of the clips' H.264, 1 to 51, 1 is best. num_samples: sources whose first clip is kept as each
    stage got it, for `replay`. settings: what a folder belongs to, JSON-ready: the stages in order, how clips are
    coded. stage_version: 12 hex digits that change with any setting or version. Both are of the plan as it was made,
    not of what networks were loaded since. Raises InvalidInput where a stage reads what none before it writes.
    """

    splitter: Splitter
    stages: tuple[Stage, ...]
    folder: Path
    limits: Limits = dataclasses.field(default_factory=Limits)
    qp: int = 19
    num_samples: int = 0
    settings: Mapping[str, Any] = dataclasses.field(init=False)
    stage_version: str = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        check_chain(self.splitter, self.stages)
        if not 1 <= self.qp <= 51:
            raise invalid(f"qp={self.qp}", "H.264's quantisers are 1 to 51, and 0 few can play", "use 19")
        authors = {name: each.name for each in (self.splitter, *self.stages) for name in each.outputs}
        if clash := sorted(FACTS.keys() & authors.keys()):
            raise invalid(f"stage {authors[clash[0]]}", f"{clash[0]} is a fact of every row", "rename its column")
        chain = [{"name": each.name, "settings": _settings_of(each)} for each in (self.splitter, *self.stages)]
        object.__setattr__(self, "settings", {"stages": chain, "qp": self.qp})
        text = json.dumps([self.settings, self.versions], sort_keys=True)
        object.__setattr__(self, "stage_version", hashlib.sha256(text.encode()).hexdigest()[:12])

    @property
    def columns(self) -> dict[str, Column]:
        """Every column of a row and its type."""
        found = dict(FACTS)
        for each in (self.splitter, *self.stages):
            found.update(each.outputs)
        return found

    @property
    def versions(self) -> dict[str, int]:
        """Of the splitter and every stage."""
        return {each.name: each.version for each in (self.splitter, *self.stages)}

    def prepare(self) -> None:
        """Once a machine, before any worker. Raises AssetError, MissingExtra."""
        for each in (self.splitter, *self.stages):
            each.prepare()

    def setup(self) -> None:
        """Once a worker."""
        for each in (self.splitter, *self.stages):
            each.setup()


def _settings_of(stage: Splitter | Stage) -> dict[str, Any]:
    """The public attributes that it was made with, as far as they are plain."""
    if dataclasses.is_dataclass(stage):
        found = {field.name: getattr(stage, field.name) for field in dataclasses.fields(stage) if field.init}
    else:
        found = getattr(stage, "__dict__", {})
    chosen = {name: value for name, value in found.items() if name not in _DECLARED and not name.startswith("_")}
    plain = {name: _plain(value) for name, value in chosen.items()}
    return {name: value for name, value in plain.items() if value is not NotImplemented}


def _plain(value: Any) -> Any:
    """As JSON holds it; NotImplemented where it is no setting, such as a network."""
    if isinstance(value, bool | int | float | str | None):
        return value
    if isinstance(value, Path):  # what it says, wherever it lies
        return sha256(value)[:12] if value.is_file() else str(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return NotImplemented
