"""Where each layout keeps each parameter, as tables, and how to pass from one to another.

The official names are the released ones and ours (DESIGN law 3). The diffusers layout splits fused projections and
stores the two halves of the last modulation the other way round. The VAE has the same names in both.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from muybridge.core.errors import WeightsError
from muybridge.weights.stored import StoredTensor, joined, rows, swapped

Kind = Literal["transformer", "vae"]
Layout = Literal["official", "diffusers"]
Parts = Literal["whole", "qkv", "qkv_mlp", "swapped"]
Entries = Mapping[str, StoredTensor]

PREFIXES = (  # what ComfyUI, diffusion-pipe, the released VAE, torch.compile, DDP and FSDP put in front
    "model.diffusion_model.", "model.model.", "diffusion_model.", "transformer.", "module.", "vae.",
)  # fmt: skip
INFIXES = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")  # these can stand at every level


@dataclass(frozen=True, slots=True)
class Row:
    """One module in both layouts, `{i}` a block's index. parts: how its rows are shared among the diffusers names.

    whole: alike; qkv: three of `hidden` rows; qkv_mlp: three of `hidden` rows and the rest; swapped: halves exchanged.
    """

    official: str
    diffusers: tuple[str, ...]
    parts: Parts = "whole"


def _same(official: str, diffusers: str) -> Row:
    return Row(official, (diffusers,))


_REFINER = ("txt_in.individual_token_refiner.blocks.{i}.", "context_embedder.token_refiner.refiner_blocks.{i}.")
_DOUBLE = ("double_blocks.{i}.", "transformer_blocks.{i}.")
_SINGLE = ("single_blocks.{i}.", "single_transformer_blocks.{i}.")

TRANSFORMER: tuple[Row, ...] = (
    _same("img_in.proj", "x_embedder.proj"),
    _same("time_in.mlp.0", "time_text_embed.timestep_embedder.linear_1"),
    _same("time_in.mlp.2", "time_text_embed.timestep_embedder.linear_2"),
    _same("guidance_in.mlp.0", "time_text_embed.guidance_embedder.linear_1"),
    _same("guidance_in.mlp.2", "time_text_embed.guidance_embedder.linear_2"),
    _same("vector_in.in_layer", "time_text_embed.text_embedder.linear_1"),
    _same("vector_in.out_layer", "time_text_embed.text_embedder.linear_2"),
    _same("txt_in.input_embedder", "context_embedder.proj_in"),
    _same("txt_in.t_embedder.mlp.0", "context_embedder.time_text_embed.timestep_embedder.linear_1"),
    _same("txt_in.t_embedder.mlp.2", "context_embedder.time_text_embed.timestep_embedder.linear_2"),
    _same("txt_in.c_embedder.linear_1", "context_embedder.time_text_embed.text_embedder.linear_1"),
    _same("txt_in.c_embedder.linear_2", "context_embedder.time_text_embed.text_embedder.linear_2"),
    *(
        _same(_REFINER[0] + official, _REFINER[1] + diffusers)
        for official, diffusers in (
            ("norm1", "norm1"),
            ("norm2", "norm2"),
            ("self_attn_proj", "attn.to_out.0"),
            ("mlp.fc1", "ff.net.0.proj"),
            ("mlp.fc2", "ff.net.2"),
            ("adaLN_modulation.1", "norm_out.linear"),
        )
    ),
    Row(_REFINER[0] + "self_attn_qkv", tuple(_REFINER[1] + f"attn.to_{part}" for part in "qkv"), "qkv"),
    *(
        _same(_DOUBLE[0] + official, _DOUBLE[1] + diffusers)
        for official, diffusers in (
            ("img_mod.linear", "norm1.linear"),
            ("img_attn_q_norm", "attn.norm_q"),
            ("img_attn_k_norm", "attn.norm_k"),
            ("img_attn_proj", "attn.to_out.0"),
            ("img_mlp.fc1", "ff.net.0.proj"),
            ("img_mlp.fc2", "ff.net.2"),
            ("txt_mod.linear", "norm1_context.linear"),
            ("txt_attn_q_norm", "attn.norm_added_q"),
            ("txt_attn_k_norm", "attn.norm_added_k"),
            ("txt_attn_proj", "attn.to_add_out"),
            ("txt_mlp.fc1", "ff_context.net.0.proj"),
            ("txt_mlp.fc2", "ff_context.net.2"),
        )
    ),
    Row(_DOUBLE[0] + "img_attn_qkv", tuple(_DOUBLE[1] + f"attn.to_{part}" for part in "qkv"), "qkv"),
    Row(_DOUBLE[0] + "txt_attn_qkv", tuple(_DOUBLE[1] + f"attn.add_{part}_proj" for part in "qkv"), "qkv"),
    *(
        _same(_SINGLE[0] + official, _SINGLE[1] + diffusers)
        for official, diffusers in (
            ("linear2", "proj_out"),
            ("q_norm", "attn.norm_q"),
            ("k_norm", "attn.norm_k"),
            ("modulation.linear", "norm.linear"),
        )
    ),
    Row(
        _SINGLE[0] + "linear1",
        (*(_SINGLE[1] + f"attn.to_{part}" for part in "qkv"), _SINGLE[1] + "proj_mlp"),
        "qkv_mlp",
    ),
    _same("final_layer.linear", "proj_out"),
    Row("final_layer.adaLN_modulation.1", ("norm_out.linear",), "swapped"),
)

_BLOCK = re.compile(r"blocks\.(\d+)\.")
_MARKS: tuple[tuple[str, Kind, Layout], ...] = (  # how a key begins that only this kind in this layout has
    ("img_in.", "transformer", "official"),
    ("double_blocks.", "transformer", "official"),
    ("x_embedder.", "transformer", "diffusers"),
    ("transformer_blocks.", "transformer", "diffusers"),
    ("decoder.", "vae", "official"),
    ("encoder.", "vae", "official"),
)


def stripped(entries: Entries) -> dict[str, StoredTensor]:
    """The entries without the prefixes that wrappers put in front of keys, however many.

    Raises WeightsError where two keys become one.
    """
    result: dict[str, StoredTensor] = {}
    origin: dict[str, str] = {}
    for key, entry in entries.items():
        name = _without_prefixes(key)
        if name in result:
            raise WeightsError(
                f"{entry.file}: {key!r} and {origin[name]!r} both mean {name!r}; keep one model per file."
            )
        result[name], origin[name] = entry, key
    return result


def detect(entries: Entries) -> tuple[Kind, Layout] | None:
    """Which model in which layout the (stripped) keys are; None where they are neither. The VAE's is "official"."""
    for mark, kind, layout in _MARKS:
        if any(key.startswith(mark) for key in entries):
            return kind, layout
    return None


