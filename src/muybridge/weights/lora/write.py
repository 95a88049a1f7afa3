"""LoRAs written in the layouts that most programs read, with alpha and metadata."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from muybridge.core.errors import WeightsError, invalid
from muybridge.ops.lora import Delta, Dense, Hadamard, LowRank
from muybridge.weights.configs import KIND_KEY
from muybridge.weights.lora.alphas import DIFFUSERS_KEY
from muybridge.weights.lora.factors import joined_parts, split_rows, swapped_rows
from muybridge.weights.lora.form import Lora
from muybridge.weights.lora.keys import Spelling
from muybridge.weights.lora.names import parted_names, places
from muybridge.weights.lora.read import TextKeys, read_lora
from muybridge.weights.save import write_safetensors
from muybridge.weights.stored import cast, from_tensor

LoraLayout = Literal["diffusers", "kohya", "comfy", "i2v"]
LORA_KIND = "lora"
MLP_RATIO = 4.0  # of every released transformer


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A layout to write: how keys begin and end, where alpha and the magnitude of DoRA go, and what has no place.

    is_split: fused layers in parts, as diffusers has them. holds_all: also LyCORIS forms, norms and plain differences.
    magnitude: None where there is no DoRA. has_alpha: as tensors, else in the metadata.
    """

    prefix: str
    spelling: Spelling
    down: str
    up: str
    magnitude: str | None
    is_split: bool = False
    holds_all: bool = True
    has_alpha: bool = True


LORA_LAYOUTS: dict[LoraLayout, Target] = {
    "diffusers": Target(
        prefix="transformer.", spelling="dots", down="lora_A.weight", up="lora_B.weight",
        magnitude="lora_magnitude_vector", is_split=True, holds_all=False, has_alpha=False,
    ),
    "kohya": Target(
        prefix="lora_unet_", spelling="underscores", down="lora_down.weight", up="lora_up.weight",
        magnitude="dora_scale",
    ),
    "comfy": Target(
        prefix="diffusion_model.", spelling="dots", down="lora_A.weight", up="lora_B.weight", magnitude="dora_scale",
    ),
    "i2v": Target(
        prefix="Hunyuan_video_I2V_lora_", spelling="underscores", down="lora_down.weight", up="lora_up.weight",
        magnitude=None, holds_all=False,
    ),
}  # fmt: skip
_LOHA = {"up1": "hada_w1_a", "down1": "hada_w1_b", "up2": "hada_w2_a", "down2": "hada_w2_b"}
_LOKR = {
    "left.weight": "lokr_w1", "left.up": "lokr_w1_a", "left.down": "lokr_w1_b",
    "right.weight": "lokr_w2", "right.up": "lokr_w2_a", "right.down": "lokr_w2_b",
}  # fmt: skip


def save_lora(
    lora: Lora,
    path: str | Path,
    *,
    layout: LoraLayout,
    dtype: torch.dtype | None = None,
    mlp_ratio: float = MLP_RATIO,
) -> None:
    """Write a LoRA as one safetensors file, whole or not at all.

    diffusers: fused layers in parts, alpha in the metadata as diffusers' own saver puts it. kohya: musubi-tuner's.
    comfy: diffusion-pipe's and ComfyUI's. i2v: Tencent's image-to-video trainer's. All but diffusers keep alpha as
    tensors. dtype: None keeps each tensor's own. mlp_ratio: of the network; needed only where a fused layer's parts are
    joined and its last one is left out.
    Bit-exact for plain LoRA, except where parts of unequal scale are joined: then the ratio is multiplied in.
    Raises WeightsError where the layout has no place for something in the LoRA.
    """
    path = Path(path)
    tensors, metadata = _written_out(lora, layout, mlp_ratio=mlp_ratio)
    stored = {key: from_tensor(tensor.detach(), path) for key, tensor in tensors.items()}
    if dtype is not None:
        stored = {key: entry if key.endswith(".alpha") else cast(entry, dtype) for key, entry in stored.items()}
    write_safetensors(path, stored, metadata=metadata)


