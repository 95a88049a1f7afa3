"""Write the files in golden/ with the libraries that people quantise with; needs those of `PEERS` installed.

    python tests/weights/storage/write_golden.py

Each file holds one layer as its library saves it, and under `expected` the weight as that library decodes it.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

PEERS = "bitsandbytes 0.50.2, optimum-quanto 0.2.7"
FOLDER = Path(__file__).parent / "golden"


def layer() -> nn.Linear:
    """A layer in bfloat16."""
    torch.manual_seed(0)
    return nn.Linear(192, 24).to(torch.bfloat16)


def bitsandbytes(kind: str, *, is_nested: bool) -> dict[str, Tensor]:
    """The tensors that a Linear4bit saves."""
    from bitsandbytes import functional

    linear = layer()
    packed, state = functional.quantize_4bit(
        linear.weight.data, quant_type=kind, compress_statistics=is_nested, blocksize=64
    )
    parts = {f"layer.weight.{name}": part for name, part in state.as_dict(packed=True).items()}
    expected = functional.dequantize_4bit(packed, state)
    return {"layer.weight": packed, "layer.bias": linear.bias.data, **parts, "expected": expected}


def quanto(name: str) -> dict[str, Tensor]:
    """The tensors that a QLinear saves; int4 in float16, whose packing is the common one."""
    from optimum import quanto as library

    model = nn.ModuleDict({"layer": layer()})
    model = model.half() if name == "qint4" else model
    library.quantize(model, weights=getattr(library, name))
    library.freeze(model)
    return {**model.state_dict(), "expected": model["layer"].weight.dequantize().detach()}


GOLDEN: dict[str, Callable[[], dict[str, Tensor]]] = {
    "bitsandbytes nf4": lambda: bitsandbytes("nf4", is_nested=False),
    "bitsandbytes nf4 nested": lambda: bitsandbytes("nf4", is_nested=True),
    "bitsandbytes fp4": lambda: bitsandbytes("fp4", is_nested=False),
    "quanto int8": lambda: quanto("qint8"),
    "quanto int4": lambda: quanto("qint4"),
    "quanto int2": lambda: quanto("qint2"),
    "quanto fp8": lambda: quanto("qfloat8"),
}


def main() -> None:
    """Write every file."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in GOLDEN.items():
        tensors = {key: tensor.contiguous().clone() for key, tensor in make().items()}
        save_file(tensors, FOLDER / f"{name.replace(' ', '-')}.safetensors", {"peers": PEERS})


if __name__ == "__main__":
    sys.exit(main())
