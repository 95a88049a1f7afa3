"""Where MuJoCo comes in: the package, and the OpenGL context in which it draws without a display.

MuJoCo's own `Renderer` reads MUJOCO_GL when it is imported. We ask for its EGL context by name instead, so no
variable has to be set before anything is imported, and programs that show MuJoCo's viewer keep their choice.
"""

import importlib
import os
import threading
from functools import cache
from typing import Any

from muybridge.core.errors import MissingExtra, RunFailed

EGL_PACKAGES = "libegl1 libgl1-mesa-dri"  # Debian 12: the loader, and Mesa with llvmpipe, which needs no GPU


@cache
def mujoco_module() -> Any:
    """The package `mujoco`; MissingExtra when it is not installed."""
    try:
        return importlib.import_module("mujoco")
    except ModuleNotFoundError:
        raise MissingExtra("The physics world needs the package mujoco; pip install 'muybridge[worlds]'.") from None


def geom_type(kind: str) -> Any:
    """MuJoCo's constant for a kind of geom: "sphere", "box", "mesh"..."""
    return getattr(mujoco_module().mjtGeom, f"mjGEOM_{kind.upper()}")


def use_context() -> None:
    """Make an EGL context current in the calling thread; RunFailed names what is missing on this machine.

    Each thread keeps its own: the first drawing in a context takes 0.15 s, the next ones do not. A process forked after
    its parent has drawn cannot draw (measured: Mesa waits for threads that no longer are), so it is refused too.
    """
    if _drawing_process() != os.getpid():
        raise RunFailed("A forked process cannot draw after its parent has: start workers by spawn, or before drawing.")
    _context(threading.get_ident()).make_current()


@cache
def _drawing_process() -> int:
    """The process that asked first; a forked one inherits the answer."""
    return os.getpid()


@cache
def _context(thread: int) -> Any:
    mujoco_module()
    try:
        return importlib.import_module("mujoco.egl").GLContext(1, 1)
    except AttributeError:  # what PyOpenGL says when it has no library to look into
        reason = "libEGL.so.1 is missing"
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).split(". ")[0].rstrip(".")
    raise RunFailed(f"No EGL to draw with: {reason}; apt install {EGL_PACKAGES}.")