def _written_out(
    lora: Lora, layout: LoraLayout, *, mlp_ratio: float = MLP_RATIO
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of the file. Raises WeightsError where the layout has no place for something."""
    target = LORA_LAYOUTS[layout]
    tensors: dict[str, Tensor] = {}
    peft = _PeftConfig()
    try:
        for official, deltas in lora.deltas.items():
            for name, delta in _named(official, deltas, target, mlp_ratio):
                peft.add(name, delta)
                parts = _tensors(delta, target, kernel=lora.kernels.get(official))
                tensors.update({f"{target.prefix}{name}.{suffix}": tensor for suffix, tensor in parts.items()})
        tensors.update(_plain_tensors(lora, target))
    except WeightsError as error:
        raise WeightsError(f"{lora.path}: {error}") from None
    metadata = {key: text for key, text in lora.metadata.items() if key != DIFFUSERS_KEY}
    metadata |= {"format": "pt", KIND_KEY: LORA_KIND}
    if not target.has_alpha:
        metadata[DIFFUSERS_KEY] = peft.to_json()
    return tensors, metadata


def convert_lora(
    source: str | Path,
    destination: str | Path,
    *,
    layout: LoraLayout,
    dtype: torch.dtype | None = None,
    text_encoder: TextKeys = "refuse",
    is_dry_run: bool = False,
) -> Lora:
    """Read a LoRA of any layout and write it in another; returns what was written, read back.

    is_dry_run: check all that could be refused, write nothing, return what was read.
    Raises WeightsError as `read_lora` and `save_lora` do, InvalidInput on an unknown layout or a destination that is
    taken or no safetensors file.
    """
    destination = Path(destination).expanduser()
    if layout not in LORA_LAYOUTS:
        raise invalid(f"layout={layout}", f"a LoRA is written as {', '.join(LORA_LAYOUTS)}", "choose one of these")
    if destination.exists():
        raise invalid(str(destination), "is there already", "choose another name")
    if destination.suffix != ".safetensors":
        raise invalid(str(destination), "a LoRA is one safetensors file", f"name it {destination.stem}.safetensors")
    found = read_lora(source, text_encoder=text_encoder)
    if is_dry_run:
        _written_out(found, layout)
        return found
    save_lora(found, destination, layout=layout, dtype=dtype)
    return read_lora(destination)


class _PeftConfig:
    """The configuration that diffusers keeps in the metadata: one rank and alpha for most, patterns for the others."""

    def __init__(self) -> None:
        self.ranks: dict[str, int] = {}
        self.alphas: dict[str, float] = {}
        self.has_dora = self.has_bias = False

    def add(self, name: str, delta: Delta) -> None:
        rank = 0 if delta.factors is None else delta.factors.rank or 0
        self.ranks[name], self.alphas[name] = rank, _alpha(delta, rank)
        self.has_dora |= delta.magnitude is not None
        self.has_bias |= delta.bias is not None

    def to_json(self) -> str:
        rank = Counter(self.ranks.values()).most_common(1)[0][0]
        alpha = Counter(self.alphas.values()).most_common(1)[0][0]
        fields = {
            "r": rank,
            "lora_alpha": alpha,
            "rank_pattern": {f"^{name}": own for name, own in self.ranks.items() if own != rank},
            "alpha_pattern": {f"^{name}": own for name, own in self.alphas.items() if own != alpha},
            "target_modules": sorted(self.ranks),
            "use_dora": self.has_dora,
            "lora_bias": self.has_bias,
        }
        return json.dumps({f"transformer.{name}": value for name, value in fields.items()})


def _named(official: str, deltas: Sequence[Delta], target: Target, mlp_ratio: float) -> Iterator[tuple[str, Delta]]:
    """A module's deltas under the layout's names, split or joined as it needs them."""
    if not target.is_split:
        name = official if target.spelling == "dots" else official.replace(".", "_")
        yield name, joined_parts(deltas, _num_rows(official, deltas, mlp_ratio))
        return
    names = parted_names().get(official, (official,))
    for delta in deltas:
        width = _width(delta)
        if len(names) == 1:
            yield names[0], swapped_rows(delta) if places()[names[0]].is_swapped else delta
        elif delta.first_row is not None:
            yield names[delta.first_row // width], delta
        else:
            sizes = [width] * 3 + [delta.num_rows - 3 * width] * (len(names) - 3)
            yield from zip(names, split_rows(delta, sizes), strict=True)


def _width(delta: Delta) -> int:
    """Columns of a layer, which are the rows of its queries, keys and values too."""
    return delta.num_rows if delta.factors is None else delta.factors.shape[1]


def _num_rows(official: str, deltas: Sequence[Delta], mlp_ratio: float) -> int:
    """Rows of the fused layer whose parts these are: those of the last part, or as many as the network gives it."""
    width, num_parts = _width(deltas[0]), len(parted_names().get(official, ()))
    last = max((delta.first_row or 0) + delta.num_rows for delta in deltas)
    return last if last > 3 * width or num_parts < 3 else 3 * width + int(mlp_ratio * width) * (num_parts == 4)


def _tensors(delta: Delta, target: Target, *, kernel: tuple[int, ...] | None) -> dict[str, Tensor]:
    """A delta's tensors by the ends of their keys. Raises WeightsError on what the layout has no place for."""
    factors, found = delta.factors, {}
    if isinstance(factors, LowRank):
        found = {target.down: factors.down, target.up: factors.up}
        if kernel is not None:
            found = {target.down: factors.down.unflatten(1, kernel), target.up: factors.up[..., None, None, None]}
    elif factors is not None and not target.holds_all:
        raise WeightsError(f"{type(factors).__name__} factors have no place in this layout; choose kohya or comfy.")
    elif isinstance(factors, Dense):
        found = {"diff": factors.weight if kernel is None else factors.weight.unflatten(1, kernel)}
    elif factors is not None:
        names = _LOHA if isinstance(factors, Hadamard) else _LOKR
        found = {names[name]: tensor for name, tensor in factors.tensors().items()}
    rank = None if factors is None else factors.rank
    if target.has_alpha and rank is not None:
        found["alpha"] = torch.tensor(_alpha(delta, rank), dtype=torch.float32)
    if delta.bias is not None:
        if not target.holds_all and target.has_alpha:
            raise WeightsError("a change of a bias has no place in this layout; choose kohya or comfy.")
        if factors is None and not target.holds_all:
            raise WeightsError("a change of a bias alone has no place in this layout; choose kohya or comfy.")
        found |= {"diff_b": delta.bias} if target.holds_all else {"lora_B.bias": delta.bias / delta.scale}
    return found if delta.magnitude is None else {**found, **_magnitude(delta, target)}


def _magnitude(delta: Delta, target: Target) -> dict[str, Tensor]:
    magnitude = delta.magnitude
    if magnitude is None or target.magnitude is None:
        raise WeightsError("DoRA has no place in this layout; choose kohya, comfy or diffusers.")
    if target.holds_all:
        return {target.magnitude: magnitude}
    if magnitude.shape[1] != 1:
        raise WeightsError("DoRA over columns has no place in this layout; choose kohya or comfy.")
    return {target.magnitude: magnitude[:, 0]}


def _plain_tensors(lora: Lora, target: Target) -> dict[str, Tensor]:
    """Norms and replaced parameters."""
    if (lora.shifts or lora.values) and not target.holds_all:
        raise WeightsError("changes of norms or whole parameters have no place in this layout; choose kohya or comfy.")
    found = {}
    for official, shift in lora.shifts.items():
        found |= {(official, "diff" if name == "weight" else "diff_b"): t for name, t in shift.changes.items()}
    for key, value in lora.values.items():
        official, _, field = key.rpartition(".")
        found[official, "set_weight" if field == "weight" else field] = value
    is_dotted = target.spelling == "dots"
    return {f"{target.prefix}{n if is_dotted else n.replace('.', '_')}.{end}": t for (n, end), t in found.items()}


def _alpha(delta: Delta, rank: int) -> float:
    """What gives the scale back over the rank, as a float32 holds it."""
    return float(torch.tensor(delta.scale * rank, dtype=torch.float64).to(torch.float32))
