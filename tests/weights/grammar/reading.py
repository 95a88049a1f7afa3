"""What every hostile file must survive, and what must never happen meanwhile."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from muybridge.core.errors import MuybridgeError
from muybridge.weights.files import open_checkpoint
from muybridge.weights.lora import ActiveLora, LoraStack, is_lora, read_lora
from muybridge.weights.recognise import recognise
from muybridge.weights.report import describe_all
from tests.weights.small import small_transformer

MAX_SECONDS = 1.0  # of processor time
MAX_CHARACTERS = 3000  # of a message
_RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "socket.connect", "os.remove",
         "os.rename", "os.mkdir", "os.symlink", "shutil.rmtree", "exec_by_pickle", "ctypes.dlopen")  # fmt: skip


class Finding(Exception):
    """A file was neither read nor refused in one line that names it, quickly and without doing anything else."""


def check(path: Path) -> str | None:
    """The refusal, None where the file was read to its end. Raises Finding."""
    started = time.process_time()
    messages = []
    for read in (describe_all, _load):
        try:
            with watched():
                read(path)
        except MuybridgeError as error:
            messages.append(str(error))
        except Finding:
            raise
        except (Exception, SystemExit) as error:
            raise Finding(f"{read.__name__}: {type(error).__name__}: {str(error)[:200]}") from error
    took_s = time.process_time() - started
    for message in messages:
        folder = path if path.is_dir() else path.parent
        if len(message.splitlines()) != 1 or str(folder) not in message or len(message) > MAX_CHARACTERS:
            raise Finding(f"no line of ours: {message[:300]!r}")
        if not message.isprintable():
            raise Finding(f"unprintable: {message[:300]!r}")
    if took_s > 2 * MAX_SECONDS:  # two readings
        raise Finding(f"took {took_s:.1f} s of processor time")
    return messages[-1] if messages else None


def _load(path: Path) -> None:
    """Open, recognise or read as a LoRA, and read every tensor."""
    checkpoint = open_checkpoint(path, verify=True)
    if is_lora(checkpoint.entries):
        LoraStack(small_transformer()).set([ActiveLora(lora=read_lora(path))])
        return
    for entry in recognise(checkpoint).entries.values():
        tensor = entry.read()
        if tuple(tensor.shape) != entry.shape or tensor.dtype != entry.dtype:
            raise Finding(f"promised {entry.shape} {entry.dtype}, gave {tuple(tensor.shape)} {tensor.dtype}")


_DEVICES = ("/dev/zero", "/dev/stdin", "/dev/full")
_watching: list[str] | None = None


def _heard(event: str, values: tuple[object, ...]) -> None:
    if _watching is None:
        return
    if event in _RUNS:
        _watching.append(f"{event} {values!r:.200}")
    elif event == "open" and (set(str(values[1] or "")) & set("wax+") or values[0] in _DEVICES):
        _watching.append(f"opened {values[0]!r:.200} as {values[1]}")


@contextmanager
def watched() -> Iterator[None]:
    """Raises Finding where the block starts a program, connects, writes or reads a device."""
    global _watching
    if not getattr(sys, "_hostile_hook", False):
        sys.addaudithook(_heard)
        sys._hostile_hook = True  # type: ignore[attr-defined]
    _watching = heard = []
    try:
        yield
    finally:
        _watching = None
        if heard:
            raise Finding(f"did more than read: {heard[0]}")
