"""The folder of a run: what was asked, each source's result, the clips. Every file in it is whole or not there.

curation.json            what the folder belongs to: stages, settings, versions, columns
sources/XX/ID.json       a source's result: its state and the rows of its clips
clips/XX/ID.mp4 .png     the clips
samples/STAGE/ID.safetensors   what a stage got, for `replay`
erased.json              ids of sources that shall not come back
timings.jsonl, summary.json    clocks: the only files that differ from run to run
.work/                   what is being made; emptied when a run begins
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from muybridge.core.errors import RunFailed, invalid
from muybridge.curation.engine.plan import Plan
from muybridge.curation.engine.rows import Row
from muybridge.curation.sources.item import SourceItem
from muybridge.curation.stage import Column

State = Literal["done", "quarantined", "skipped"]  # skipped: neither film nor picture
CLAIM, SOURCES, CLIPS, SAMPLES, ERASED = "curation.json", "sources", "clips", "samples", "erased.json"
TIMINGS, SUMMARY, WORK = "timings.jsonl", "summary.json", ".work"


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceRecord:
    """What became of one source.

    reason: why it is in quarantine or was skipped. damage: why it ends before its end; the clips before are kept.
    lost: clips that could not be measured or written, and why. notes: values that were not numbers.
    """

    id: str
    uri: str
    state: State
    stage_version: str
    given: Mapping[str, Any]
    reason: str | None = None
    damage: str | None = None
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()

    @classmethod
    def of(cls, item: SourceItem, plan: Plan, *, state: State, **found: Any) -> "SourceRecord":
        """The record of an item in a run."""
        known = {"id": item.id, "uri": item.uri, "given": item.given, "stage_version": plan.stage_version}
        return cls(**known, state=state, **found)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A source's result without its rows, which may be many."""

    state: State
    stage_version: str
    given: Mapping[str, Any]
    num_clips: int


class Journal:
    """The files of one run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def work_folder(self, source: str) -> Path:
        """An empty folder for what is being made of a source."""
        place = self.folder / WORK / source
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        return place

    def record_path(self, source: str) -> Path:
        """Where a source's result lies, or would."""
        return self.folder / SOURCES / source[:2] / f"{source}.json"

    def read(self, source: str) -> SourceRecord | None:
        """A source's result; None where it has none. Raises RunFailed where it is damaged."""
        path = self.record_path(source)
        return _read(path) if path.exists() else None

    def records(self) -> Iterator[SourceRecord]:
        """All results, in the order of the sources' ids."""
        for path in sorted((self.folder / SOURCES).glob("??/*.json")):
            yield _read(path)

    def rows(self) -> Iterator[Row]:
        """The rows of all clips, in the order of their sources, then their own."""
        for record in self.records():
            yield from record.rows

    def columns(self) -> dict[str, Column]:
        """Every column of a row and its type. Raises InvalidInput where the folder is of no run."""
        return self._claim()["columns"]

    def stage_settings(self) -> dict[str, dict[str, Any]]:
        """What each stage was run with, by name. Raises InvalidInput where the folder is of no run."""
        return {each["name"]: each["settings"] for each in self._claim()["settings"]["stages"]}

    def commit(self, record: SourceRecord, work: Path) -> None:
        """Make what lies in `work` of the record's clips and itself the source's result; `work` and any before go."""
        before = self.read(record.id)
        named = {row["id"] for row in record.rows}
        made = [path.relative_to(work) for path in work.rglob("*") if path.is_file() and path.stem in named]
        for name in made:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(work / name, self.folder / name)
        self.write_json(self.record_path(record.id), asdict(record))
        kept = {row["clip"] for row in record.rows}
        for row in before.rows if before is not None else ():
            if row["clip"] not in kept:
                (self.folder / str(row["clip"])).unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)

    def claim(self, plan: Plan) -> None:
        """Make the folder this plan's. Raises InvalidInput where it belongs to other settings."""
        path = self.folder / CLAIM
        if path.exists():
            _check_same(self._claim()["settings"], plan.settings, folder=self.folder)
        elif foreign := [kind for kind in (SOURCES, CLIPS, SAMPLES) if (self.folder / kind).exists()]:
            raise invalid(f"{self.folder / foreign[0]}", f"is there but no {CLAIM}", "choose another folder")
        claim = {"settings": plan.settings, "versions": plan.versions, "columns": plan.columns}
        self.write_json(path, claim, indent=1)

    def tidy(self) -> dict[str, Standing]:
        """Remove what an interrupted run left, everything that no result names; the results by their sources' ids."""
        shutil.rmtree(self.folder / WORK, ignore_errors=True)
        named: set[str] = set()
        standing: dict[str, Standing] = {}
        for record in self.records():
            named.update(str(row["id"]) for row in record.rows)
            known = {"state": record.state, "stage_version": record.stage_version, "given": record.given}
            standing[record.id] = Standing(**known, num_clips=len(record.rows))
        for kind in (CLIPS, SAMPLES):
            for path in (self.folder / kind).glob("*/*"):
                if path.stem not in named:
                    path.unlink()
        return standing

    def erased(self) -> dict[str, list[str]]:
        """Ids of sources that were erased and shall not be taken in again; with clips while that is under way."""
        path = self.folder / ERASED
        return json.loads(path.read_text()) if path.exists() else {}

    def write_json(self, path: Path, content: Any, *, indent: int | None = None) -> None:
        """Write, by way of the work folder, so that a kill leaves nothing beside it."""
        temporary = self.folder / WORK / f"{path.name}.{os.getpid()}"
        temporary.parent.mkdir(exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(content, sort_keys=True, indent=indent, allow_nan=False) + "\n")
        os.replace(temporary, path)

    def _claim(self) -> dict[str, Any]:
        path = self.folder / CLAIM
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError):
            raise invalid(str(self.folder), f"holds no {CLAIM} that can be read", "name the folder of a run") from None


def _read(path: Path) -> SourceRecord:
    try:
        found = json.loads(path.read_text())
        rows = tuple({name: _value(value) for name, value in row.items()} for row in found.pop("rows"))
        names = {field.name for field in fields(SourceRecord)}
        known = {name: _value(value) for name, value in found.items() if name in names}
        return SourceRecord(**known, rows=rows)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunFailed(f"{path}: is damaged ({error}); remove it, and its source is run anew.") from None


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_same(before: Mapping[str, Any], now: Mapping[str, Any], *, folder: Path) -> None:
    """Raises InvalidInput naming what differs."""
    if before == now:
        return
    old, new = ({each["name"]: each["settings"] for each in some["stages"]} for some in (before, now))
    found = [f"without {name}" for name in old if name not in new] + [f"with {name}" for name in new if name not in old]
    for name in old.keys() & new.keys():
        keys = sorted(key for key in old[name].keys() | new[name].keys() if old[name].get(key) != new[name].get(key))
        found += [f"{name} {key}={new[name].get(key)} for {old[name].get(key)}" for key in keys]
    if before.get("qp") != now["qp"]:
        found.append(f"qp={now['qp']} for {before.get('qp')}")
    said = ", ".join(found) or "another order of stages"
    raise invalid(str(folder), f"was made with other settings ({said})", "use those again, or another folder")
