"""Captions of clips that a world made: what the scene says, read from the note beside each clip."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.captioning.captioner import CaptionResult, ClipView
from muybridge.captioning.schema import CHOICES, FIELDS, validated
from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.worlds.structured import UNKNOWN, StructuredCaption


@dataclass(frozen=True, kw_only=True, slots=True)
class TruthCaptioner:
    """A `Captioner` for the clips of a folder that `worlds` wrote. Each is found by its column `uri`."""

    folder: Path
    name = "truth"

    @property
    def identity(self) -> str:
        """What the folder holds."""
        return f"truth-1-{self._claim()}"

    def prepare(self) -> None:
        """Raises RunFailed where the folder is no world's."""
        self._claim()

    def caption(self, views: Sequence[ClipView]) -> list[CaptionResult]:
        """Each clip's own truth, the whole scene's where the clip is a part of it."""
        return [self._one(view) for view in views]

    def _claim(self) -> str:
        try:
            return json.dumps(json.loads((self.folder / "world.json").read_text()), sort_keys=True)
        except (OSError, ValueError):
            raise RunFailed(f"{self.folder}: no world wrote it (world.json); give one that `worlds` made.") from None

    def _one(self, view: ClipView) -> CaptionResult:
        uri = str(view.columns.get("uri", ""))
        stem = Path(uri).stem
        for path in ((self.folder / uri).with_suffix(".json"), self.folder / "clips" / f"{stem}.json"):
            if stem and path.resolve().is_relative_to(self.folder.resolve()) and path.is_file():
                try:
                    return CaptionResult(caption=caption_of_row(json.loads(path.read_text(encoding="utf-8"))))
                except (OSError, ValueError, InvalidInput) as error:
                    return CaptionResult(caption=None, problem=f"{path.name}: holds no caption ({error})")
        return CaptionResult(caption=None, problem=f"{uri!r}: no clip of {self.folder}; caption it otherwise.")


def caption_of_row(row: dict[str, Any]) -> StructuredCaption:
    """The caption in a row of a manifest. Movements outside the fourteen are unknown. Raises InvalidInput."""
    fields = {name: row.get(name, "") for name in FIELDS} | {"short": row.get("short") or row.get("caption", "")}
    for name, options in CHOICES.items():
        if fields[name] not in options:
            fields[name] = UNKNOWN
    return validated(fields)
