"""SmolLM2's GGUF file as a Hugging Face folder: bfloat16 safetensors, which can be memory-mapped, and the tokenizer."""

import contextlib
import hashlib
import importlib.util
import io
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoTokenizer, GgufConfig, LlamaModel, __version__

from muybridge.core.errors import AssetError, MissingExtra

# What the conversion must give, whatever version of transformers does it: gallop was trained on these numbers.
# Measured with transformers 5.23.0 and gguf 0.19.0.
PROBE = "<|im_start|>user\nA 24 fps film: the horse gallops!<|im_end|>\n"
PROBE_IDS = (1, 4093, 198, 49, 216, 34, 36, 275, 851, 4771, 42, 260, 6391, 6760, 2600, 17, 2, 198)
TENSORS_SHA256 = "b54ce3a4b8607774bff4cc5b4680b3a10193885676e5be7ddd72e7673757c521"


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Write config.json, model.safetensors and tokenizer.json of a Llama-like GGUF file into `folder`; about 20 s.

    Raises MissingExtra without the package gguf, AssetError where the result is not the one gallop was trained on.
    """
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtra(f"{gguf.name}: reading it needs the package gguf; pip install gguf.")
    dense = GgufConfig(dequantize=True)
    with contextlib.redirect_stderr(io.StringIO()):  # progress bars in another style than ours
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = LlamaModel.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=dense
        )
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    _check(tuple(tokenizer(PROBE)["input_ids"]), PROBE_IDS, "tokens")
    _check(digest(tensors), TENSORS_SHA256, "weights")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # a cache may be shared; safetensors writes 0600
    model.config.save_pretrained(folder)
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
