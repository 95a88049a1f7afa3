"""Independent pieces of work in several processes of this machine, and folders that one run has to itself."""

import fcntl
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

from muybridge.core.errors import RunFailed

Item = TypeVar("Item")


def in_processes(work: Callable[[Item], object], items: Sequence[Item], *, num_workers: int) -> Iterator[None]:
    """Do `work` on every item, and yield as each is done; with one worker in this process, else in forked ones.

    Raises what `work` raised, and RunFailed where a process was ended from outside. However it ends, no process stays.
    """
    if num_workers == 1:
        for item in items:
            work(item)
            yield
        return
    forks = multiprocessing.get_context("fork")
    running: dict[Connection, BaseProcess] = {}
    try:
        for number in range(min(num_workers, len(items))):
            ours, theirs = forks.Pipe(duplex=False)
            process = forks.Process(target=_work, args=(work, items[number::num_workers], theirs), daemon=True)
            process.start()
            theirs.close()  # so that the pipe ends when the process does
            running[ours] = process
        yield from _each_done(running)
    finally:
        for process in running.values():
            process.terminate()
            process.join()


@contextmanager
def alone_in(folder: Path, *, patience_s: float = 0.0) -> Iterator[None]:
    """The folder, made where it is not there, to this process and its children; the system lets go when they end.

    patience_s: how long to wait for another run's end: children of one that was killed take a moment to die.
    Raises RunFailed where another run has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    give_up = time.monotonic() + patience_s
    while not _locked(handle):
        if time.monotonic() >= give_up:
            os.close(handle)
            message = f"{folder}: another run is writing here; wait for its end, or choose another folder."
            raise RunFailed(message)
        time.sleep(0.05)
    try:
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _work(work: Callable[[Item], object], items: Sequence[Item], pipe: Connection) -> None:
    """In the forked process: a message for each item, or the error that ended it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        for item in items:
            work(item)
            pipe.send(None)
    except Exception as error:
        with suppress(BrokenPipeError):  # the parent is gone
            pipe.send(error)


def _each_done(running: Mapping[Connection, BaseProcess]) -> Iterator[None]:
    """As each item is done, until every process has ended."""
    waiting = set(running)
    while waiting:
        for pipe in wait(waiting):
            assert isinstance(pipe, Connection)
            if _heard(pipe, running[pipe]):
                yield
            else:
                waiting.discard(pipe)


def _heard(pipe: Connection, process: BaseProcess) -> bool:
    """Whether the process has done one more; False at its end."""
    try:
        message = pipe.recv()
    except EOFError:
        process.join()
        if process.exitcode:
            raise RunFailed(f"a worker was ended from outside ({process.exitcode}); use fewer workers.") from None
        return False
    if message is not None:
        raise message
    return True
