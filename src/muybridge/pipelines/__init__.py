"""From a request to a finished film: components, denoising, decoding, result."""

from muybridge.media.sidecar import read_settings
from muybridge.pipelines.assemble import load
from muybridge.pipelines.components import Components, TextSource
from muybridge.pipelines.lora_use import LoraUse
from muybridge.pipelines.progress import Progress
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.result import Video, check_destination
from muybridge.pipelines.settings import Defaults, Settings
from muybridge.pipelines.text_to_video import Pipeline

__all__ = [
    "Components",
    "Defaults",
    "GenerationRequest",
    "LoraUse",
    "Pipeline",
    "Progress",
    "Settings",
    "TextSource",
    "Video",
    "check_destination",
    "load",
    "read_settings",
]
