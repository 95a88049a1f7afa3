"""LoRA files as their programs write them, for the small transformer, with the change that each of them means."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from muybridge.transformer import Transformer, TransformerConfig
from muybridge.weights.layouts import name_in
from muybridge.weights.registry import NETWORKS
from tests.weights.small import TRANSFORMER, small_transformer

RANK, ALPHA = 3, 2.0
KEYFRAMES = replace(TRANSFORMER, in_channels=32)
MODULES = (
    "img_in.proj", "time_in.mlp.2", "txt_in.individual_token_refiner.blocks.0.self_attn_qkv",
    "double_blocks.0.img_mod.linear", "double_blocks.0.img_attn_qkv", "double_blocks.1.txt_attn_qkv",
    "double_blocks.1.txt_attn_proj", "double_blocks.0.img_mlp.fc1", "double_blocks.1.txt_mlp.fc2",
    "single_blocks.0.linear1", "single_blocks.0.linear2", "single_blocks.0.modulation.linear",
    "final_layer.linear", "final_layer.adaLN_modulation.1",
)  # fmt: skip
PLAIN = tuple(name for name in MODULES if name != "img_in.proj")
TABLES = {table.layout: table for table in NETWORKS[0].tables}
Pair = tuple[Tensor, Tensor]  # down (r, i), up (o, r)


@dataclass
class Case:
    """A file's tensors and metadata, and what it adds to which parameter (float64), weight of a conv flattened."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Tensor] = field(default_factory=dict)
    config: TransformerConfig = TRANSFORMER

    def save(self, folder: Path) -> Path:
        """The file, by safetensors' own writer."""
        path = folder / "lora.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in self.tensors.items()}, path, metadata=self.metadata)
        return path

    def network(self) -> Transformer:
        """The network it is for, in float64."""
        return small_transformer(self.config).double().eval().requires_grad_(False)

    def merged(self) -> Transformer:
        """The same with the change added to its weights."""
        network = self.network()
        parameters = dict(network.named_parameters())
        for key, change in self.changes.items():
            parameters[key].add_(change.reshape(parameters[key].shape))
        return network


@functools.cache
def sizes(config: TransformerConfig) -> dict[str, tuple[int, int]]:
    """(o, i) of every module that the files change."""
    network = small_transformer(config)
    return {name: tuple(network.get_submodule(name).weight.flatten(1).shape) for name in MODULES}  # type: ignore[misc]


def pair(name: str, config: TransformerConfig = TRANSFORMER, *, rank: int = RANK) -> Pair:
    """Random factors of a module."""
    rows, columns = sizes(config)[name]
    generator = torch.Generator().manual_seed(len(name) * 31 + MODULES.index(name))
    return torch.randn(rank, columns, generator=generator) * 0.2, torch.randn(rows, rank, generator=generator) * 0.2


def low_rank(
    spell: Callable[[str], str],
    ends: tuple[str, str],
    *,
    alpha: float | None = None,
    modules: tuple[str, ...] = MODULES,
    config: TransformerConfig = TRANSFORMER,
) -> Case:
    """Plain LoRA of fused layers under whatever names."""
    case = Case(config=config)
    for name in modules:
        down, up = pair(name, config)
        scale = 1.0 if alpha is None else alpha / RANK
        case.changes[name + ".weight"] = scale * up.double() @ down.double()
        is_conv = name == "img_in.proj"
        kernel = (config.in_channels, *config.patch_size)
        case.tensors[f"{spell(name)}.{ends[0]}"] = down.unflatten(1, kernel) if is_conv else down
        case.tensors[f"{spell(name)}.{ends[1]}"] = up[..., None, None, None] if is_conv else up
        if alpha is not None:
            case.tensors[f"{spell(name)}.alpha"] = torch.tensor(alpha)
    return case


def theirs(layout: str, name: str) -> tuple[str, ...]:
    """A module's names in a layout, by the table that checkpoints are read with."""
    return tuple(key.removesuffix(".weight") for key in name_in(TABLES[layout], name + ".weight"))


