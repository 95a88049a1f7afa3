"""Training state as torch DCP folders: written beside, read back, then renamed, so that a kill leaves the former one.

A folder holds DCP's files, `run.json` (the run's settings) and `sums.json` (each file's SHA-256). A damaged newest
checkpoint is an error that names the one before it: which of the two to go on from is the user's choice.
"""

import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch.distributed.checkpoint as dcp
from torch import Tensor

from muybridge.core import room
from muybridge.core.errors import RunFailed
from muybridge.core.files import sha256
from muybridge.core.room import gigabytes
from muybridge.training.settings import RunSettings

SUMS = "sums.json"
ROOM_FOR_OTHERS = 1.1  # convention: checkpoints leave a tenth of their size to metrics, samples and final weights


def save(folder: Path, step: int, state: dict[str, Any], *, settings: RunSettings, num_kept: int = 2) -> Path:
    """Write `state` as `folder/step-N` and keep the last `num_kept`; nothing where that step is there already.

    Raises RunFailed where the disk refuses it, or what was read back is not all of it; the others stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, temporary = folder / f"step-{step:07d}", folder / f".step-{step:07d}.{os.getpid()}"
    if target.exists():  # a run's step has one state only
        return target
    try:
        with _alone():
            dcp.save(state, checkpoint_id=temporary, no_dist=True)
        settings.save(temporary / "run.json")
        _seal(temporary, at_least_bytes=num_bytes(state))
        os.replace(temporary, target)
        _sync(folder)
    except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into a RuntimeError
        free = gigabytes(shutil.disk_usage(folder).free)
        why = getattr(error, "strerror", None) or "writing failed"
        raise RunFailed(f"{target}: not saved ({why}, {free} free); make room and repeat the command.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for old in _finished(folder)[:-num_kept]:
        _remove(old)
    for stale in folder.glob(".step-*"):
        shutil.rmtree(stale, ignore_errors=True)
    return target


def latest(folder: Path) -> Path | None:
    """The newest finished checkpoint, or None."""
    finished = _finished(folder)
    return finished[-1] if finished else None


def load(target: Path, state: dict[str, Any]) -> None:
    """Fill `state` in place from a checkpoint that was checked."""
    with _alone():
        dcp.load(state, checkpoint_id=target, no_dist=True)


def check(target: Path, *, settings: RunSettings) -> None:
    """Raises RunFailed unless the checkpoint is whole and of a run with these settings."""
    if damage := _damage(target):
        others = [path.name for path in _finished(target.parent) if path < target]
        outcome = f"continue from {others[-1]}" if others else "start afresh"
        raise RunFailed(f"{target}: damaged ({damage}); delete this folder to {outcome}.")
    if changed := settings.changed_since(target / "run.json"):
        raise RunFailed(
            f"{target}: was trained with other settings ({', '.join(changed)}); "
            "repeat the first command, or choose a new --out to start afresh."
        )


def tensor_names(target: Path) -> set[str]:
    """The dotted names of what a checkpoint holds, such as "model.img_in.proj.weight"."""
    metadata = dcp.FileSystemReader(target).read_metadata()
    return set(metadata.state_dict_metadata)


def num_bytes(state: Mapping[str, Any]) -> int:
    """Bytes of the tensors in a nested state."""
    sizes = [_size(value) for value in state.values()]
    return sum(sizes)


def check_room(folder: Path, state_bytes: int, *, num_kept: int) -> None:
    """Raises InvalidInput unless the disk has room for the checkpoints of a run: those kept and the one being written.

    Those that are there already count as room: they make way for the new ones.
    """
    num_new = max(1, num_kept + 1 - len(_finished(folder)))
    room.check_room(
        folder,
        int(num_new * state_bytes * ROOM_FOR_OTHERS),
        what=f"{num_new} checkpoints of {gigabytes(state_bytes)}",
        remedy="free some, lower run.num_checkpoints, or choose an --out on another disk",
    )


def _size(value: Any) -> int:
    if isinstance(value, Mapping):
        return num_bytes(value)
    return value.nbytes if isinstance(value, Tensor) else 0


def _seal(folder: Path, *, at_least_bytes: int) -> None:
    """Read the files back, note their sums, and wait until the disk has them."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    written_bytes = sum(path.stat().st_size for path in files)
    if written_bytes < at_least_bytes:
        raise RunFailed(f"{folder}: {written_bytes} bytes arrived of {at_least_bytes}; check the disk.")
    (folder / SUMS).write_text(json.dumps({path.name: sha256(path) for path in files}, indent=1))
    for path in (folder / "run.json", folder / SUMS):  # DCP has waited for its own
        _sync(path)
    _sync(folder)


def _damage(target: Path) -> str | None:
    """What is wrong with the files, or None; checkpoints from before there were sums cannot be told."""
    if not (target / SUMS).exists():
        return None if (target / ".metadata").exists() and (target / "run.json").exists() else f"{SUMS} is missing"
    for name, wanted in json.loads((target / SUMS).read_text()).items():
        if not (target / name).exists():
            return f"{name} is missing"
        if sha256(target / name) != wanted:
            return f"{name} is not what was written"
    return None


def _remove(checkpoint: Path) -> None:
    """Rename, then delete: a kill between the two leaves no checkpoint with a hole."""
    aside = checkpoint.with_name(f".{checkpoint.name}.old")
    os.replace(checkpoint, aside)
    shutil.rmtree(aside, ignore_errors=True)


def _sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _alone() -> Iterator[None]:
    """DCP in one process: it warns that it is, even when told so, and wraps errors as if others had sent them."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")
            yield
    except dcp.api.CheckpointException as error:
        cause, _ = next(iter(error.failures.values()))
        raise cause from None


def _finished(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))
