"""What loads from which layout, here and with diffusers and transformers: writes docs/reference/layouts.md.

Every row is a file synthesised with small random weights, loaded by both and compared bit by bit.

python -m benchmarks.layouts
"""

import contextlib
import io
import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor, nn

from muybridge.core.config import to_dict
from muybridge.core.errors import MuybridgeError
from muybridge.text.config import LanguageConfig, PooledConfig
from muybridge.transformer import TransformerConfig
from muybridge.vae import ShuffleVAEConfig, VAEConfig
from muybridge.weights.config_json import diffusers_config
from muybridge.weights.files import open_checkpoint
from muybridge.weights.layouts import from_official
from muybridge.weights.recognise import recognise
from muybridge.weights.registry import NETWORKS, Network
from muybridge.weights.stored import from_tensor

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "layouts.md"
FILE = "diffusion_pytorch_model.safetensors"
INTRODUCTION = """\
<!-- Measured by `python -m benchmarks.layouts`; run it after a change of layouts. -->

# Layouts

What loads from which layout. Every row is a file with small random weights, written in that layout, opened by both,
and compared tensor by tensor: here, and with diffusers {diffusers} (`from_single_file`, which its VAE does not have;
folders by `from_pretrained`) or, for text encoders, with transformers {transformers} (`from_pretrained`). The
transformers have no single blocks, because diffusers' reader of single files splits those for the width 3072 alone.
`layout` is the name that `muybridge inspect` shows.
"""
TRANSFORMER = TransformerConfig(
    hidden_size=32, num_heads=2, num_double_blocks=2, num_single_blocks=0, num_refiner_blocks=1,
    rope_axes_dim=(4, 6, 6), text_dim=12, pooled_dim=10,
)  # fmt: skip
TRANSFORMER_15 = replace(
    TRANSFORMER, in_channels=9, out_channels=4, patch_size=(1, 1, 1), pooled_dim=0, has_guidance=False,
    has_split_qkv=True, glyph_dim=8, vision_dim=6,
)  # fmt: skip
VAE = VAEConfig(block_channels=(4, 4, 8, 8), norm_groups=2)
VAE_15 = ShuffleVAEConfig(block_channels=(4, 8, 16, 16, 16), layers_per_block=1, latent_channels=4)
LANGUAGE = LanguageConfig(
    vocab_size=24, hidden_size=16, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=4, mlp_dim=20, rope_theta=100.0
)
POOLED = PooledConfig(vocab_size=30, hidden_size=8, num_layers=2, num_heads=2, mlp_dim=12, max_tokens=9, eos_token_id=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A file as people have it. wrapper: the entry of a pickle; carried: what else stands in it, official names."""

    title: str
    network: str
    config: Any
    layout: str
    file: str = FILE
    prefix: str = ""
    wrapper: str = ""
    carried: tuple[str, ...] = ()


def _transformers() -> Iterator[Case]:
    released = Case(title="", network="hunyuanvideo", config=TRANSFORMER, layout="official")
    yield replace(released, title="released `.pt`, under `module`", file="mp_rank_00.pt", wrapper="module")
    yield replace(released, title="released `.pt`, bare", file="mp_rank_00.pt")
    yield replace(released, title="released names in safetensors (Kijai, FastHunyuan, ComfyUI's repackaged)")
    for prefix in ("model.diffusion_model.", "model.model.", "diffusion_model.", "module.", "_orig_mod."):
        yield replace(released, title=f"the same under `{prefix}`", prefix=prefix)
    yield replace(released, title="SkyReels-V1 I2V, keyframes", config=replace(TRANSFORMER, in_channels=32))
    yield replace(released, title="HunyuanVideo-I2V, latent concat", config=replace(TRANSFORMER, in_channels=33))
    yield replace(released, title="without guidance", config=replace(TRANSFORMER, has_guidance=False))
    yield replace(released, title="diffusers folder", layout="diffusers")
    yield replace(released, title="ComfyUI's names inside", layout="comfy")
    yield replace(released, title="ComfyUI's older names inside", layout="comfy-scale")
    yield replace(released, title="FastVideo's names inside", layout="fastvideo")
    newer = replace(released, network="hunyuanvideo-1.5", config=TRANSFORMER_15)
    yield replace(newer, title="HunyuanVideo-1.5, released names")
    yield replace(newer, title="HunyuanVideo-1.5, diffusers folder", layout="diffusers")
    yield replace(newer, title="HunyuanVideo-1.5, ComfyUI's names inside", layout="comfy")


def _vaes() -> Iterator[Case]:
    released = Case(title="", network="hunyuanvideo-vae", config=VAE, layout="official")
    yield replace(released, title="released `.pt`, `vae.` under `state_dict`", file="pytorch_model.pt",
                  prefix="vae.", wrapper="state_dict")  # fmt: skip
    yield replace(released, title="diffusers folder, or the same names in one file", layout="diffusers")
    yield replace(released, title="ComfyUI's names inside", layout="comfy")
    newer = replace(released, network="hunyuanvideo-1.5-vae", config=VAE_15)
    yield replace(newer, title="HunyuanVideo-1.5, released names")
    yield replace(newer, title="HunyuanVideo-1.5, diffusers folder", layout="diffusers")


def _texts() -> Iterator[Case]:
    language = Case(title="", network="language-model", config=LANGUAGE, layout="official", file="model.safetensors")
    yield replace(language, title="LlamaModel")
    yield replace(language, title="LlamaForCausalLM, ComfyUI's llava_llama3", layout="causal-lm")
    yield replace(language, title="LLaVA", layout="llava", carried=("lm_head.weight", "vision_tower.a.bias"))
    yield replace(language, title="LLaVA as transformers 5 names it inside", layout="llava-2025")
    pooled = Case(title="", network="clip-text", config=POOLED, layout="official", file="model.safetensors")
    yield replace(pooled, title="CLIPTextModel of transformers 5")
    yield replace(pooled, title="CLIPTextModel, ComfyUI's clip_l", layout="clip")
    yield replace(pooled, title="a whole CLIP", layout="clip", carried=("logit_scale!", "vision_model.a.bias"))


SECTIONS = {
    "Transformer": tuple(_transformers()),
    "VAE": tuple(_vaes()),
    "Text encoders": tuple(_texts()),
}


def page() -> str:
    """The page, measured anew."""
    lines = INTRODUCTION.format(diffusers=diffusers.__version__, transformers=transformers.__version__).splitlines()
    for title, cases in SECTIONS.items():
        peer = "transformers" if title == "Text encoders" else "diffusers"
        lines += ["", f"## {title}", "", f"| on disk as | layout | keys | muybridge | {peer} |", "|--|--|--|--|--|"]
        lines += [_row(case) for case in cases]
    return "\n".join(lines) + "\n"


def _row(case: Case) -> str:
    network = next(network for network in NETWORKS if network.name == case.network)
    state = _state(network, case)
    with tempfile.TemporaryDirectory() as name, _silence():
        folder = Path(name)
        num_keys = _write(folder, network, case, state)
        ours = _outcome(lambda: _ours(folder / case.file), state)
        theirs = _outcome(lambda: _theirs(folder, case), _expected(network, case, state))
    return f"| {case.title} | {case.layout} | {num_keys} | {ours} | {theirs} |"


def _state(network: Network, case: Case) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = network.shapes(case.config) | {key.rstrip("!"): (3, 3) for key in case.carried}
    return {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}


def _write(folder: Path, network: Network, case: Case, state: Mapping[str, Tensor]) -> int:
    """Number of keys written."""
    table = network.table(case.layout)
    assert table is not None
    entries = {key: from_tensor(tensor, folder) for key, tensor in state.items()}
    there = from_official(entries, table, hidden_size=TRANSFORMER.hidden_size)
    tensors = {case.prefix + key: entry.read().clone() for key, entry in there.items()}
    if case.file.endswith(".pt"):
        torch.save({case.wrapper: tensors} if case.wrapper else tensors, folder / case.file)
    else:
        save_file(tensors, folder / case.file, {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(_config_json(case)))
    return len(tensors)


def _config_json(case: Case) -> dict[str, Any]:
    """As the peer reads it."""
    if isinstance(case.config, LanguageConfig):
        said = to_dict(case.config)
        return {
            "model_type": "llama", "architectures": ["LlamaModel"], "vocab_size": said["vocab_size"],
            "hidden_size": said["hidden_size"], "intermediate_size": said["mlp_dim"], "head_dim": said["head_dim"],
            "num_hidden_layers": said["num_layers"], "num_attention_heads": said["num_heads"],
            "num_key_value_heads": said["num_kv_heads"], "rope_theta": said["rope_theta"],
            "rms_norm_eps": said["norm_eps"], "bos_token_id": 1, "eos_token_id": 2,
        }  # fmt: skip
    if isinstance(case.config, PooledConfig):
        said = to_dict(case.config)
        return {
            "model_type": "clip_text_model", "architectures": ["CLIPTextModel"], "vocab_size": said["vocab_size"],
            "hidden_size": said["hidden_size"], "intermediate_size": said["mlp_dim"],
            "num_hidden_layers": said["num_layers"], "num_attention_heads": said["num_heads"],
            "max_position_embeddings": said["max_tokens"], "hidden_act": said["activation"],
            "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 1,
        }  # fmt: skip
    return diffusers_config(case.config)


def _expected(network: Network, case: Case, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the peer's model must hold, under the peer's names."""
    needed = {key: from_tensor(state[key], PAGE) for key in network.shapes(case.config)}
    table = network.table("diffusers")
    there = from_official(needed, table, hidden_size=TRANSFORMER.hidden_size) if table else needed
    return {key: entry.read() for key, entry in there.items()}


def _ours(file: Path) -> dict[str, Tensor]:
    return {key: entry.read() for key, entry in recognise(open_checkpoint(file)).entries.items()}


def _theirs(folder: Path, case: Case) -> dict[str, Tensor]:
    model: nn.Module
    if isinstance(case.config, LanguageConfig):
        model = transformers.LlamaModel.from_pretrained(folder, local_files_only=True)
    elif isinstance(case.config, PooledConfig):
        model = transformers.CLIPTextModel.from_pretrained(folder, local_files_only=True)
    else:
        kind = getattr(diffusers, diffusers_config(case.config)["_class_name"])
        if case.layout == "diffusers":
            model = kind.from_pretrained(folder)
        else:
            model = kind.from_single_file(str(folder / case.file), config=str(folder), local_files_only=True)
    return dict(model.state_dict())


def _outcome(load: Callable[[], dict[str, Tensor]], expected: Mapping[str, Tensor]) -> str:
    try:
        found = load()
    except MuybridgeError as error:
        return f"refuses: {error}"
    except Exception as error:  # whatever the peer raises is the result
        return f"raises {type(error).__name__}"
    right = sum(
        key in found and found[key].shape == value.shape and torch.equal(found[key], value)
        for key, value in expected.items()
    )
    return "loads" if right == len(expected) else f"fills {right} of {len(expected)} tensors, the rest with noise"


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The peers log and draw bars; here only the outcome counts."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
