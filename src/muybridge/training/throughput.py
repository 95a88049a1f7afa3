"""How fast training goes: tokens or frames a second, and the share of the device's arithmetic that the model uses."""

import math
import time
from collections import Counter
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, Self

import torch
from torch import Tensor, nn

from muybridge.core.counting import TRAINING_PASSES
from muybridge.core.shapes import token_grid
from muybridge.transformer.conditions import Conditions
from muybridge.transformer.cost import forward_flops
from muybridge.transformer.model import Transformer
from muybridge.vae.cost import decode_flops, encode_flops
from muybridge.vae.model import VideoVAE

RATED_FLOPS = {  # dense bfloat16, the makers' data sheets
    "H200": 989e12, "H100": 989e12, "H800": 989e12, "A100": 312e12, "A800": 312e12, "L40S": 362e12, "4090": 165e12,
}  # fmt: skip
PROBE_SIZE = {"cpu": 1024, "cuda": 8192}  # of a matrix product large enough to reach the device's speed
PROBE_S = 0.2
Work = Counter[str]  # of a forward pass: "flops" of the model's training step, "tokens" or "frames"
Hook = Callable[..., None]


class Meter:
    """Counts what passes through a model, and the time, while it is entered: forward hooks read the shapes.

    MFU is the model's own operations, a forward and a backward pass without recomputation, over what the device could
    do; a critic's or a perceptual network's are left out. Models that are neither `Transformer` nor `VideoVAE` have no
    counts.
    """

    def __init__(self, model: nn.Module, *, is_bf16: bool):
        self.model, self.is_bf16 = model, is_bf16
        self.work: Work = Counter()
        self.num_entered, self.seconds = 0, 0.0
        self._hooks: list[Any] = []
        self._entered_s = 0.0

    def __enter__(self) -> Self:
        for module, hook in _hooks(self.model, self.work):
            self._hooks.append(module.register_forward_pre_hook(hook, with_kwargs=True))
        self._entered_s = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds += time.perf_counter() - self._entered_s
        self.num_entered += 1
        while self._hooks:
            self._hooks.pop().remove()

    @cached_property
    def peak_flops(self) -> float:
        """What the device could do in a second."""
        return peak_flops(next(self.model.parameters()).device, is_bf16=self.is_bf16)

    def figures(self) -> dict[str, float]:
        """Rates since they were last asked for, of the time spent inside: validating and saving are not counted."""
        seconds = max(self.seconds, 1e-9)
        figures = {"steps_per_s": self.num_entered / seconds}
        figures |= {f"{name}_per_s": self.work[name] / seconds for name in ("tokens", "frames") if self.work[name]}
        if self.work["flops"]:
            figures["mfu"] = self.work["flops"] / seconds / self.peak_flops
        self.work.clear()
        self.num_entered, self.seconds = 0, 0.0
        return figures


def peak_flops(device: torch.device, *, is_bf16: bool) -> float:
    """What the device can do in a second: its data sheet's figure, or that of a large matrix product here, now.

    The data sheet counts for bfloat16 on accelerators that we know.
    """
    if device.type == "cuda" and is_bf16:
        name = torch.cuda.get_device_name(device)
        for model, rated in RATED_FLOPS.items():
            if model in name:
                return rated
    return _measured_flops(device, torch.bfloat16 if is_bf16 else torch.float32)


def _measured_flops(device: torch.device, dtype: torch.dtype) -> float:
    """The fastest of many products: what else runs on the machine only slows some of them."""
    size = PROBE_SIZE.get(device.type, PROBE_SIZE["cpu"])
    a = torch.ones(size, size, dtype=dtype, device=device)
    torch.mm(a, a)
    best_s, ends_s = math.inf, time.perf_counter() + PROBE_S
    while best_s == math.inf or time.perf_counter() < ends_s:
        started_s = time.perf_counter()
        float(torch.mm(a, a)[0, 0])  # waits for the result
        best_s = min(best_s, time.perf_counter() - started_s)
    return 2 * size**3 / best_s


def _hooks(model: nn.Module, work: Work) -> list[tuple[nn.Module, Hook]]:
    if isinstance(model, Transformer):
        return [(model, partial(_count_transformer, work=work))]
    if isinstance(model, VideoVAE):
        return [
            (model.encoder, partial(_count_encoding, vae=model, work=work)),
            (model.decoder, partial(_count_decoding, vae=model, work=work)),
        ]
    return []


def _count_transformer(model: Transformer, inputs: tuple[Any, ...], named: dict[str, Any], *, work: Work) -> None:
    latents, sigma, conditions = (
        *inputs, *(named[name] for name in ("latents", "sigma", "conditions") if name in named)
    )  # fmt: skip
    assert isinstance(conditions, Conditions)
    batch, num_tokens = len(latents), math.prod(token_grid(tuple(latents.shape[2:]), model.config.patch_size))
    mask = conditions.text_mask
    num_text = conditions.text.shape[1] if mask is None else int(mask.sum(1).float().mean().ceil())
    work["tokens"] += batch * num_tokens
    work["flops"] += _passes(model) * forward_flops(
        model.config,
        num_visual_tokens=num_tokens,
        num_text_tokens=num_text,
        batch_size=batch,
        num_signals=1 if sigma.ndim == 1 else sigma.shape[1],
    )


def _count_encoding(
    encoder: nn.Module, inputs: tuple[Tensor], named: dict[str, Any], *, vae: VideoVAE, work: Work
) -> None:
    batch, _, frames, height, width = inputs[0].shape
    one = encode_flops(vae.config, num_frames=frames, height_px=height, width_px=width)
    work["frames"] += batch * frames
    work["flops"] += _passes(encoder) * batch * one


def _count_decoding(
    decoder: nn.Module, inputs: tuple[Tensor], named: dict[str, Any], *, vae: VideoVAE, work: Work
) -> None:
    batch, _, t, h, w = inputs[0].shape
    one = decode_flops(vae.config, num_frames=1 + 4 * (t - 1), height_px=8 * h, width_px=8 * w)
    work["flops"] += _passes(decoder) * batch * one


def _passes(module: nn.Module) -> int:
    """Forward passes that a step's work is worth; a frozen network is not differentiated."""
    is_learning = torch.is_grad_enabled() and any(parameter.requires_grad for parameter in module.parameters())
    return TRAINING_PASSES if is_learning else 1
