"""The words for parts of a system and for how a checkpoint is to be written, without torch: help texts list them."""

import typing
from typing import Literal

Kind = Literal["transformer", "vae", "text-encoder", "pooled-text-encoder"]
KINDS: tuple[Kind, ...] = typing.get_args(Kind)
Layout = Literal[
    "official", "diffusers", "comfy", "comfy-scale", "fastvideo",  # of transformers and VAEs
    "causal-lm", "llava", "llava-2025", "clip",  # of text encoders
]  # fmt: skip
LAYOUTS: tuple[Layout, ...] = typing.get_args(Layout)
PRECISION_NAMES = (  # the keys of `precision.PRECISIONS`, in their order
    "fp8", "fp8-scaled", "fp8-scaled-rows", "int8", "nf4",
    "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "bf16", "f16", "f32",
)  # fmt: skip
MAX_SHARD_BYTES = 5 * 2**30  # what diffusers and the hub use
