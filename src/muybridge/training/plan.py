"""What a stage would take: parameters, operations, memory and time, before anything is trained."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from muybridge.core.counting import TRAINING_PASSES
from muybridge.core.shapes import token_grid
from muybridge.training.config import RunConfig
from muybridge.training.learner import Learner
from muybridge.training.recompute import apply_recompute
from muybridge.transformer.conditions import Conditions
from muybridge.transformer.config import TransformerConfig
from muybridge.transformer.cost import forward_flops
from muybridge.transformer.model import Transformer
from muybridge.vae.config import VAEConfig
from muybridge.vae.cost import decode_flops, encode_flops
from muybridge.vae.model import VideoVAE

PROBE_FLOPS = {"cpu": 4e11, "cuda": 2e14}  # of the work that is timed: seconds on one CPU core, one on a GPU
Grid = tuple[int, int, int]
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A stage's needs. Bytes are of one device; seconds are extrapolated from a smaller piece of work, timed here."""

    num_parameters: int
    step_flops: int
    state_bytes: int  # weights, gradients, average, optimizer
    activation_bytes: int  # kept for the backward pass of one micro-batch
    checkpoint_bytes: int
    step_s: float
    num_steps: int

    @property
    def memory_bytes(self) -> int:
        """What training holds at its peak, working buffers aside."""
        return self.state_bytes + self.activation_bytes

    @property
    def total_s(self) -> float:
        """Seconds for all steps; validation, samples and saving come on top."""
        return self.step_s * self.num_steps


def scaled(plan: Plan, step_flops: int) -> Plan:
    """The plan with steps of other operations at the same speed and no more memory."""
    return replace(plan, step_flops=step_flops, step_s=plan.step_s * step_flops / plan.step_flops)


def mixed(plans: Sequence[Plan], turns: Sequence[int]) -> Plan:
    """Of batches that take turns: the mean operations and seconds of a step, the largest of the memory."""
    shares = [turn / sum(turns) for turn in turns]
    return replace(
        plans[0],
        step_flops=round(sum(plan.step_flops * share for plan, share in zip(plans, shares, strict=True))),
        step_s=sum(plan.step_s * share for plan, share in zip(plans, shares, strict=True)),
        activation_bytes=max(plan.activation_bytes for plan in plans),
    )


