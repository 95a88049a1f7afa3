"""The micro-benchmark of this machine: about two seconds, once for each machine and version of torch."""

import hashlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from muybridge.acceleration.device import LARGE, SMALL, Device, Rate
from muybridge.acceleration.memory import available_bytes
from muybridge.acceleration.quantise import SCHEMES
from muybridge.core.config import from_dict, to_dict
from muybridge.core.counting import attention_flops
from muybridge.core.env import cache_folder
from muybridge.core.errors import InvalidInput
from muybridge.core.files import atomic_path
from muybridge.ops.attention import attend

BUSY_LOAD = 0.5  # more waiting than that beside what runs: convention
VERSION = 2  # of what is measured; another one measures anew
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
CPU_DTYPES = ("float32", "bfloat16")  # float16 is not made for CPUs
TRIAL_S = 0.1  # of each measurement; there are fourteen
ROWS, HEADS, HEAD_DIM = 512, 4, 64
COPIED_BYTES = 64 * 2**20
DISK_BYTES = 64 * 2**20


def measured(place: torch.device, *, anew: bool = False) -> Device:
    """This machine's device, from the cache where it was measured before with this torch."""
    found = None if anew else known(place)
    if found is not None:
        return found
    file = _file(place)
    device = measure(place, scratch=file.parent)
    with atomic_path(file) as temporary:
        temporary.write_text(json.dumps(to_dict(device), indent=2), encoding="utf-8")
    return device


def known(place: torch.device) -> Device | None:
    """What was measured before; None where nothing was."""
    return _read(_file(place))


def total_bytes(place: torch.device) -> int:
    """All of a device's memory."""
    if place.type == "cuda":
        return torch.cuda.get_device_properties(place).total_memory
    system = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(available_bytes(place), system)


@torch.inference_mode()
def measure(place: torch.device, *, scratch: Path) -> Device:
    """What the device reaches now; the disk is that of the folder `scratch`, which is made."""
    names = [name for name in DTYPES if place.type == "cuda" or name in CPU_DTYPES]
    dtypes = {name: DTYPES[name] for name in names}
    return Device(
        name=_name(place),
        kind="cuda" if place.type == "cuda" else "cpu",
        memory_bytes=total_bytes(place),
        host_bytes=total_bytes(torch.device("cpu")) if place.type == "cuda" else 0,
        matmul={name: _rates(_matmul, place, dtype) for name, dtype in dtypes.items()} | _scheme_rates(place),
        attention={name: _rates(_attention, place, dtype) for name, dtype in dtypes.items()},
        convolution={name: _rates(_convolution, place, dtype) for name, dtype in dtypes.items()},
        copy_rate=_copy_rate(place),
        host_rate=_host_rate(place),
        disk_rate=_disk_rate(scratch),
        call_s=_call_seconds(place),
        source=f"measured, torch {torch.__version__}, {torch.get_num_threads()} threads{_busy()}",
    )


Trial = tuple[Callable[[], object], float]  # what runs, and its operations


def _rates(trial: Callable[[torch.device, torch.dtype, int], Trial], place: torch.device, dtype: torch.dtype) -> Rate:
    small, large = (trial(place, dtype, size) for size in (SMALL, LARGE))
    return small[1] / _seconds(small[0], place), large[1] / _seconds(large[0], place)


def _scheme_rates(place: torch.device) -> dict[str, Rate]:
    """Of the schemes of quantisation that are made for this kind of device."""
    made = [name for name, scheme in SCHEMES.items() if place.type in scheme.fast_on]

    return {name: _rates(partial(_quantised, name), place, torch.bfloat16) for name in made}


def _quantised(scheme: str, place: torch.device, dtype: torch.dtype, width: int) -> Trial:
    x, weight = (torch.randn(rows, width, device=place, dtype=dtype) for rows in (ROWS, width))
    layer = SCHEMES[scheme].swap(weight, None, scheme)
    return lambda: layer(x), 2.0 * ROWS * width**2


