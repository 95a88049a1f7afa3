"""Muybridge: the HunyuanVideo system as one Python package."""

from typing import TYPE_CHECKING

from muybridge.core.lazy import lazy_names

if TYPE_CHECKING:
    from muybridge.acceleration.settings import RunSettings
    from muybridge.media.save_options import SaveOptions
    from muybridge.media.sidecar import read_settings
    from muybridge.pipelines.assemble import load
    from muybridge.pipelines.fitting import RunChoice
    from muybridge.pipelines.long.reel import Reel
    from muybridge.pipelines.lora_use import LoraUse
    from muybridge.pipelines.pipeline import Pipeline
    from muybridge.pipelines.progress import Progress
    from muybridge.pipelines.request import GenerationRequest
    from muybridge.pipelines.result import Video
    from muybridge.pipelines.saving import check_destination
    from muybridge.pipelines.settings import Settings

__version__ = "0.1.0"

_HOMES = {
    "GenerationRequest": "pipelines.request",
    "LoraUse": "pipelines.lora_use",
    "Pipeline": "pipelines.pipeline",
    "Progress": "pipelines.progress",
    "Reel": "pipelines.long.reel",
    "RunChoice": "pipelines.fitting",
    "RunSettings": "acceleration.settings",
    "SaveOptions": "media.save_options",
    "Settings": "pipelines.settings",
    "Video": "pipelines.result",
    "check_destination": "pipelines.saving",
    "load": "pipelines.assemble",
    "read_settings": "media.sidecar",
}
__all__ = [
    "GenerationRequest",
    "LoraUse",
    "Pipeline",
    "Progress",
    "Reel",
    "RunChoice",
    "RunSettings",
    "SaveOptions",
    "Settings",
    "Video",
    "__version__",
    "check_destination",
    "load",
    "read_settings",
]
__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