def split(prefix: str, ends: tuple[str, str], *, mangles: bool = False, alpha: float | None = None) -> Case:
    """Plain LoRA of separate queries, keys and values, each with factors of its own, under diffusers' names."""
    case = Case()
    for name in MODULES:
        down, up = pair(name)
        parts, width = theirs("diffusers", name), down.shape[1]
        blocks = list(up.split(width)) if len(parts) == 3 else [up]
        blocks = list(up.split([width] * 3 + [len(up) - 3 * width])) if len(parts) == 4 else blocks
        change = []
        for index, (part, block) in enumerate(zip(parts, blocks, strict=True)):
            own = down.roll(index, 0)
            scale = 1.0 if alpha is None else alpha / RANK
            change.append(scale * block.double() @ own.double())
            if name == "final_layer.adaLN_modulation.1":
                block = block.roll(len(block) // 2, 0)
            key = prefix + (part.replace(".", "_") if mangles else part)
            is_conv = name == "img_in.proj"
            case.tensors[f"{key}.{ends[0]}"] = own.unflatten(1, (16, 1, 2, 2)) if is_conv else own
            case.tensors[f"{key}.{ends[1]}"] = block[..., None, None, None] if is_conv else block
            if alpha is not None:
                case.tensors[f"{key}.alpha"] = torch.tensor(alpha)
        case.changes[name + ".weight"] = torch.cat(change)
    return case


AB, DOWN_UP = ("lora_A.weight", "lora_B.weight"), ("lora_down.weight", "lora_up.weight")


def diffusers_alpha() -> Case:
    """diffusers' own saver keeps alpha in the metadata."""
    case = split("transformer.", AB)
    case.changes = {key: change * ALPHA / RANK for key, change in case.changes.items()}
    modules = sorted({key.removeprefix("transformer.").partition(".lora")[0] for key in case.tensors})
    config = {"r": RANK, "lora_alpha": ALPHA, "rank_pattern": {}, "alpha_pattern": {}, "target_modules": modules}
    fields = {f"transformer.{name}": value for name, value in {**config, "use_dora": False, "lora_bias": False}.items()}
    case.metadata = {"lora_adapter_metadata": json.dumps(fields)}
    return case


def musubi_converted() -> Case:
    """musubi's convert_lora multiplies the root of alpha / rank into both halves."""
    case = low_rank(lambda name: "diffusion_model." + name, AB, alpha=ALPHA)
    root = (ALPHA / RANK) ** 0.5
    case.tensors = {key: t * root for key, t in case.tensors.items() if not key.endswith(".alpha")}
    return case


def comfy_internal() -> Case:
    """ComfyUI's own names, with plain differences of a norm and a bias, as its extraction writes them."""
    case = low_rank(lambda name: "diffusion_model." + theirs("comfy", name)[0], DOWN_UP, alpha=ALPHA)
    norm, bias = torch.randn(16) * 0.1, torch.randn(32) * 0.1
    case.tensors["diffusion_model.double_blocks.0.img_attn.norm.query_norm.diff"] = norm
    case.tensors["diffusion_model.double_blocks.0.img_attn.proj.diff_b"] = bias
    case.tensors["diffusion_model.double_blocks.0.img_attn.proj.diff"] = weight = torch.randn(32, 32) * 0.1
    case.changes["double_blocks.0.img_attn_q_norm.weight"] = norm.double()
    case.changes["double_blocks.0.img_attn_proj.bias"] = bias.double()
    case.changes["double_blocks.0.img_attn_proj.weight"] = weight.double()
    return case


def kohya(name: str) -> str:
    """musubi-tuner's spelling."""
    return "lora_unet_" + name.replace(".", "_")


def loha() -> Case:
    """LyCORIS: the elementwise product of two low-rank products."""
    case = Case()
    for name in PLAIN:
        (down1, up1), (down2, up2) = pair(name), pair(name)
        up2 = up2.flip(0) * 3
        ends = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
        case.tensors |= {f"{kohya(name)}.{end}": t for end, t in zip(ends, (up1, down1, up2, down2), strict=True)}
        case.tensors[f"{kohya(name)}.alpha"] = torch.tensor(ALPHA)
        product = (up1.double() @ down1.double()) * (up2.double() @ down2.double())
        case.changes[name + ".weight"] = product * ALPHA / RANK
    return case


def lokr(*, is_factored: bool) -> Case:
    """LyCORIS: a Kronecker product, the right side whole (alpha then says nothing) or low-rank."""
    case = Case()
    generator = torch.Generator().manual_seed(3)
    for name in PLAIN:
        rows, columns = sizes(TRANSFORMER)[name]
        left = torch.randn(4, 2, generator=generator) * 0.3
        down, up = (
            torch.randn(RANK, columns // 2, generator=generator),
            torch.randn(rows // 4, RANK, generator=generator),
        )
        case.tensors[f"{kohya(name)}.lokr_w1"] = left
        case.tensors[f"{kohya(name)}.alpha"] = torch.tensor(ALPHA)
        if is_factored:
            case.tensors |= {f"{kohya(name)}.lokr_w2_a": up * 0.1, f"{kohya(name)}.lokr_w2_b": down}
            right, scale = (up * 0.1).double() @ down.double(), ALPHA / RANK
        else:
            case.tensors[f"{kohya(name)}.lokr_w2"] = whole = (up @ down) * 0.1
            right, scale = whole.double(), 1.0
        case.changes[name + ".weight"] = torch.kron(left.double(), right) * scale
    return case


def tucker(form: str) -> Case:
    """LyCORIS: the patch embedding's kernel in a core between two factors; of LoHa and LoKr the first turned."""
    rows, (channels, *kernel) = TRANSFORMER.hidden_size, (TRANSFORMER.in_channels, *TRANSFORMER.patch_size)
    generator = torch.Generator().manual_seed(7)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * 0.3

    def product(core: Tensor, down: Tensor, up: Tensor) -> Tensor:
        return torch.einsum("ijthw,jc,oi->octhw", core.double(), down.double(), up.double()).flatten(1).contiguous()

    others = {"LoHa": loha, "LoKr": lambda: lokr(is_factored=True)}
    case = others.get(form, lambda: low_rank(kohya, DOWN_UP, alpha=ALPHA, modules=PLAIN))()
    name = kohya("img_in.proj")
    case.tensors[f"{name}.alpha"] = torch.tensor(ALPHA)
    if form == "LoRA":
        core, down, up = drawn(RANK, RANK, *kernel), drawn(RANK, channels), drawn(rows, RANK)
        case.tensors |= {f"{name}.lora_mid.weight": core, f"{name}.lora_down.weight": down[..., None, None, None],
                         f"{name}.lora_up.weight": up[..., None, None, None]}  # fmt: skip
        change = product(core, down, up)
    elif form == "LoHa":
        halves = [(drawn(RANK, RANK, *kernel), drawn(RANK, channels), drawn(rows, RANK)) for _ in range(2)]
        for number, (core, down, up) in enumerate(halves, start=1):
            case.tensors |= {f"{name}.hada_t{number}": core, f"{name}.hada_w{number}_b": down,
                             f"{name}.hada_w{number}_a": up.T}  # fmt: skip
        change = product(*halves[0]) * product(*halves[1])
    else:
        left, core = drawn(4, 2), drawn(RANK, RANK, *kernel)
        down, up = drawn(RANK, channels // 2), drawn(rows // 4, RANK)
        case.tensors |= {f"{name}.lokr_w1": left, f"{name}.lokr_t2": core, f"{name}.lokr_w2_b": down,
                         f"{name}.lokr_w2_a": up.T}  # fmt: skip
        change = torch.kron(left.double(), product(core, down, up))
    case.changes["img_in.proj.weight"] = change * ALPHA / RANK
    return case


def norms() -> Case:
    """LyCORIS: plain differences of norms, beside LoRA of the layers."""
    case = low_rank(kohya, DOWN_UP, alpha=ALPHA)
    name = "txt_in.individual_token_refiner.blocks.0.norm1"
    for parameter, end in (("weight", "w_norm"), ("bias", "b_norm")):
        change = torch.linspace(-0.5, 0.5, TRANSFORMER.hidden_size)
        case.tensors[f"{kohya(name)}.{end}"] = change
        case.changes[f"{name}.{parameter}"] = change.double()
    return case


def dora(*, by_row: bool, is_peft: bool = False) -> Case:
    """LoRA whose rows (or columns) are brought to given lengths."""
    spell = (lambda name: f"diffusion_model.{name}") if is_peft else kohya
    case = low_rank(spell, AB if is_peft else DOWN_UP, alpha=ALPHA, modules=PLAIN)
    network = small_transformer().double()
    for name in PLAIN:
        weight = network.get_submodule(name).weight.detach().flatten(1)  # type: ignore[union-attr]
        changed = weight + case.changes[name + ".weight"]
        axis = 1 if by_row else 0
        length = changed.norm(dim=axis, keepdim=True)
        magnitude = (length * 1.2 + 0.01).float()
        end = "lora_magnitude_vector" if is_peft else "dora_scale"
        case.tensors[f"{spell(name)}.{end}"] = magnitude[:, 0] if is_peft else magnitude
        case.changes[name + ".weight"] = changed * (magnitude.double() / length) - weight
    return case


def keyframes() -> Case:
    """dashtoon: the patch embedding takes 32 channels, and has a LoRA of its own."""
    return low_rank(lambda name: "diffusion_model." + name, AB, config=KEYFRAMES)


def keyframes_whole() -> Case:
    """The same with the widened patch embedding replaced as a whole."""
    case = low_rank(lambda name: "diffusion_model." + name, AB, config=KEYFRAMES, modules=PLAIN)
    weight, bias = torch.randn(32, 32, 1, 2, 2) * 0.1, torch.randn(32) * 0.1
    own = case.network().img_in.proj
    case.tensors |= {"diffusion_model.img_in.proj.weight": weight, "diffusion_model.img_in.proj.bias": bias}
    case.changes["img_in.proj.weight"] = weight.double() - own.weight
    case.changes["img_in.proj.bias"] = bias.double() - own.bias  # type: ignore[operator]
    return case


FORMATS: dict[str, Callable[[], Case]] = {
    "diffusers / peft, finetrainers": lambda: split("transformer.", AB),
    "diffusers, alpha in the metadata": diffusers_alpha,
    "diffusion-pipe, `transformer.`": lambda: low_rank(lambda name: "transformer." + name, AB),
    "diffusion-pipe, `diffusion_model.`": lambda: low_rank(lambda name: "diffusion_model." + name, AB),
    "the same with `.alpha`": lambda: low_rank(lambda name: "diffusion_model." + name, AB, alpha=ALPHA),
    "kohya, musubi-tuner": lambda: low_rank(kohya, DOWN_UP, alpha=ALPHA),
    "musubi converted": musubi_converted,
    "Tencent I2V": lambda: low_rank(
        lambda name: "Hunyuan_video_I2V_lora_" + name.replace(".", "_"), DOWN_UP, alpha=ALPHA
    ),
    "ComfyUI names, with `.diff` and `.diff_b`": comfy_internal,
    "FastVideo names": lambda: low_rank(
        lambda name: theirs("fastvideo", name)[0], ("lora_A", "lora_B"),
        modules=tuple(name for name in MODULES if not name.startswith("final_layer.adaLN")),
    ),
    "OneTrainer": lambda: split("lora_transformer_", DOWN_UP, mangles=True, alpha=ALPHA),
    "LyCORIS of diffusers' modules": lambda: split("lycoris_", DOWN_UP, mangles=True, alpha=ALPHA),
    "LoHa": loha,
    "LoKr": lambda: lokr(is_factored=False),
    "LoKr, low-rank": lambda: lokr(is_factored=True),
    "LyCORIS, Tucker form of LoRA": lambda: tucker("LoRA"),
    "LyCORIS, Tucker form of LoHa": lambda: tucker("LoHa"),
    "LyCORIS, Tucker form of LoKr": lambda: tucker("LoKr"),
    "LyCORIS with norms": norms,
    "DoRA": lambda: dora(by_row=True),
    "DoRA over columns": lambda: dora(by_row=False),
    "DoRA of peft": lambda: dora(by_row=True, is_peft=True),
    "dashtoon keyframes (32 channels)": keyframes,
    "keyframes with `img_in` replaced": keyframes_whole,
}  # fmt: skip
