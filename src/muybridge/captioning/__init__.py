"""Structured captions of clips: several captioners behind one seam, and the camera's movement.   Paper 3.2."""

from typing import TYPE_CHECKING

from muybridge.core.lazy import lazy_names

if TYPE_CHECKING:
    from muybridge.captioning.endpoint import EndpointCaptioner
    from muybridge.captioning.own.captioner import OwnCaptioner
    from muybridge.captioning.vlm import VlmCaptioner, VlmConfig

__all__ = ["EndpointCaptioner", "OwnCaptioner", "VlmCaptioner", "VlmConfig"]

_HOMES = {  # transformers takes seconds
    "EndpointCaptioner": "endpoint", "OwnCaptioner": "own.captioner", "VlmCaptioner": "vlm", "VlmConfig": "vlm",
}  # fmt: skip

__getattr__ = lazy_names(__name__, _HOMES)