def _matmul(place: torch.device, dtype: torch.dtype, width: int) -> Trial:
    x, weight = (torch.randn(rows, width, device=place, dtype=dtype) for rows in (ROWS, width))
    return lambda: F.linear(x, weight), 2.0 * ROWS * width**2


def _attention(place: torch.device, dtype: torch.dtype, tokens: int) -> Trial:
    q, k, v = (torch.randn(1, HEADS, tokens, HEAD_DIM, device=place, dtype=dtype) for _ in range(3))
    return lambda: attend(q, k, v), float(attention_flops(tokens, tokens, width=HEADS * HEAD_DIM))


def _convolution(place: torch.device, dtype: torch.dtype, size: int) -> Trial:
    channels, side = (32, 32) if size == SMALL else (256, 16)
    x = torch.randn(1, channels, 6, side + 2, side + 2, device=place, dtype=dtype)
    weight = torch.randn(channels, channels, 3, 3, 3, device=place, dtype=dtype)
    return lambda: F.conv3d(x, weight), 2.0 * 27 * channels**2 * 4 * side**2


def _copy_rate(place: torch.device) -> float:
    source = torch.ones(COPIED_BYTES, dtype=torch.uint8, device=place)
    target = torch.empty_like(source)
    return 2 * COPIED_BYTES / _seconds(lambda: target.copy_(source), place)  # read and written


def _host_rate(place: torch.device) -> float:
    """From pinned host memory to the device; for a CPU one copy."""
    source = torch.ones(COPIED_BYTES, dtype=torch.uint8)
    source = source.pin_memory() if place.type == "cuda" else source
    target = torch.empty(COPIED_BYTES, dtype=torch.uint8, device=place)
    return COPIED_BYTES / _seconds(lambda: target.copy_(source, non_blocking=True), place)


def _disk_rate(folder: Path) -> float:
    """Reading a file that the system was told to forget."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(os.urandom(2**20) * (DISK_BYTES // 2**20))
        file.flush()
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        buffer = bytearray(2**22)
        started = time.perf_counter()
        while file.raw.readinto(buffer):  # type: ignore[attr-defined]
            pass
        return DISK_BYTES / (time.perf_counter() - started)


def _call_seconds(place: torch.device) -> float:
    x: Tensor = torch.ones(1, device=place)

    def calls() -> None:
        for _ in range(100):
            x.add_(0)

    return _seconds(calls, place) / 100


def _busy() -> str:
    """A warning where other programs keep the processor busy, which makes all rates too small."""
    if not hasattr(os, "getloadavg"):
        return ""
    load = os.getloadavg()[0]
    is_busy = load > (os.cpu_count() or 1) + BUSY_LOAD
    return f", while the machine was busy (load {load:.1f}): --measure measures anew" if is_busy else ""


def _seconds(run: Callable[[], object], place: torch.device) -> float:
    """The fastest of as many runs as the trial's time holds, after one that does not count; at least three."""
    taken: list[float] = []
    run()
    while len(taken) < 3 or sum(taken) < TRIAL_S:
        _finish(place)
        started = time.perf_counter()
        run()
        _finish(place)
        taken.append(time.perf_counter() - started)
    return min(taken)


def _finish(place: torch.device) -> None:
    if place.type == "cuda":
        torch.cuda.synchronize(place)


def _name(place: torch.device) -> str:
    if place.type == "cuda":
        return torch.cuda.get_device_name(place)
    return f"{_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _file(place: torch.device) -> Path:
    """Where the measurement of this machine, with this torch, is kept."""
    words = [VERSION, platform.node(), _name(place), torch.get_num_threads(), torch.__version__]
    return cache_folder() / "devices" / f"{hashlib.sha256(repr(words).encode()).hexdigest()[:16]}.json"


def _read(file: Path) -> Device | None:
    """A measurement of before; None where there is none or it is not one."""
    try:
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        for name in ("matmul", "attention", "convolution"):
            values[name] = {dtype: tuple(rate) for dtype, rate in values[name].items()}
        return from_dict(Device, values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, InvalidInput):
        return None
