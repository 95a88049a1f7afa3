"""A state dict written in every quantised way that people have on disk, with the exact values that the file means.

The encoders are plain and slow and share nothing with the package; `exact` is the format's formula in float64.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.weights.small import small_transformer

State = Mapping[str, Tensor]
ONE = torch.ones(())
E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2


@dataclass(frozen=True, kw_only=True, slots=True)
class Raw:
    """Tensors as a file holds them, and what they mean; tensors that are not in `exact` are themselves."""

    tensors: dict[str, Tensor]
    exact: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> Path:
        save_file({key: tensor.contiguous() for key, tensor in self.tensors.items()}, path, self.metadata)
        return path


def state() -> dict[str, Tensor]:
    """A small network in bfloat16."""
    return dict(small_transformer().to(torch.bfloat16).state_dict())


def linear_keys(tensors: State) -> list[str]:
    """What the released fp8 quantises: linear layers of the blocks."""
    return [key for key, tensor in tensors.items() if "_blocks." in key and tensor.ndim == 2]


def _by_layer(tensors: State, encode: Callable[[str, Tensor], tuple[dict[str, Tensor], Tensor]]) -> Raw:
    """Each linear layer replaced by the tensors that `encode(layer, weight)` gives, with their exact value."""
    stored, exact = dict(tensors), {}
    for key in linear_keys(tensors):
        del stored[key]
        parts, exact[key] = encode(key.removesuffix(".weight"), tensors[key].double())
        stored |= parts
    return Raw(tensors=stored, exact=exact)


def cast(dtype: torch.dtype) -> Callable[[State], Raw]:
    """fp8 without scales."""

    def encode(layer: str, weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        low = weight.float().to(dtype)
        return {f"{layer}.weight": low}, low.double()

    return lambda tensors: _by_layer(tensors, encode)


def _steps(weight: Tensor, grid: tuple[int, int], dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Codes, scales of this grid over the weight, exact values."""
    largest = 127.0 if dtype == torch.int8 else torch.finfo(dtype).max
    (n, k), (r, c) = weight.shape, grid
    blocks = weight.reshape(r, n // r, c, k // c)
    scale = (blocks.abs().amax(dim=(1, 3), keepdim=True) / largest).float()
    codes = (blocks / scale).clamp(-largest, largest)
    low = codes.round().to(dtype) if dtype == torch.int8 else codes.float().to(dtype)
    return low.reshape(n, k), scale.reshape(r, c), (low.double() * scale.double()).reshape(n, k)


def scaled(
    suffix: str, *, dtype: torch.dtype = E4M3, rows: bool = False, extra: Mapping[str, Tensor] | None = None
) -> Callable[[State], Raw]:
    """A scale beside each weight, one per tensor or per row; `extra` stands beside every layer too."""

    def encode(layer: str, weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        low, scale, exact = _steps(weight, (weight.shape[0] if rows else 1, 1), dtype)
        beside = {f"{layer}{name}": tensor.clone() for name, tensor in (extra or {}).items()}
        shape = (weight.shape[0], 1) if rows else ()
        return {f"{layer}.weight": low, f"{layer}{suffix}": scale.reshape(shape), **beside}, exact

    return lambda tensors: _by_layer(tensors, encode)


def marked(write: Callable[[State], Raw]) -> Callable[[State], Raw]:
    """With ComfyUI's marker."""

    def marking(tensors: State) -> Raw:
        raw = write(tensors)
        raw.tensors["scaled_fp8"] = torch.zeros(2, dtype=E4M3)
        return raw

    return marking


def in_metadata(write: Callable[[State], Raw], form: str) -> Callable[[State], Raw]:
    """With ComfyUI's recipes in the file's metadata and the weights' bytes as uint8."""

    def described(tensors: State) -> Raw:
        raw = write(tensors)
        layers = [key.removesuffix(".weight") for key in linear_keys(tensors)]
        raw.tensors.update({f"{layer}.weight": raw.tensors[f"{layer}.weight"].view(torch.uint8) for layer in layers})
        recipe = {"format_version": "1.0", "layers": {layer: {"format": form} for layer in layers}}
        raw.metadata["_quantization_metadata"] = json.dumps(recipe)
        return raw

    return described


def recipe(form: str) -> Tensor:
    """A `.comfy_quant` tensor."""
    return torch.tensor(list(json.dumps({"format": form}).encode()), dtype=torch.uint8)


def musubi_blocks(tensors: State) -> Raw:
    """Blocks of 16 columns, (n, b, 1), under a scale for the tensor."""

    def encode(layer: str, weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        low, scale, exact = _steps(weight, (weight.shape[0], weight.shape[1] // 16), E4M3)
        outer = torch.tensor(0.5)  # a power of two, so that the scale divides exactly
        parts = {"weight": low, "scale_weight": (scale / outer)[..., None], "scale_weight_tensor": outer}
        return {f"{layer}.{name}": part for name, part in parts.items()}, exact

    return _by_layer(tensors, encode)


def squares(tensors: State) -> Raw:
    """ComfyUI's int8_blockwise, its squares of 16."""

    def encode(layer: str, weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        low, scale, exact = _steps(weight, (weight.shape[0] // 16, weight.shape[1] // 16), torch.int8)
        parts = {"weight": low, "weight_scale": scale, "comfy_quant": recipe("int8_blockwise")}
        return {f"{layer}.{name}": part for name, part in parts.items()}, exact

    return _by_layer(tensors, encode)


def smoothed(tensors: State) -> Raw:
    """ModelOpt with scales of columns, by which the layer multiplies what it is given."""

    def encode(layer: str, weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        low, scale, exact = _steps(weight, (1, 1), E4M3)
        columns = torch.linspace(0.5, 2.0, weight.shape[1])
        parts = {"weight": low, "weight_scale": scale.reshape(()), "pre_quant_scale": columns}
        return {f"{layer}.{name}": part for name, part in parts.items()}, exact * columns.double()

    return _by_layer(tensors, encode)


E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0)


def in_tiles(scale: Tensor) -> Tensor:
    """Scales as Blackwell reads them, padded with zeros: byte by byte, by the formula of cuBLAS."""
    rows, columns = scale.shape
    wide = -(-columns // 4)
    tiles = torch.zeros(-(-rows // 128) * wide * 512, dtype=torch.uint8)
    for r in range(rows):
        for c in range(columns):
            inside = (r % 32) * 16 + (r % 128 // 32) * 4 + c % 4
            tiles[((r // 128) * wide + c // 4) * 512 + inside] = scale.view(torch.uint8)[r, c]
    return tiles.reshape(-1, wide * 4).view(scale.dtype)


def nvfp4(*, is_comfy: bool) -> Callable[[State], Raw]:
    """Codes of e2m1, an e4m3 scale per 16, one over all; ComfyUI has the first code high and scales in tiles."""

    def encode(layer: str, weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        runs = weight.reshape(len(weight), -1, 16)
        outer = (weight.abs().amax() / (6 * 448)).float()
        scale = (runs.abs().amax(2) / 6 / outer).float().to(E4M3)
        steps = scale.double()[..., None] * outer.double()
        codes = (runs / steps)[..., None].sub(torch.tensor(E2M1).double()).abs().argmin(-1)
        first, second = codes.flatten(1).unflatten(1, (-1, 2)).to(torch.uint8).unbind(2)
        high, low = (first, second) if is_comfy else (second, first)
        parts = {"weight": high << 4 | low, "weight_scale": in_tiles(scale) if is_comfy else scale}
        parts |= {"weight_scale_2": outer, "input_scale": ONE}
        parts |= {"comfy_quant": recipe("nvfp4")} if is_comfy else {}
        exact = (torch.tensor(E2M1).double()[codes] * steps).reshape(weight.shape)
        return {f"{layer}.{name}": part.clone() for name, part in parts.items()}, exact

    return lambda tensors: _by_layer(tensors, encode)


def mxfp8(*, is_comfy: bool) -> Callable[[State], Raw]:
    """e4m3 and a power of two per 32."""

    def encode(layer: str, weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        runs = weight.reshape(len(weight), -1, 32)
        exponents = torch.ceil(torch.log2(runs.abs().amax(2) / 448)).clamp(-127, 127)
        low = (runs / torch.exp2(exponents)[..., None]).float().to(E4M3)
        scale = (exponents + 127).to(torch.uint8)
        parts = {"weight": low.reshape(weight.shape), "weight_scale": in_tiles(scale) if is_comfy else scale}
        parts |= {"comfy_quant": recipe("mxfp8")} if is_comfy else {}
        exact = (low.double() * torch.exp2(exponents)[..., None]).reshape(weight.shape)
        return {f"{layer}.{name}": part.clone() for name, part in parts.items()}, exact

    return lambda tensors: _by_layer(tensors, encode)


def quanto_int8(tensors: State) -> Raw:
    """As optimum-quanto saves: `_data`, `_scale`, and the scales of activations."""

    def encode(layer: str, weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        scale = (weight.abs().amax(1, keepdim=True) / 127).bfloat16()
        low = (weight / scale).round().clamp(-127, 127).to(torch.int8)
        parts = {"weight._data": low, "weight._scale": scale, "input_scale": ONE, "output_scale": ONE}
        return {f"{layer}.{name}": part.clone() for name, part in parts.items()}, low.double() * scale.double()

    return _by_layer(tensors, encode)


def quanto_packed(bits: int, *, has_float_shift: bool) -> Callable[[State], Raw]:
    """Groups of 16: code i of byte j is row i * ceil(rows / per) + j; value = code * scale - shift."""

    def encode(layer: str, weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        groups, largest = weight.reshape(-1, 16), 2**bits - 1
        low, high = groups.amin(1, keepdim=True), groups.amax(1, keepdim=True)
        scale = ((high - low) / largest).bfloat16()
        steps = (-low / scale).round()
        shift = (-low).bfloat16() if has_float_shift else steps.to(torch.int8)
        offset = shift.double() if has_float_shift else steps * scale.double()
        codes = ((groups + offset) / scale).round().clamp(0, largest).to(torch.uint8)
        per = 8 // bits
        height = -(-len(codes) // per)
        packed = torch.zeros(height, 16, dtype=torch.uint8)
        for row, code in enumerate(codes):
            packed[row % height] |= code << (bits * (row // height))
        exact = (codes.double() * scale.double() - offset).reshape(weight.shape)
        return {
            f"{layer}.weight._data._data": packed, f"{layer}.weight._scale": scale, f"{layer}.weight._shift": shift,
        }, exact  # fmt: skip

    return lambda tensors: _by_layer(tensors, encode)


NF4 = (
    -1.0, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036, 0.0,
    0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0,
)  # fmt: skip
FP4 = tuple(sign * value for sign in (1, -1) for value in (0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4))


def bitsandbytes(kind: str, *, is_nested: bool) -> Callable[[State], Raw]:
    """Blocks of 64, two codes to a byte, the first one high; nested: the maxima in 8 bits, in blocks of 256."""
    table = torch.tensor(NF4 if kind == "nf4" else FP4, dtype=torch.float32)

    def encode(layer: str, weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        flat = weight.flatten()
        blocks = torch.nn.functional.pad(flat, (0, -len(flat) % 64)).reshape(-1, 64)
        largest = blocks.abs().amax(1).float()
        state = {"quant_type": kind, "blocksize": 64, "dtype": "bfloat16", "shape": list(weight.shape)}
        key = f"{layer}.weight"
        parts = {f"{key}.absmax": largest, f"{key}.quant_map": table.clone()}
        if is_nested:
            codes8, levels = torch.arange(len(largest)) % 256, torch.linspace(-1, 1, 256)
            steps = torch.full((-(-len(largest) // 256),), 0.25)
            exact_largest = levels[codes8].double() * 0.25 + 0.75
            state |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.75}
            parts |= {f"{key}.absmax": codes8.to(torch.uint8), f"{key}.nested_absmax": steps}
            parts |= {f"{key}.nested_quant_map": levels}
        else:
            exact_largest = largest.double()
        codes = (blocks / exact_largest[:, None])[..., None].sub(table.double()).abs().argmin(-1)
        exact = (table.double()[codes] * exact_largest[:, None]).flatten()[: len(flat)].reshape(weight.shape)
        pairs = codes.flatten()[: len(flat) + len(flat) % 2].reshape(-1, 2)
        parts[key] = (pairs[:, 0] * 16 + pairs[:, 1]).to(torch.uint8)[:, None]
        parts[f"{key}.quant_state.bitsandbytes__{kind}"] = torch.tensor(
            list(json.dumps(state).encode()), dtype=torch.uint8
        )
        return parts, exact

    return lambda tensors: _by_layer(tensors, encode)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """scheme: what the package calls it. error: largest relative error (RMS) of a layer, by the format's bits."""

    write: Callable[[State], Raw]
    scheme: str
    error: float


SAMPLES = {
    "fp8 e4m3": Sample(write=cast(E4M3), scheme="fp8 (e4m3fn)", error=0.03),
    "fp8 e5m2": Sample(write=cast(E5M2), scheme="fp8 (e5m2)", error=0.06),
    "Kijai, old": Sample(write=scaled(".fp8_scale"), scheme="fp8 scaled", error=0.03),
    "ComfyUI, old": Sample(
        write=marked(scaled(".scale_weight", extra={".scale_input": ONE})), scheme="fp8 scaled", error=0.03
    ),
    "ComfyUI": Sample(
        write=scaled(".weight_scale", extra={".comfy_quant": recipe("float8_e4m3fn")}), scheme="fp8 scaled", error=0.03
    ),
    "ComfyUI, metadata": Sample(
        write=in_metadata(scaled(".weight_scale", dtype=E5M2), "float8_e5m2"), scheme="fp8 scaled", error=0.06
    ),
    "ComfyUI, int8": Sample(
        write=scaled(".weight_scale", dtype=torch.int8, rows=True, extra={".comfy_quant": recipe("int8_tensorwise")}),
        scheme="int8 scaled",
        error=0.01,
    ),
    "ComfyUI, int8 squares": Sample(write=squares, scheme="int8 scaled", error=0.01),
    "ModelOpt": Sample(write=scaled(".weight_scale", extra={".input_scale": ONE}), scheme="fp8 scaled", error=0.03),
    "musubi, rows": Sample(write=scaled(".scale_weight", rows=True), scheme="fp8 scaled", error=0.03),
    "musubi, blocks": Sample(write=musubi_blocks, scheme="fp8 scaled", error=0.03),
    "ComfyUI, nvfp4": Sample(write=nvfp4(is_comfy=True), scheme="nvfp4", error=0.11),
    "ModelOpt, nvfp4": Sample(write=nvfp4(is_comfy=False), scheme="nvfp4", error=0.11),
    "ComfyUI, mxfp8": Sample(write=mxfp8(is_comfy=True), scheme="mxfp8", error=0.03),
    "ModelOpt, mxfp8": Sample(write=mxfp8(is_comfy=False), scheme="mxfp8", error=0.03),
    "quanto int8": Sample(write=quanto_int8, scheme="quanto int8", error=0.01),
    "quanto int4": Sample(write=quanto_packed(4, has_float_shift=True), scheme="quanto int4", error=0.08),
    "quanto int2": Sample(write=quanto_packed(2, has_float_shift=False), scheme="quanto int2", error=0.4),
    "nf4": Sample(write=bitsandbytes("nf4", is_nested=False), scheme="bitsandbytes nf4", error=0.1),
    "fp4": Sample(write=bitsandbytes("fp4", is_nested=False), scheme="bitsandbytes fp4", error=0.13),
    "nf4, nested": Sample(write=bitsandbytes("nf4", is_nested=True), scheme="bitsandbytes nf4", error=0.6),
}
