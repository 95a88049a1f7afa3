"""Released `.pt` files: PyTorch pickles read as data only, memory-mapped, never run."""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.core.files import CHUNK_BYTES, OnBytes

ZIP_MAGIC = b"PK\x03\x04"
PICKLE_MAGIC = b"\x80"
WRAPPERS = ("module", "ema", "state_dict")  # as released: transformer (module, ema), VAE (state_dict)


def is_pickle(start: bytes) -> bool:
    """Whether a file that begins so is a PyTorch pickle; the length in front of a safetensors header may look alike."""
    return start[8:9] != b"{" and start.startswith((ZIP_MAGIC, PICKLE_MAGIC))


def read_pickle(path: Path, *, key: str) -> dict[str, Tensor]:
    """The state dict in a pickle; `key` chooses between `module` and `ema` where a file holds them.

    Raises WeightsError where the pickle is damaged, holds code (none of which runs), or anything but tensors.
    """
    with path.open("rb") as file:
        is_zip = file.read(4) == ZIP_MAGIC
    if is_zip:
        _check_members(path)
    try:
        with warnings.catch_warnings():  # of protocols that torch has not tested: it refuses or it reads
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except Exception as error:  # damaged bytes can make the unpickler raise nearly anything
        raise WeightsError(_explained(path, str(error))) from None
    state = _unwrapped(path, loaded, key)
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsError(
                f"{path}: entry {name!r} is a {type(value).__name__}, not a tensor; give a file with one state dict."
            )
        if not _is_whole(value):
            raise WeightsError(f"{path}: {name!r} does not hold all its numbers; save it dense and contiguous.")
    return dict(state)


def verify(path: Path, *, on_bytes: OnBytes | None = None) -> None:
    """Check the archive's CRC-32 sums, which torch.save writes.

    on_bytes: told how many bytes more were read. Raises WeightsError where one differs; old pickles without an archive
    carry none and pass.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                _read_through(archive, member, on_bytes)
    except (zipfile.BadZipFile, EOFError, ValueError, OSError, NotImplementedError) as error:
        fault = f"does not match its checksums ({_one_line(str(error))})"
        raise WeightsError(f"{path}: the archive {fault}; download it again.") from None


def _check_members(path: Path) -> None:
    """Raises WeightsError unless the archive is whole and of members that take the room in the file that they say."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, EOFError, ValueError, OSError, NotImplementedError):
        rule = "has the beginning of a PyTorch archive and not its end, so it is truncated or damaged"
        raise WeightsError(f"{path}: {rule}; download it again.") from None
    if len({member.filename for member in members}) < len(members):
        raise WeightsError(f"{path}: its archive names a member twice; download it again.")
    packed = [member.filename for member in members if member.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise WeightsError(f"{path}: {packed[0]!r} in it is compressed, which torch.save never does; save it again.")


def _read_through(archive: zipfile.ZipFile, member: zipfile.ZipInfo, on_bytes: OnBytes | None) -> None:
    """To the end, where zipfile compares the checksum."""
    with archive.open(member) as stream:
        while count := len(stream.read(CHUNK_BYTES)):
            if on_bytes is not None:
                on_bytes(count)


def _is_whole(tensor: Tensor) -> bool:
    """Whether there is a number in the file for every element: not so for sparse, meta and expanded tensors."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _unwrapped(path: Path, loaded: Any, key: str) -> Mapping[Any, Any]:
    if not isinstance(loaded, Mapping):
        raise WeightsError(f"{path}: holds a {type(loaded).__name__}, not a state dict; save model.state_dict().")
    wrappers = [name for name in WRAPPERS if isinstance(loaded.get(name), Mapping)]
    if not wrappers:
        return loaded
    if key in wrappers:
        return loaded[key]
    if wrappers == ["state_dict"]:
        return loaded["state_dict"]
    raise WeightsError(f"{path}: has no entry {key!r}; choose {' or '.join(wrappers)}.")


def _explained(path: Path, message: str) -> str:
    found = re.search(r"GLOBAL ([\w.]+)|Unsupported (?:global|operand|class)\S* ?([\w.]*)", message)
    if found or "weights_only" in message or "Weights only" in message:
        what = f"code ({found[1] or found[2]})" if found and (found[1] or found[2]) else "more than tensors"
        return f"{path}: this pickle holds {what}, which was not run; use a safetensors file from a source you trust."
    return f"{path}: cannot be read as a PyTorch file ({_one_line(message)}); download it again."


def _one_line(message: str) -> str:
    first = message.strip().splitlines()[0] if message.strip() else "no reason given"
    return first[:160].rstrip(". ")
