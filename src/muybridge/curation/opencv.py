"""OpenCV, which is optional: the one place that imports it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from muybridge.core.errors import MissingExtra

try:
    import cv2
except ImportError:
    cv2 = None


def opencv() -> Any:
    """The module cv2. Raises MissingExtra where it is not installed."""
    if cv2 is None:
        raise MissingExtra("opencv: not installed; pip install 'muybridge[curate]'.")
    return cv2


def stay_sequential() -> None:
    """From now on OpenCV, where it is installed, starts no threads in this process."""
    if cv2 is not None:
        cv2.setNumThreads(0)


@contextmanager
def one_thread() -> Iterator[None]:
    """Within the block OpenCV uses one thread: what some of its functions give depends on the number."""
    module = opencv()
    before = module.getNumThreads()
    module.setNumThreads(1)
    try:
        yield
    finally:
        module.setNumThreads(before)
