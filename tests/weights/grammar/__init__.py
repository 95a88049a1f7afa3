"""Hostile files by grammar: each function draws one from a seeded generator, well-formed where it need not lie.

`KINDS` names them all; `read_everything` is what every one must survive, `watched` says what it did besides.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from tests.weights.grammar import folders, gguf, pickled, safetensors

Draw = Callable[[Random, Path], Path]  # writes into an empty folder; what a user would point at

KINDS: Mapping[str, Draw] = {
    "safetensors, header": safetensors.lying_header,
    "safetensors, tensors": safetensors.lying_tensors,
    "quantised": safetensors.lying_scheme,
    "LoRA": safetensors.lying_lora,
    "GGUF": gguf.lying_gguf,
    "pickle, program": pickled.lying_program,
    "pickle, archive": pickled.lying_archive,
    "shard index": folders.lying_index,
    "model folder": folders.lying_folder,
    "not weights": folders.not_weights,
}


def prepare() -> None:
    """Build what all files are made of once, before processes part."""
    safetensors.models(), safetensors.loras(), safetensors.quantised(), pickled.sound()
    for name in gguf.NETWORKS:
        gguf.tensors(name)
