"""A process that runs one source after the other, watched from outside: it may hang, crash or grow."""

import ctypes
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from muybridge.core.errors import MediaError, MuybridgeError, RunFailed
from muybridge.curation.engine.journal import Journal
from muybridge.curation.engine.one_source import Watch, run_source
from muybridge.curation.engine.plan import Plan
from muybridge.curation.opencv import stay_sequential
from muybridge.curation.sources.item import SourceItem

SETTING_UP_S = 600.0  # networks from a slow disk
FULL_BYTES = 16 * 2**20  # free on a disk that no clip may fit on
_DIE_WITH_PARENT, _SMALL_PAGES = 1, 41  # PR_SET_PDEATHSIG, PR_SET_THP_DISABLE, prctl(2)
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # mallopt(3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A source to be run."""

    item: SourceItem
    is_sampled: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A step that ends within `limit_s`, or never."""

    step: str
    limit_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """The source's record is in the folder."""

    num_clips: int
    seconds: dict[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """The source cannot be run; `is_certain` where another try would end the same."""

    reason: str
    is_certain: bool


class Worker:
    """One process and the pipe to it. `task` is what it is at."""

    def __init__(self, plan: Plan) -> None:
        forks = multiprocessing.get_context("fork")
        self.pipe, theirs = forks.Pipe()
        self._process = forks.Process(target=_serve, args=(plan, theirs, os.getpid()), daemon=True)
        self._process.start()
        theirs.close()  # so that the pipe ends when the process does
        self._memory_bytes = plan.limits.memory_bytes
        self.task: Task | None = None
        self.step = Begun(step="setting up", limit_s=SETTING_UP_S)
        self._since = time.monotonic()

    def give(self, task: Task, *, limit_s: float) -> None:
        """Start a source."""
        self.task = task
        self.begun(Begun(step="starting", limit_s=limit_s))
        with suppress(OSError):  # it died meanwhile, which the pipe's end says
            self.pipe.send(task)

    def begun(self, step: Begun) -> None:
        """Note what it is at."""
        self.step, self._since = step, time.monotonic()

    def trouble(self) -> str | None:
        """Why it must be ended now; None while all is well."""
        if time.monotonic() - self._since > self.step.limit_s:
            return f"{self.step.step}: no end within {self.step.limit_s:.0f} s"
        if self._resident_bytes() > self._memory_bytes:
            return f"{self.step.step}: took more than {self._memory_bytes / 2**20:.0f} MiB of memory"
        return None

    def epitaph(self) -> str:
        """What it died of, once its pipe has ended."""
        self._process.join()
        code = self._process.exitcode or 0
        by = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"{self.step.step}: the process died ({by})"

    def kill(self) -> None:
        """Begin its end, which takes as long as its memory is large."""
        self._process.kill()

    def end(self) -> None:
        """Leave no process."""
        self.kill()
        self._process.join()
        self.pipe.close()

    def _resident_bytes(self) -> int:
        """0 where the system does not say."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


def single_thread() -> None:
    """One thread for what this process computes: workers are the parallelism, and sums keep their order."""
    torch.set_num_threads(1)
    stay_sequential()


def attempt(task: Task, plan: Plan, *, watch: Watch) -> Finished | Refused:
    """Run a source and put its record in the folder. Raises RunFailed where the folder cannot be written."""
    journal = Journal(plan.folder)
    try:
        work = journal.work_folder(task.item.id)
        record = run_source(task.item, plan, work=work, watch=watch, is_sampled=task.is_sampled)
        journal.commit(record, work)
        return Finished(num_clips=len(record.rows), seconds=watch.seconds)
    except Exception as error:  # whatever a stage or library raises is that source's end, not the run's
        check_disk(plan.folder)
        return refusal(error)


def refusal(error: Exception) -> Refused:
    """What a source that raised this comes to."""
    return Refused(reason=described(error), is_certain=isinstance(error, MediaError))


def check_disk(folder: Path) -> None:
    """Raises RunFailed where the disk is full or cannot be written: then it is not the source that is at fault."""
    if not os.access(folder, os.W_OK):
        raise RunFailed(f"{folder}: cannot be written any more; mend this and repeat the command.")
    if shutil.disk_usage(folder).free < FULL_BYTES:
        raise RunFailed(f"{folder}: its disk is full; make room and repeat the command.")


def _serve(plan: Plan, pipe: Connection, parent: int) -> None:
    """In the worker: sources until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is expected, and its gigabytes are of no use
    _die_with(parent)
    single_thread()
    _keep_memory()
    with suppress(EOFError, BrokenPipeError):
        try:
            plan.setup()
            pipe.send(None)
            while True:
                task = pipe.recv()
                watch = Watch(lambda step, limit_s: pipe.send(Begun(step=step, limit_s=limit_s)))
                pipe.send(attempt(task, plan, watch=watch))
        except MuybridgeError as error:
            pipe.send(error)
    pipe.close()


def _keep_memory() -> None:
    """Use freed memory again, where the system's malloc can: clip after clip asks for the same, new pages take time.

    Huge ones that numpy asks for took three times as long to come as small ones (measured, on a virtual machine).
    """
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    if sys.platform == "linux":
        libc.prctl(_SMALL_PAGES, 1, 0, 0, 0)


def _die_with(parent: int) -> None:
    """End when the parent does, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def described(error: Exception) -> str:
    """An error of any library in one line."""
    if isinstance(error, MediaError):
        return str(error)
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
