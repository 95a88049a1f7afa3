"""Commands measured as a person meets them: wall time, processor time and peak memory of a whole process."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """One process from start to end."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    out: str


def measured(command: Sequence[str]) -> Usage:
    """The usage of a command that succeeds; its complaints, where it does not, and the end of the program."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.stdout.read(), process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}: {err or out}")
    wall_s = time.perf_counter() - started
    return Usage(wall_s=wall_s, cpu_s=used.ru_utime + used.ru_stime, peak_bytes=used.ru_maxrss * 1024, out=out)