def plan_transformer(
    config: TransformerConfig, run: RunConfig, *, latent_thw: Grid, num_text_tokens: int, rows: int
) -> Plan:
    """The needs of a step of `rows` samples with latents of this size, on the device that torch would compute on.

    One block of each kind is timed, with fewer rows and tokens where those would take longer than seconds.
    """

    def forward(model: Transformer, num: int, thw: Grid) -> Tensor:
        latents = torch.zeros(num, config.in_channels, *thw, device=model.device)
        text = torch.zeros(num, num_text_tokens, config.text_dim, device=model.device)
        pooled = torch.zeros(num, config.pooled_dim, device=model.device)
        guidance = torch.zeros(num, device=model.device) if config.has_guidance else None
        given = Conditions(text=text, pooled=pooled, guidance=guidance)
        return model(latents, torch.full((num,), 0.5, device=model.device), given).float().mean()

    def flops(of: TransformerConfig, num: int, thw: Grid) -> int:
        tokens = math.prod(token_grid(thw, config.patch_size))
        size = {"num_visual_tokens": tokens, "num_text_tokens": num_text_tokens}
        return TRAINING_PASSES * forward_flops(of, **size, batch_size=num)

    short, budget, thw = _shortened(config), _budget(), latent_thw
    while flops(short, 1, thw) > budget and (smaller := _halved(thw, config.patch_size)) != thw:
        thw = smaller
    timed_rows = max(1, min(rows, int(budget / flops(short, 1, thw))))
    seconds = _timed(lambda: Transformer(short), lambda model: forward(model, timed_rows, thw), is_bf16=run.is_bf16)
    return _plan(
        run,
        build=lambda: Transformer(config),
        forward=lambda model: forward(model, max(1, rows // run.num_micro_batches), latent_thw),
        step_flops=flops(config, rows, latent_thw),
        flops_per_s=flops(short, timed_rows, thw) / seconds,
    )


def plan_vae(config: VAEConfig, run: RunConfig, *, size_px: int, num_frames: int) -> Plan:
    """The needs of a step of `run.batch_size` clips; a critic and a perceptual network come on top."""

    def forward(model: VideoVAE, num: int, frames: int) -> Tensor:
        pixels = torch.zeros(num, 3, frames, size_px, size_px, device=next(model.parameters()).device)
        return model.decode(model.encode(pixels).mode()).float().mean()

    def flops(num: int, frames: int) -> int:
        encoding = encode_flops(config, num_frames=frames, height_px=size_px, width_px=size_px)
        decoding = decode_flops(config, num_frames=frames, height_px=size_px, width_px=size_px)
        return TRAINING_PASSES * num * (encoding + decoding)

    frames = num_frames if flops(1, num_frames) <= _budget() else 1
    seconds = _timed(lambda: VideoVAE(config), lambda model: forward(model, 1, frames), is_bf16=run.is_bf16)
    rows = max(1, run.batch_size // run.num_micro_batches)
    return _plan(
        run,
        build=lambda: VideoVAE(config),
        forward=lambda model: forward(model, rows, num_frames),
        step_flops=flops(run.batch_size, num_frames),
        flops_per_s=flops(1, frames) / seconds,
    )


def _plan(
    run: RunConfig,
    *,
    build: Callable[[], Model],
    forward: Callable[[Model], Tensor],
    step_flops: int,
    flops_per_s: float,
) -> Plan:
    """Sizes come from the real network on tensors without memory, so that the largest one is planned on a laptop."""
    with FakeTensorMode(), torch.autocast(_device().type, torch.bfloat16, enabled=run.is_bf16):
        model = build().train()
        weight_bytes = sum(parameter.nbytes for parameter in model.parameters())
        optimizer_bytes = Learner(model, run.optimizer).num_state_bytes()
        apply_recompute(model, run.recompute)
        activation_bytes = kept_bytes(model, forward)
        num_parameters = sum(parameter.numel() for parameter in model.parameters())
    return Plan(
        num_parameters=num_parameters,
        step_flops=step_flops,
        state_bytes=3 * weight_bytes + optimizer_bytes,
        activation_bytes=activation_bytes,
        checkpoint_bytes=2 * weight_bytes + optimizer_bytes,
        step_s=step_flops / flops_per_s,
        num_steps=run.num_steps,
    )


def kept_bytes(model: Model, forward: Callable[[Model], Tensor]) -> int:
    """Bytes that a forward pass keeps for the backward pass beside the parameters, each storage once."""
    own = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}  # holding them, so that none is freed and its number used again

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        forward(model)
    return sum(storage.nbytes() for storage in kept.values())


def _timed(build: Callable[[], Model], forward: Callable[[Model], Tensor], *, is_bf16: bool) -> float:
    """Seconds of a forward and a backward pass, the faster of two: the first also warms up."""
    device, seconds = _device(), math.inf
    with torch.random.fork_rng(devices=[]):
        model = build().to(device).train()
    for _ in range(2):
        started_s = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=is_bf16):
            loss = forward(model)
        loss.backward()
        float(loss.detach())  # waits for the result
        seconds = min(seconds, time.perf_counter() - started_s)
    return seconds


def _shortened(config: TransformerConfig) -> TransformerConfig:
    """The same network with one block of each kind that it has."""
    return replace(
        config,
        num_double_blocks=min(1, config.num_double_blocks),
        num_single_blocks=min(1, config.num_single_blocks),
        num_refiner_blocks=min(1, config.num_refiner_blocks),
    )


def _halved(thw: Grid, patch: Grid) -> Grid:
    """Half as long on its longest axis, in whole patches, and not less than one."""
    axis = max(range(3), key=lambda i: thw[i] // patch[i])
    shorter = max(1, thw[axis] // patch[axis] // 2) * patch[axis]
    return (*thw[:axis], shorter, *thw[axis + 1 :])  # type: ignore[return-value]


def _budget() -> float:
    return PROBE_FLOPS.get(_device().type, PROBE_FLOPS["cpu"])


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
