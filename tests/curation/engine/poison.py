"""Stages that behave badly on sources whose names say so, and footage to run them on."""

import hashlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from muybridge.core.errors import MediaError
from muybridge.curation.clip import Clip, Value
from muybridge.curation.engine.journal import SUMMARY, TIMINGS, WORK
from muybridge.curation.engine.local import LocalExecutor
from muybridge.curation.engine.plan import Plan
from muybridge.curation.engine.run import run_stages
from muybridge.curation.even import Brightness, EvenSplitter
from muybridge.curation.plain import Measurement
from muybridge.curation.sources.find import find_sources
from muybridge.curation.stage import Column
from muybridge.media.image import write_image
from muybridge.media.writer import write_video

LOST_S = 1.0  # where the clip begins that is lost


def footage(folder: Path, *names: str) -> Path:
    """Films of 25 frames of 34x48 noise, or pictures, whose pixels depend on their names."""
    for name in names:
        generator = np.random.default_rng(len(name) + ord(name[0]))
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            write_image(path, generator.integers(0, 256, (33, 47, 3), dtype=np.uint8))
        else:
            write_video(path, generator.integers(0, 256, (25, 34, 48, 3), dtype=np.uint8), fps=10)
    return folder


def plan(folder: Path, *stages: Measurement, seconds: float = 1.0, **chosen: object) -> Plan:
    """Clips of some seconds at 32 px, their brightness, and what is tested."""
    splitter = EvenSplitter(seconds=seconds, side_px=32)
    return Plan(splitter=splitter, stages=(Brightness(), *stages), folder=folder, **chosen)  # type: ignore[arg-type]


def run(footage_folder: Path, chosen: Plan, *, num_workers: int = 1):
    """The plan over all that is in a folder."""
    return run_stages(chosen, find_sources([str(footage_folder)]), executor=LocalExecutor(num_workers=num_workers))


def digest(folder: Path) -> dict[str, str]:
    """Every file that is to be the same however it was made."""
    clocks = (TIMINGS, SUMMARY, WORK)
    paths = [path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0] not in clocks]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)}


class Poisoned(Measurement):
    """Hangs, crashes, grows or fails on sources that are named so; of one named `lose`, a clip cannot be measured."""

    name = "poisoned"
    outputs: Mapping[str, Column] = {"fine": "bool"}

    def measure(self, clip: Clip) -> Mapping[str, Value]:
        if "hang" in clip.origin.uri:
            time.sleep(60)
        if "crash" in clip.origin.uri:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "fail" in clip.origin.uri:
            raise ZeroDivisionError("0 / 0")
        if "lose" in clip.origin.uri and clip.start_s == LOST_S:
            raise MediaError("not this one")
        held = []
        while "grow" in clip.origin.uri:
            held.append(np.ones(2**21))  # 16 MiB
            time.sleep(0.01)
        return {"fine": True}
