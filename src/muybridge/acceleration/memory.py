"""Amounts of memory: as people write them, and what a device has free."""

import os
import re
from pathlib import Path

import torch

from muybridge.core.errors import invalid

GIB = 2**30


def parse_bytes(text: str, *, name: str = "memory") -> int:
    """Bytes of "12GiB", "12GB" or "512MiB"; raises InvalidInput, calling it `name`, on anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?", str(text).strip(), re.IGNORECASE)
    if match is None:
        raise invalid(f"{name}={text!r}", "is not an amount of memory", "write 12GiB or 800MiB")
    unit = (match[2] or "").lower()
    power = "kmgt".index(unit[0]) + 1 if unit else 0
    return int(float(match[1]) * (1024 if unit.endswith("i") else 1000) ** power)


def in_words(count: float) -> str:
    """An amount as people read it."""
    return f"{count / GIB:.3g} GiB" if count >= GIB / 2 else f"{count / 2**20:.0f} MiB"


def available_bytes(device: torch.device) -> int:
    """Free memory of the device; for the CPU what the system says is available, within the container's limit."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    return min([_system_available(), *container_available()])


def held_bytes(device: torch.device) -> int:
    """Memory of the device that this process already holds; 0 where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0


def container_available(folder: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """What a control group (v2) leaves, its file cache not counted as used; empty without a limit."""
    limit, used, parts = (folder / f"memory.{name}" for name in ("max", "current", "stat"))
    if not (limit.exists() and used.exists() and parts.exists()) or limit.read_text().strip() == "max":
        return []
    rows = dict(line.split() for line in parts.read_text().splitlines())
    cache = int(rows.get("active_file", 0)) + int(rows.get("inactive_file", 0))
    return [max(0, int(limit.read_text()) - int(used.read_text()) + cache)]


def _system_available() -> int:
    info = Path("/proc/meminfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")  # macOS says no better without a library
