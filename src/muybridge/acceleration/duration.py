"""Seconds of each phase, from counted operations and a device's rates."""

from functools import cache

from muybridge.acceleration import footprint
from muybridge.acceleration.device import Device, rate_at
from muybridge.acceleration.facts import (
    VALUE_BYTES,
    Model,
    Work,
    compute_dtype,
    is_decoded,
    vae_dtype,
    vae_weights,
    weights_of,
)
from muybridge.acceleration.settings import RunSettings
from muybridge.core.counting import attention_flops
from muybridge.ops.rows import MIN_ROWS
from muybridge.transformer.cost import forward_flops
from muybridge.vae.cost import decode_flops

START_S = 2.5  # measured: from the command to the first file that is opened
BLOCK_CALLS = 60  # operations of a block, counted in a profile
TOKEN_PASSES = 30  # times a block reads or writes a token's width outside of products, counted likewise


def load(model: Model, settings: RunSettings, device: Device) -> float:
    """Starting, and reading from the disk what does not wait there."""
    weights = weights_of(model.transformer)
    blocks = 0 if settings.weights == "disk" else weights.blocks + weights.modulation
    read = weights.others + blocks + vae_weights(model.vae)
    return START_S + read * model.stored_bytes * (1 / device.disk_rate + 1 / device.host_rate)


def text(model: Model, settings: RunSettings, device: Device) -> float:
    """Reading the text encoder, and one prompt through it; layers that wait on the disk are read as late."""
    facts, num_bytes = model.text, footprint.text_bytes(model, settings)
    dtype = "float32" if facts.value_bytes == VALUE_BYTES["float32"] else compute_dtype(settings)
    rate = rate_at(device.matmul, dtype, model.transformer.text_dim)
    slower = device.host_rate if settings.text_weights == "host" else device.copy_rate  # weights are read at that rate
    return num_bytes / device.disk_rate + max(2 * facts.num_parameters * facts.num_tokens / rate, num_bytes / slower)


def denoise(model: Model, work: Work, settings: RunSettings, device: Device) -> float:
    """Every forward of a run that is computed; an accelerator computes while the next block comes."""
    computing = forward(model, work, settings, device)
    if settings.is_streamed:
        coming = _coming(model, settings, device)
        computing = max(computing, coming) if device.kind == "cuda" else computing + coming  # a CPU's cores do both
    evicting = weights_of(model.transformer).modulation * model.stored_bytes / device.disk_rate
    return work.num_forwards * computing + (evicting if settings.evicts_modulation else 0)


def _coming(model: Model, settings: RunSettings, device: Device) -> float:
    """Seconds that the blocks' weights take to the device; those on the disk are as their file has them."""
    if settings.weights == "host":
        return footprint.coming_bytes(model, settings) / device.host_rate
    weights = weights_of(model.transformer)
    count = weights.blocks + (0 if settings.evicts_modulation else weights.modulation)
    return count * model.stored_bytes / min(device.disk_rate, device.host_rate)


def forward(model: Model, work: Work, settings: RunSettings, device: Device) -> float:
    """One forward with everything in place."""
    config, dtype = model.transformer, compute_dtype(settings)
    tokens = work.num_tokens(model) + model.text.num_tokens
    linear, attention = operations(model, work, settings)
    blocks = config.num_double_blocks + config.num_single_blocks
    products = linear / rate_at(device.matmul, multiplied_as(settings, device), config.hidden_size)
    if is_decoded(settings):
        products += 2 * weights_of(config).blocks * VALUE_BYTES[dtype] / device.copy_rate  # written and read again
    attending = attention / rate_at(device.attention, dtype, tokens)
    reading = footprint.read_bytes(model, settings) / device.copy_rate
    passes = blocks * TOKEN_PASSES * tokens * work.batch_size * config.hidden_size * VALUE_BYTES[dtype]
    chunks = 1 if settings.chunk_tokens is None else max(1, tokens // settings.chunk_tokens)
    calls = blocks * (BLOCK_CALLS + 8 * (chunks - 1)) * device.call_s
    return max(products, reading) + attending + passes / device.copy_rate + calls


def decode(model: Model, work: Work, settings: RunSettings, device: Device) -> float:
    """One film after the other."""
    dtype = vae_dtype(settings, device.kind)
    flops = _decode_operations(model, work)
    channels = max(model.vae.decoder_side().block_channels)
    return work.batch_size * flops / rate_at(device.convolution, dtype, 8 * channels)


def multiplied_as(settings: RunSettings, device: Device) -> str:
    """What products of the blocks are measured as: the scheme where it multiplies small numbers, else the dtype."""
    scheme = settings.quantise
    is_measured = scheme is not None and scheme in device.matmul and not is_decoded(settings)
    return scheme if is_measured and scheme else compute_dtype(settings)


def operations(model: Model, work: Work, settings: RunSettings) -> tuple[int, int]:
    """Of one forward: in linear layers, in attention."""
    linear, attention = _all_operations(model, work)
    if settings.evicts_modulation:
        linear -= 2 * weights_of(model.transformer).modulation * max(MIN_ROWS, work.batch_size)
    return linear, attention


@cache
def _all_operations(model: Model, work: Work) -> tuple[int, int]:
    config, tokens, text_tokens = model.transformer, work.num_tokens(model), model.text.num_tokens
    total = forward_flops(config, num_visual_tokens=tokens, num_text_tokens=text_tokens, batch_size=work.batch_size)
    blocks = config.num_double_blocks + config.num_single_blocks
    both = tokens + text_tokens
    attention = work.batch_size * blocks * attention_flops(both, both, width=config.hidden_size)
    return total - attention, attention


@cache
def _decode_operations(model: Model, work: Work) -> int:
    num_frames = work.decoded_frames or work.num_frames
    return decode_flops(model.vae, num_frames=num_frames, height_px=work.height, width_px=work.width)
