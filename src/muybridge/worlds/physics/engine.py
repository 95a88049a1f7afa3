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

    Each thread of each process keeps its own: the first drawing in a context takes 0.15 s, the next ones do not.
    """
    context = _context(os.getpid(), threading.get_ident())
    context.make_current()


@cache
def _context(process: int, thread: int) -> Any:
    mujoco_module()
    try:
        return importlib.import_module("mujoco.egl").GLContext(1, 1)
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise RunFailed(f"No EGL to draw with ({reason}); apt install {EGL_PACKAGES}.") from error
