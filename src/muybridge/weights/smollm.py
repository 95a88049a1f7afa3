"""SmolLM2's GGUF file as a Hugging Face folder: bfloat16 safetensors, which can be memory-mapped, and the tokenizer."""

import contextlib
import hashlib
import io
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer, __version__

from muybridge.core.errors import AssetError
from muybridge.weights.files import open_checkpoint
from muybridge.weights.recognise import recognise
from muybridge.weights.stored import cast

# What the conversion must give, whatever versions do it: gallop was trained on these numbers.
# Measured with transformers 5.23.0 and gguf 0.19.0.
PROBE = "<|im_start|>user\nA 24 fps film: the horse gallops!<|im_end|>\n"
PROBE_IDS = (1, 4093, 198, 49, 216, 34, 36, 275, 851, 4771, 42, 260, 6391, 6760, 2600, 17, 2, 198)
TENSORS_SHA256 = "b54ce3a4b8607774bff4cc5b4680b3a10193885676e5be7ddd72e7673757c521"


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Write config.json, model.safetensors and tokenizer.json of a Llama-like GGUF file into `folder`; some seconds.

    Raises MissingExtra without the package gguf, AssetError where the result is not the one gallop was trained on.
    """
    found = recognise(open_checkpoint(gguf), kind="text-encoder")
    needed = found.network.shapes(found.config)
    tensors = {key: cast(found.entries[key], torch.bfloat16).read().contiguous() for key in needed}
    with contextlib.redirect_stderr(io.StringIO()):  # progress bars in another style than ours
        config = AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    _check(tuple(tokenizer(PROBE)["input_ids"]), PROBE_IDS, "tokens")
    _check(digest(tensors), TENSORS_SHA256, "weights")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # a cache may be shared; safetensors writes 0600
    config.save_pretrained(folder)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))


def digest(tensors: dict[str, Tensor]) -> str:
    """Hex SHA-256 over names, shapes and bytes, in the order of the names."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(tensor.view(torch.uint8).numpy().data)
    return found.hexdigest()


def _check(found: object, expected: object, what: str) -> None:
    if found != expected:
        remedy = "pip install transformers==5.23.0 gguf==0.19.0"
        raise AssetError(f"transformers {__version__}: converts SmolLM2 to other {what} than gallop needs; {remedy}.")
