"""What loads from which format of LoRA, here and in diffusers, written as docs/reference/loras.md.

python -m benchmarks.loras
"""

import logging
import re
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.loaders.lora_pipeline import HunyuanVideoLoraLoaderMixin
from torch import Tensor, nn

from muybridge.core.errors import WeightsError
from muybridge.core.files import atomic_path
from muybridge.transformer import Conditions, Transformer
from muybridge.weights.lora import LORA_LAYOUTS, ActiveLora, LoraStack, convert_lora, read_lora
from tests.parity.peer_transformer import peer_of, peer_velocity
from tests.weights.lora.formats import FORMATS, Case
from tests.weights.small import TRANSFORMER

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "loras.md"
MODULATION = re.compile(r"_mod[._]|norm1")
TOLERANCE = 1e-6  # ours, float64 networks
PEER_TOLERANCE = 1e-4  # the peer rounds modulations to float32
AS_MEANT, NOTHING = "as meant", "loads nothing"
HEAD = f"""\
<!-- Measured by `python -m benchmarks.loras`; run it after a change of LoRA formats. -->

# LoRAs

What each format of LoRA does to the velocity of a network with small random weights, beside the same network with the
change added to its weights in float64: here (equal within 1e-6, adapted and fused) and in diffusers
{diffusers.__version__} with peft (`load_lora_weights`; equal within 1e-4). The networks have no single blocks, because
diffusers' converter splits those for the width 3072 alone; the patch embedding of keyframe LoRAs is widened for both.
Most trainers change the attention and feed-forward layers of the blocks only, so diffusers is shown with those too.

| format | keys | muybridge | diffusers | diffusers, usual layers only |
|--|--|--|--|--|
"""
WRITTEN = """
What we write, read by diffusers:

| layout | keys | muybridge | diffusers | diffusers, usual layers only |
|--|--|--|--|--|
"""
TAIL = """
alpha: its own tensor, else what diffusers' metadata or peft's `adapter_config.json` says, else the scale is 1.
Tencent's loader leaves alpha out and its trainer sets alpha to the rank, so that its own files mean the same in both;
here alpha counts whoever wrote it. `muybridge convert` and `weights.lora.save_lora` write four layouts: `diffusers`,
`kohya` (musubi-tuner), `comfy` (diffusion-pipe, ComfyUI) and `i2v` (Tencent). Plain LoRA passes through all of them bit
for bit; what a layout has no place for (LoHa, LoKr, norms, replaced weights in `diffusers` and `i2v`) is refused.
"""


class Loader(HunyuanVideoLoraLoaderMixin):
    """As much of a pipeline as loading a LoRA asks for."""

    hf_device_map = None
    components: dict[str, Any] = {}

    def __init__(self, transformer: nn.Module) -> None:
        self.transformer = transformer


def without_single_blocks(case: Case) -> tuple[Transformer, Transformer]:
    """The network of a case, and the same with the change in its weights, both without single blocks."""
    networks = case.network(), case.merged()
    for network in networks:
        network.single_blocks = nn.ModuleList()
        network.config = replace(network.config, num_single_blocks=0)
    return networks


def inputs(network: Transformer) -> tuple[Tensor, Tensor, Conditions]:
    """Latents, sigma and conditions, the same every time."""
    generator = torch.Generator().manual_seed(5)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    latents = draw(1, network.config.in_channels, 2, 4, 4)
    mask = torch.ones(1, 5, dtype=torch.bool)
    conditions = Conditions(text=draw(1, 5, 12), text_mask=mask, pooled=draw(1, 10), guidance=torch.tensor([6.0]))
    return latents, torch.tensor([0.6], dtype=torch.float64), conditions


def error(a: Tensor, b: Tensor) -> float:
    """Largest difference over the standard deviation."""
    return float((a - b).abs().max() / b.std())


@torch.no_grad()
def ours(path: Path, network: Transformer, expected: Tensor) -> str:
    """What the file does here, adapted and fused."""
    stack = LoraStack(network)
    try:
        stack.set([ActiveLora(lora=read_lora(path))])
    except WeightsError as problem:
        return f"refused: {problem}"
    adapted = error(network(*inputs(network)), expected)
    stack.fuse()
    fused = error(network(*inputs(network)), expected)
    return AS_MEANT if max(adapted, fused) <= TOLERANCE else f"off by {max(adapted, fused):.1e}"


@torch.no_grad()
def theirs(path: Path, network: Transformer, expected: Tensor) -> str:
    """What the file does in diffusers."""
    peer = peer_of(network)
    latents, sigma, conditions = inputs(network)
    plain = peer_velocity(peer, latents, sigma=sigma, conditions=conditions)
    try:
        Loader(peer).load_lora_weights(path.parent, weight_name=path.name, local_files_only=True)
    except Exception as problem:
        return f"raises {type(problem).__name__}"
    velocity = peer_velocity(peer, latents, sigma=sigma, conditions=conditions)
    if error(velocity, expected) <= PEER_TOLERANCE:
        return AS_MEANT
    return NOTHING if torch.equal(velocity, plain) else "loads, and means something else"


def kept(case: Case, *, usual: bool) -> Case:
    """The case without single blocks; only the usual layers, and the patch embedding that keyframes need."""

    def is_kept(key: str) -> bool:
        is_usual = any(word in key for word in ("double_blocks", "transformer_blocks")) and not MODULATION.search(key)
        is_usual |= "img_in" in key and case.config != TRANSFORMER
        return "single" not in key and (is_usual or not usual)

    return replace(
        case,
        tensors={key: tensor for key, tensor in case.tensors.items() if is_kept(key)},
        changes={key: change for key, change in case.changes.items() if is_kept(key)},
    )


def results(case: Case, layout: str | None) -> tuple[str, str]:
    """Ours and theirs; with a layout, of what we make of the file in it."""
    network, merged = without_single_blocks(case)
    with tempfile.TemporaryDirectory() as folder:
        path = case.save(Path(folder))
        if layout is not None:
            path = path.with_name("written.safetensors")
            convert_lora(path.with_name("lora.safetensors"), path, layout=layout)  # type: ignore[arg-type]
        with torch.no_grad():
            expected = merged(*inputs(merged))
        return ours(path, network, expected), theirs(path, without_single_blocks(case)[0], expected)


def row(name: str, case: Case, *, layout: str | None = None) -> str:
    """One line of the table."""
    whole = kept(case, usual=False)
    here, there = results(whole, layout)
    return f"| {name} | {len(whole.tensors)} | {here} | {there} | {results(kept(case, usual=True), layout)[1]} |"


def page() -> str:
    """The page as it is measured now."""
    logging.getLogger("diffusers").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = [row(name, make()) for name, make in FORMATS.items()]
        sources = {"plain LoRA with alpha": "kohya, musubi-tuner", "DoRA": "DoRA"}
        written = [
            row(f"{layout}: {name}", FORMATS[source](), layout=layout)
            for layout in LORA_LAYOUTS
            for name, source in sources.items()
            if not (layout == "i2v" and name == "DoRA")
        ]
    return HEAD + "\n".join(read) + "\n" + WRITTEN + "\n".join(written) + "\n" + TAIL


def main() -> None:
    """Write the page."""
    with atomic_path(PAGE) as temporary:
        temporary.write_text(page(), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
