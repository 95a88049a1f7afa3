"""OpenCV, which is optional: the one place that imports it."""

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
