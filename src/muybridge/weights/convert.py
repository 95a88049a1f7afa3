"""One layout into another, lossless both ways, one tensor in memory at a time; an interrupted conversion continues."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from muybridge.core.errors import WeightsError
from muybridge.core.files import OnBytes
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.config_json import diffusers_config
from muybridge.weights.files import open_checkpoint
from muybridge.weights.header import read_header, verify
from muybridge.weights.layouts import Entries, Kind, Layout
from muybridge.weights.partial import Partial
from muybridge.weights.recognise import Recognised, recognise
from muybridge.weights.save import is_finished, own_metadata, stored_bytes, stream_safetensors
from muybridge.weights.target import Target

RELEASE_BYTES = 2**28  # of the source's pages at most stay mapped; measured: unmapping this often costs nothing

OnProgress = Callable[[str, int, int], None]  # stage (checking, writing, reading back), bytes done, bytes in all


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """What was written, or with a dry run would be. kept_bytes: what an interrupted run had finished before."""

    source: Path
    destination: Path
    kind: Kind
    source_layout: Layout
    layout: Layout
    num_tensors: int
    num_parameters: int
    num_bytes: int
    kept_bytes: int
    files: tuple[Path, ...]
    is_dry_run: bool

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        plain = asdict(self)
        return plain | {
            "source": str(self.source),
            "destination": str(self.destination),
            "files": list(map(str, self.files)),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """Files to write: `shards` of tensors and small `texts`, by name."""

    checkpoint: Checkpoint
    found: Recognised
    shards: Mapping[str, Entries]
    texts: Mapping[str, str]
    metadata: Mapping[str, str]

    def sizes(self) -> dict[str, int]:
        """Bytes of each shard."""
        return {name: stored_bytes(entries, metadata=self.metadata) for name, entries in self.shards.items()}

    def finished(self, folder: Path) -> set[str]:
        """The shards that are complete in a folder; `_write` reads them back."""
        return {
            name for name, entries in self.shards.items() if is_finished(folder / name, entries, metadata=self.metadata)
        }


def convert(
    source: str | Path,
    destination: str | Path,
    *,
    target: Target,
    kind: Kind | None = None,
    key: str = "module",
    is_dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> Conversion:
    """Write the model at `source` to `destination`, every key accounted for, and read it back.

    destination: a name ending in .safetensors gives that one file (not for diffusers); anything else a new folder,
    in shards with an index, for diffusers with its config.json. It appears when it is
    whole. Until then the work is in DESTINATION.partial, and the same call continues there.
    kind: which model, where `source` holds a whole system. key: as `open_checkpoint`.
    is_dry_run: check everything that can be known from the headers, write nothing.
    Memory: one tensor and 256 MiB of the source's pages, whatever the size of source and shards; of a pickle from
    before torch 1.6, which cannot be mapped, the whole.
    Raises WeightsError on a bad source, InvalidInput on a destination that is taken, a disk with too little room, or a
    model that the layout cannot hold.
    """
    source, destination = Path(source).expanduser(), Path(destination).expanduser()
    target.check_destination(destination)
    checkpoint = open_checkpoint(source, component=kind, key=key)
    found = recognise(checkpoint, kind=kind)
    plan = _planned(checkpoint, found, destination, target=target)
    request = {
        "source": [(str(file.absolute()), file.stat().st_size, file.stat().st_mtime_ns) for file in checkpoint.files],
        "kind": found.kind,
        "key": key,
        "target": str(target),
        "shards": list(plan.shards),
    }
    partial = Partial(destination, request)
    finished = plan.finished(partial.folder)
    sizes = plan.sizes()
    partial.check_room(sum(size - _size(partial.folder / name) for name, size in sizes.items() if name not in finished))
    if not is_dry_run:
        say = on_progress or _silent
        checkpoint.verify(on_bytes=_counted(say, "checking", sum(map(_size, checkpoint.files))))
        with partial:
            _write(plan, partial.folder, finished=finished, say=say)
    names = [*plan.shards, *plan.texts]
    is_file = destination.suffix == ".safetensors"
    return Conversion(
        source=source,
        destination=destination,
        kind=plan.found.kind,
        source_layout=plan.found.layout,
        layout=target.layout,
        num_tensors=sum(map(len, plan.shards.values())),
        num_parameters=sum(entry.num_elements for shard in plan.shards.values() for entry in shard.values()),
        num_bytes=sum(sizes.values()),
        kept_bytes=sum(sizes[name] for name in finished),
        files=(destination,) if is_file else tuple(destination / name for name in names),
        is_dry_run=is_dry_run,
    )


def _planned(checkpoint: Checkpoint, found: Recognised, destination: Path, *, target: Target) -> _Plan:
    entries = target.stored(found.in_layout(target.layout))
    texts: dict[str, str] = {}
    if target.layout == "diffusers":
        texts["config.json"] = json.dumps(diffusers_config(found.config, checkpoint.config), indent=2) + "\n"
    stem = "diffusion_pytorch_model" if target.layout == "diffusers" else "model"  # what each one's readers look for
    if destination.suffix == ".safetensors":
        shards = {destination.name: entries}
    else:
        shards = _sharded(entries, stem, target.max_shard_bytes)
    if len(shards) > 1:
        texts[f"{stem}.safetensors.index.json"] = _index(shards)
    return _Plan(
        checkpoint=checkpoint, found=found, shards=shards, texts=texts, metadata=own_metadata(found.config, found.kind)
    )


def _write(plan: _Plan, folder: Path, *, finished: set[str], say: OnProgress) -> None:
    """Every shard written, or continued, and read back."""
    sizes = plan.sizes()
    written = _counted(say, "writing", sum(size for name, size in sizes.items() if name not in finished))
    read_back = _counted(say, "reading back", sum(sizes.values()))
    released = _Every(RELEASE_BYTES, plan.checkpoint.release)

    def on_bytes(count: int) -> None:
        written(count)
        released(count)

    for name, entries in plan.shards.items():
        file = folder / name
        if name not in finished:
            stream_safetensors(file, entries, metadata=plan.metadata, on_bytes=on_bytes)
        try:
            verify(file, read_header(file), on_bytes=read_back)
        except WeightsError:
            rule = "what is on the disk is not what was read from the source"
            raise WeightsError(f"{file}: {rule}; check the disk, remove this file and convert again.") from None
    for name, text in plan.texts.items():
        (folder / name).write_text(text)


def _sharded(entries: Entries, stem: str, max_shard_bytes: int) -> dict[str, Entries]:
    """Entries in order, files filled up to the limit; a tensor over the limit stands alone."""
    shards: list[dict[str, Any]] = [{}]
    room = max_shard_bytes
    for key, entry in entries.items():
        if shards[-1] and entry.num_bytes > room:
            shards.append({})
            room = max_shard_bytes
        shards[-1][key] = entry
        room -= entry.num_bytes
    if len(shards) == 1:
        return {f"{stem}.safetensors": shards[0]}
    return {f"{stem}-{n:05d}-of-{len(shards):05d}.safetensors": shard for n, shard in enumerate(shards, start=1)}


def _index(shards: Mapping[str, Entries]) -> str:
    weight_map = {key: name for name, entries in shards.items() for key in entries}
    total = sum(entry.num_bytes for entries in shards.values() for entry in entries.values())
    return (
        json.dumps({"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}, indent=2) + "\n"
    )


class _Every:
    """Calls something each time that so many bytes have passed."""

    def __init__(self, num_bytes: int, call: Callable[[], None]) -> None:
        self._num_bytes, self._call, self._passed = num_bytes, call, 0

    def __call__(self, count: int) -> None:
        self._passed += count
        if self._passed >= self._num_bytes:
            self._passed = 0
            self._call()


def _counted(say: OnProgress, stage: str, total: int) -> OnBytes:
    """Increments of a stage as its bytes done."""
    done = 0

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        say(stage, done, total)

    return on_bytes


def _silent(_stage: str, _done: int, _total: int) -> None:
    pass


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
