"""Structured captions of clips: several captioners behind one seam, and the camera's movement.   Paper 3.2."""

from typing import TYPE_CHECKING

from muybridge.core.lazy import lazy_names

if TYPE_CHECKING:
    from muybridge.captioning.endpoint import EndpointCaptioner
    from muybridge.captioning.vlm import VlmCaptioner, VlmConfig

__all__ = ["EndpointCaptioner", "VlmCaptioner", "VlmConfig"]

_HOMES = {"EndpointCaptioner": "endpoint", "VlmCaptioner": "vlm", "VlmConfig": "vlm"}  # transformers takes seconds

__getattr__ = lazy_names(__name__, _HOMES)
