"""The diffusion transformer: dual-stream then single-stream blocks under the released names. Paper 4.2."""

from muybridge.transformer.conditions import Conditions
from muybridge.transformer.config import HUNYUANVIDEO_15, TransformerConfig
from muybridge.transformer.initialise import initialise
from muybridge.transformer.model import Transformer

__all__ = ["HUNYUANVIDEO_15", "Conditions", "Transformer", "TransformerConfig", "initialise"]