def name_in(layout: Layout, official_key: str) -> tuple[str, ...]:
    """The keys under which a layout keeps the parameter with this official key, e.g. three for a fused qkv."""
    if layout == "official":
        return (official_key,)
    module, index, field = _split(official_key)
    row = _by_official(TRANSFORMER).get(module)
    return tuple(_key(name, index, field) for name in row.diffusers) if row else ()


def to_diffusers(entries: Entries, *, hidden_size: int) -> dict[str, StoredTensor]:
    """Official entries under diffusers' names, fused projections split by rows; nothing is read yet.

    Raises WeightsError on a key that the table does not know.
    """
    table = _by_official(TRANSFORMER)
    result: dict[str, StoredTensor] = {}
    for key, entry in entries.items():
        module, index, field = _split(key)
        if module not in table:
            raise WeightsError(f"{entry.file}: {key!r} has no place in the diffusers layout; remove it.")
        row = table[module]
        names = [_key(name, index, field) for name in row.diffusers]
        result.update(zip(names, _parted(entry, row.parts, hidden_size), strict=True))
    return result


def to_official(entries: Entries) -> dict[str, StoredTensor]:
    """Diffusers entries under the official names, split projections joined when read.

    Raises WeightsError on a key that the table does not know, or where a part of a fused projection is missing.
    """
    table = _by_diffusers(TRANSFORMER)
    result: dict[str, StoredTensor] = {}
    for key, entry in entries.items():
        module, index, field = _split(key)
        if module not in table:
            raise WeightsError(f"{entry.file}: {key!r} is no key of the diffusers layout; remove it.")
        row = table[module]
        official = _key(row.official, index, field)
        if official not in result:
            result[official] = _joined(entries, row, (index, field), official)
    return result


def _without_prefixes(key: str) -> str:
    for infix in INFIXES:
        key = key.replace(infix, "")
    while prefix := next((prefix for prefix in PREFIXES if key.startswith(prefix)), None):
        key = key[len(prefix) :]
    return key


def _split(key: str) -> tuple[str, str, str]:
    """Module with `{i}` for its block's index, that index, and the parameter: weight or bias."""
    module, _, field = key.rpartition(".")
    found = _BLOCK.search(module + ".")
    if not found:
        return module, "", field
    return _BLOCK.sub("blocks.{i}.", module + ".", count=1)[:-1], found[1], field


def _key(pattern: str, index: str, field: str) -> str:
    return f"{pattern.replace('{i}', index)}.{field}"


def _by_official(table: Iterable[Row]) -> dict[str, Row]:
    return {row.official: row for row in table}


def _by_diffusers(table: Iterable[Row]) -> dict[str, Row]:
    return {name: row for row in table for name in row.diffusers}


def _parted(entry: StoredTensor, parts: Parts, hidden_size: int) -> list[StoredTensor]:
    if parts == "whole":
        return [entry]
    if parts == "swapped":
        return [swapped(entry)]
    ends = [hidden_size, 2 * hidden_size, 3 * hidden_size] + ([entry.shape[0]] if parts == "qkv_mlp" else [])
    return [rows(entry, start, stop) for start, stop in zip([0, *ends], ends, strict=False)]


def _joined(entries: Entries, row: Row, place: tuple[str, str], official: str) -> StoredTensor:
    names = [_key(name, *place) for name in row.diffusers]
    present = [name for name in names if name in entries]
    if len(present) < len(names):
        missing = next(name for name in names if name not in entries)
        raise WeightsError(
            f"{entries[present[0]].file}: lacks {missing!r}, a part of {official!r}; use a complete checkpoint."
        )
    if row.parts == "swapped":
        return swapped(entries[names[0]])
    return entries[names[0]] if row.parts == "whole" else joined([entries[name] for name in names], official)
