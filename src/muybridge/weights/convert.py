"""One layout into another, lossless both ways unless a precision is asked for, two tensors in memory at a time."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from muybridge.core.errors import invalid
from muybridge.core.files import OnBytes
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.config_json import diffusers_config
from muybridge.weights.containers import FILE_SUFFIXES, Container, Gguf, Safetensors
from muybridge.weights.files import open_checkpoint
from muybridge.weights.layouts import Entries, Kind, Layout
from muybridge.weights.partial import Partial
from muybridge.weights.precision import PLAIN, check_read_back
from muybridge.weights.recognise import Recognised, recognise
from muybridge.weights.save import own_metadata
from muybridge.weights.storage import plain
from muybridge.weights.target import Target

RELEASE_BYTES = 2**28  # of the source's pages at most stay mapped; measured: unmapping this often costs nothing

OnProgress = Callable[[str, int, int], None]  # stage (checking, writing, reading back), bytes done, bytes in all


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """What was written, or with a dry run would be. kept_bytes: what an interrupted run had finished before.

    lost: in words, what of the source's precision is not in what was written; empty where every bit is.
    """

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
    lost: tuple[str, ...]
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
    """Files to write: `shards` of tensors and small `texts`, by name. entries: what they mean."""

    checkpoint: Checkpoint
    found: Recognised
    shards: Mapping[str, Entries]
    texts: Mapping[str, str]
    entries: Entries
    target: Target
    container: Container

    def sizes(self) -> dict[str, int]:
        """Bytes of each shard."""
        return {name: self.container.num_bytes(entries) for name, entries in self.shards.items()}

    def finished(self, folder: Path) -> set[str]:
        """The shards that are complete in a folder; `_write` reads them back."""
        return {name for name, entries in self.shards.items() if self.container.is_finished(folder / name, entries)}


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

    destination: a name ending in .safetensors or .gguf (transformers only) gives that one file (not for diffusers);
    anything else a new folder, in shards with an index, for diffusers with its config.json. It appears when it is
    whole. Until then the work is in DESTINATION.partial, and the same call continues there; a .gguf begins anew.
    What is quantised is compared with the source afterwards: no value lost more than its precision may.
    kind: which model, where `source` holds a whole system. key: as `open_checkpoint`.
    is_dry_run: check everything that can be known from the headers, write nothing.
    Memory: two tensors and 256 MiB of the source's pages, whatever the size of source and shards; of a pickle from
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
    worst = None
    if not is_dry_run:
        say = on_progress or _silent
        checkpoint.verify(on_bytes=_counted(say, "checking", sum(map(_size, checkpoint.files))))
        with partial:
            _write(plan, partial.folder, finished=finished, say=say)
            worst = _compared(plan, partial.folder, say=say)
    names = [*plan.shards, *plan.texts]
    is_file = destination.suffix in FILE_SUFFIXES
    return Conversion(
        source=source,
        destination=destination,
        kind=plan.found.kind,
        source_layout=plan.found.layout,
        layout=target.layout,
        num_tensors=sum(map(len, plan.shards.values())),
        num_parameters=sum(entry.num_elements for entry in plan.entries.values()),
        num_bytes=sum(sizes.values()),
        kept_bytes=sum(sizes[name] for name in finished),
        files=(destination,) if is_file else tuple(destination / name for name in names),
        lost=tuple(_lost(plan, worst)),
        is_dry_run=is_dry_run,
    )


def _planned(checkpoint: Checkpoint, found: Recognised, destination: Path, *, target: Target) -> _Plan:
    entries = target.stored(found.in_layout(target.layout))
    quantise = target.precision.quantise if target.precision is not None else None
    made, metadata = quantise(entries) if quantise is not None else entries, own_metadata(found.config, found.kind)
    texts: dict[str, str] = {}
    if target.layout == "diffusers":
        texts["config.json"] = json.dumps(diffusers_config(found.config, checkpoint.config), indent=2) + "\n"
    stem = "diffusion_pytorch_model" if target.layout == "diffusers" else "model"  # what each one's readers look for
    if destination.suffix in FILE_SUFFIXES:
        shards = {destination.name: made}
    else:
        shards = _sharded(made, stem, target.max_shard_bytes)
    if len(shards) > 1:
        texts[f"{stem}.safetensors.index.json"] = _index(shards)
    is_gguf = destination.suffix == ".gguf"
    if is_gguf and found.kind != "transformer":
        raise invalid(f"{destination}", f"is for transformers, not for a {found.kind}", "use .safetensors")
    return _Plan(
        checkpoint=checkpoint,
        found=found,
        shards=shards,
        texts=texts,
        entries=entries,
        target=target,
        container=Gguf(metadata, target.type_name) if is_gguf else Safetensors(metadata),
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
            plan.container.write(file, entries, on_bytes=on_bytes)
        plan.container.check(file, on_bytes=read_back)
    for name, text in plan.texts.items():
        (folder / name).write_text(text)


def _compared(plan: _Plan, folder: Path, *, say: OnProgress) -> float | None:
    """The largest error of what was written, in parts of its tensor's largest value; None where bytes say it all."""
    if plan.target.precision is None and isinstance(plan.container, Safetensors):
        return None
    checkpoint = open_checkpoint(folder)
    compared = _counted(say, "comparing", sum(entry.num_bytes for entry in plan.entries.values()))
    released = [_Every(RELEASE_BYTES, each.release) for each in (plan.checkpoint, checkpoint)]

    def on_bytes(count: int) -> None:
        for told in (compared, *released):
            told(count)

    precision = plan.target.precision or PLAIN
    return check_read_back(plain(checkpoint)[0].entries, plan.entries, precision, file=folder, on_bytes=on_bytes)


def _lost(plan: _Plan, worst: float | None) -> Iterator[str]:
    """What `Conversion.lost` says."""
    target, quantised = plan.target, plan.found.quantisation
    if quantised is not None and target.precision is None and isinstance(plan.container, Safetensors):
        schemes = ", ".join(f"{count:,} tensors of {scheme}" for scheme, count in quantised.counts().items())
        exactly = "" if target.dtype == torch.float32 else " and rounded to 16 bits (float32 keeps them exactly)"
        yield f"{schemes} were decoded{exactly}; they take more room now, and going back rounds again"
    stored = [entry for entry in plan.found.entries.values() if entry.packed is None and entry.dtype.is_floating_point]
    if target.dtype is not None and (count := sum(target.dtype.itemsize < entry.dtype.itemsize for entry in stored)):
        yield f"{count:,} tensors were rounded to {str(target.dtype).removeprefix('torch.')}"
    if target.precision is not None:
        found = "" if worst is None else f": no value by more than {worst:.2%} of the largest in its tensor"
        yield f"the blocks' linear layers were rounded to {target.quantise}{found}"


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
