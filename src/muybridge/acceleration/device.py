"""What a machine can do: how much memory it has and how fast it works, measured here or from its data sheet."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from muybridge.acceleration.memory import GIB, parse_bytes
from muybridge.core.errors import invalid

SMALL, LARGE = 256, 2048  # widths that rates are measured at; between them they grow with the logarithm

Rate = tuple[float, float]  # a second, at SMALL and at LARGE


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A machine in numbers; rates are what is reached, in operations or bytes a second.

    memory_bytes: of the device, all of it. host_bytes: beside it, 0 where the device is the host's own processor.
    matmul, attention, convolution: by dtype; matmul also by scheme of quantisation where that was measured.
    copy_rate: inside the device. host_rate: from the host to it. disk_rate: a file that is not in the cache.
    call_s: one operation on next to nothing. source: where the numbers are from; is_nominal: not
    measured; is_elsewhere: not this machine.
    """

    name: str
    kind: Literal["cpu", "cuda"]
    memory_bytes: int
    host_bytes: int
    matmul: Mapping[str, Rate]
    attention: Mapping[str, Rate]
    convolution: Mapping[str, Rate]
    copy_rate: float
    host_rate: float
    disk_rate: float
    call_s: float
    source: str
    is_nominal: bool = False
    is_elsewhere: bool = False


def rate_at(rates: Mapping[str, Rate], dtype: str, size: float) -> float:
    """The rate of a dtype at a size; that of float32 where the dtype was not measured."""
    small, large = rates.get(dtype, rates["float32"])
    share = math.log(max(size, 1) / SMALL) / math.log(LARGE / SMALL)
    return small + (large - small) * min(1.0, max(0.0, share))


# Data sheets: tera-operations a second in bfloat16 with float32 sums, not sparse; GB; GB a second of memory and of bus.
_SHEETS: dict[str, tuple[float, float, float, float, str]] = {
    "h200": (989.4, 141, 4800, 64, "NVIDIA H200 SXM data sheet"),
    "h100": (989.4, 80, 3350, 64, "NVIDIA H100 SXM data sheet"),
    "a100": (311.9, 80, 2039, 32, "NVIDIA A100 80GB SXM data sheet"),
    "l40s": (362.1, 48, 864, 32, "NVIDIA L40S data sheet"),
    "5090": (209.5, 32, 1792, 64, "NVIDIA Blackwell GPU architecture paper, GeForce RTX 5090"),
    "4090": (165.2, 24, 1008, 32, "NVIDIA Ada GPU architecture paper, GeForce RTX 4090"),
    "3090": (71.0, 24, 936, 32, "NVIDIA Ampere GA102 architecture paper, GeForce RTX 3090"),
}
_USUAL_CPU = (1.0, 0, 50, 20, "convention: a desk machine of 8 cores")
_WITHOUT_FP8 = ("a100", "3090")
# Shares of the sheet that are reached; convention, after what is published for H100: cuBLAS 700 of 989 tera-operations,
# FlashAttention-3 at head size 128 about 740 (arXiv 2407.08608), 3D convolutions the least.
_MATMUL, _ATTENTION, _CONVOLUTION, _BUS = 0.7, 0.6, 0.35, 0.8
_FLOAT32 = 1 / 16  # of bfloat16's rate; tensor cores are not used for it
_NOMINAL_HOST_BYTES, _NOMINAL_DISK_RATE, _NOMINAL_CALL_S = 64 * GIB, 3e9, 8e-6  # convention: a desk machine with NVMe


def nominal(words: str) -> Device:
    """The device of a data sheet: a name such as "h200", or with another amount of memory, "4090-16GiB".

    Raises InvalidInput on an unknown name.
    """
    match = re.fullmatch(r"(?:rtx[ -]?)?([a-z0-9]+?)(?:-(\d[\d.]*\s*[kmgt]i?b?))?", words.strip().lower())
    if match is None or match[1] not in _SHEETS:
        known = ", ".join(["cpu", "cuda", *_SHEETS])
        raise invalid(f"device={words}", f"known are {known}", "use one of them, also as NAME-MEMORY: 4090-16GiB")
    name, memory_gb = match[1], _SHEETS[match[1]][1]
    memory = parse_bytes(match[2]) if match[2] else int(memory_gb * 1e9)
    found = _of_sheet(name, words.strip().lower(), memory_bytes=memory, host_bytes=_NOMINAL_HOST_BYTES)
    return replace(found, is_elsewhere=True)


def unmeasured(kind: Literal["cpu", "cuda"], *, memory_bytes: int, host_bytes: int) -> Device:
    """This machine's memory with the rates of a usual one, where nobody has measured it yet."""
    name = "4090" if kind == "cuda" else "cpu"
    found = _of_sheet(name, f"this {kind}", memory_bytes=memory_bytes, host_bytes=host_bytes)
    return replace(found, kind=kind)


def _of_sheet(name: str, words: str, *, memory_bytes: int, host_bytes: int) -> Device:
    tera, _, copy_gb, bus_gb, source = _SHEETS.get(name, _USUAL_CPU)
    rate = tera * 1e12
    return Device(
        name=words,
        kind="cuda",
        memory_bytes=memory_bytes,
        host_bytes=host_bytes,
        matmul=_by_dtype(rate * _MATMUL) | _by_scheme(name, rate * _MATMUL),
        attention=_by_dtype(rate * _ATTENTION),
        convolution=_by_dtype(rate * _CONVOLUTION),
        copy_rate=copy_gb * 1e9 * _BUS,
        host_rate=bus_gb * 1e9 * _BUS,
        disk_rate=_NOMINAL_DISK_RATE,
        call_s=_NOMINAL_CALL_S,
        source=f"{source}; nominal: 70 % of its matrix rate, a disk of 3 GB/s",
        is_nominal=True,
    )


def _by_scheme(name: str, rate: float) -> dict[str, Rate]:
    """Twice bfloat16's rate in eight bits, on all of them for integers."""
    twice = rate * 2 * 0.3, rate * 2
    return {"int8": twice} | ({} if name in _WITHOUT_FP8 else {"fp8": twice})


def _by_dtype(rate: float) -> dict[str, Rate]:
    half = rate * 0.3, rate  # convention: products of width 256 do not fill the device
    single = half[0] * _FLOAT32 * 2, half[1] * _FLOAT32
    return {"bfloat16": half, "float16": half, "float32": single}
