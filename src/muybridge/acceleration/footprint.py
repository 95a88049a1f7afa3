"""Bytes on the device in each phase, by what they are."""

from functools import cache

from muybridge.acceleration.device import Device
from muybridge.acceleration.facts import (
    BLOCKS_AT_A_TIME,
    VALUE_BYTES,
    Model,
    Work,
    block_bits,
    is_decoded,
    vae_dtype,
    vae_weights,
    value_bytes,
    weights_of,
)
from muybridge.acceleration.settings import RunSettings
from muybridge.transformer.cost import activation_bytes as transformer_bytes
from muybridge.vae import VAEConfig
from muybridge.vae.peak import decode_bytes

# Python, torch, transformers and what their kernels keep, measured (benchmarks/plan.py); with CUDA: convention.
LIBRARY_BYTES = {"cpu": 500 * 2**20, "cuda": 550 * 2**20}
LATENT_COPIES = 6  # float32: the sampler's state, velocities and noise
COLOUR_BYTES = 9  # of a pixel's colour once decoded: float32, the same clamped, and as a byte

Parts = dict[str, int]


def always(model: Model, settings: RunSettings, device: Device) -> Parts:
    """What is there in every phase."""
    dtype = VALUE_BYTES[vae_dtype(settings, device.kind)]
    return {
        "libraries": LIBRARY_BYTES[device.kind],
        "transformer": resident_bytes(model, settings, kind=device.kind),
        "VAE": vae_weights(model.vae) * dtype,
    }


def resident_bytes(model: Model, settings: RunSettings, *, kind: str) -> int:
    """Weights of the transformer that stay on the device: all, or what is not streamed.

    Modulation that is evicted on a CPU leaves memory only where it is mapped from its file, as it is there.
    """
    weights, plain_bytes = weights_of(model.transformer), value_bytes(settings)
    is_gone = settings.evicts_modulation and (kind == "cuda" or plain_bytes == model.stored_bytes)
    final = 0 if is_gone else weights.final_modulation
    plain = (weights.others + final) * plain_bytes
    if settings.is_streamed:
        return plain
    return plain + _packed(weights.blocks, settings) + (0 if is_gone else weights.modulation * plain_bytes)


def lane_bytes(model: Model, settings: RunSettings) -> int:
    """What streamed blocks take while a forward computes: two of them. Between runs they are gone."""
    if not settings.is_streamed:
        return 0
    weights = weights_of(model.transformer)
    inside = 0 if settings.evicts_modulation else weights.largest_modulation
    block = _packed(weights.largest_block, settings) + inside * value_bytes(settings)
    return BLOCKS_AT_A_TIME * block


def read_bytes(model: Model, settings: RunSettings) -> int:
    """Weights that one forward reads, wherever they wait."""
    others = weights_of(model.transformer).others * value_bytes(settings)
    return coming_bytes(model, settings) + others


def coming_bytes(model: Model, settings: RunSettings) -> int:
    """Weights of all blocks: what one forward brings to the device where they are streamed."""
    weights = weights_of(model.transformer)
    modulation = 0 if settings.evicts_modulation else weights.modulation
    return _packed(weights.blocks, settings) + modulation * value_bytes(settings)


def _packed(num_parameters: int, settings: RunSettings) -> int:
    """Modulation weights are never quantised; these are."""
    return int(num_parameters * block_bits(settings) / 8)


def text_bytes(model: Model, settings: RunSettings) -> int:
    """The text encoder, wherever it is."""
    return model.text.num_parameters * _text_value_bytes(model, settings)


def text_resident_bytes(model: Model, settings: RunSettings, *, kind: str) -> int:
    """What of the text encoder stays on the device once it is loaded; a processor is its own host."""
    if settings.text_weights == "host" and kind != "cpu":
        return 0
    layers = model.text.num_layers * model.text.layer_parameters if settings.text_weights == "disk" else 0
    return (model.text.num_parameters - layers) * _text_value_bytes(model, settings)


def text_lane_bytes(model: Model, settings: RunSettings) -> int:
    """What streamed layers take while a prompt is encoded: two of them. Afterwards they are gone."""
    if settings.text_weights != "disk":
        return 0
    return BLOCKS_AT_A_TIME * model.text.layer_parameters * _text_value_bytes(model, settings)


def _text_value_bytes(model: Model, settings: RunSettings) -> int:
    return model.text.value_bytes or value_bytes(settings)


def denoise(model: Model, work: Work, settings: RunSettings) -> Parts:
    """What denoising takes beside the weights."""
    c, t, h, w = work.latents(model)
    parts = {
        "activations": activation_bytes(model, work, settings),
        "latents": LATENT_COPIES * 4 * work.batch_size * c * t * h * w,
    }
    if settings.evicts_modulation:
        parts["modulation table"] = table_values(model, work) * value_bytes(settings)
    if is_decoded(settings):
        config = model.transformer
        num_values = config.hidden_size * (3 * config.hidden_size + config.mlp_dim)
        parts["decoded weight"] = num_values * value_bytes(settings)
    return parts


def activation_bytes(model: Model, work: Work, settings: RunSettings) -> int:
    """Of one forward of the transformer."""
    return transformer_bytes(
        model.transformer,
        num_visual_tokens=work.num_tokens(model),
        num_text_tokens=model.text.num_tokens,
        batch_size=work.batch_size,
        value_bytes=value_bytes(settings),
        chunk_tokens=settings.chunk_tokens,
    )


def table_values(model: Model, work: Work) -> int:
    """What the adaptive norms make for every forward of a run."""
    config = model.transformer
    widths = 12 * config.num_double_blocks + 3 * config.num_single_blocks + 2
    return widths * config.hidden_size * round(work.num_steps * work.passes) * work.batch_size


def decode(model: Model, work: Work, settings: RunSettings, *, kind: str = "cpu") -> Parts:
    """What decoding one film takes beside the weights, the pixels included."""
    film, dtype = (work.num_frames, work.height, work.width), vae_dtype(settings, kind)
    decoding = _decode_bytes(model.vae, film, VALUE_BYTES[dtype], settings.vae_mode)
    return {
        "decoding": max(decoding, 3 * COLOUR_BYTES * work.num_pixels),
        "finished films": 3 * (work.batch_size - 1) * work.num_pixels,
    }


@cache
def _decode_bytes(config: VAEConfig, film: tuple[int, int, int], size: int, mode: str) -> int:
    """size: bytes of a value."""
    frames, height, width = film
    return decode_bytes(config, num_frames=frames, height_px=height, width_px=width, value_bytes=size, mode=mode)


def host(model: Model, work: Work, settings: RunSettings, device: Device) -> int:
    """Bytes of the host beside an accelerator: 0 on a CPU, whose memory is the device's."""
    if device.kind == "cpu":
        return 0
    waiting = coming_bytes(model, settings) if settings.weights == "host" else 0
    text = text_bytes(model, settings) if settings.text_weights == "host" else 0
    lanes = text_lane_bytes(model, settings), lane_bytes(model, settings) if settings.weights == "disk" else 0
    pinned = max(lanes) // BLOCKS_AT_A_TIME  # what comes from a file passes through the host one by one
    if settings.evicts_modulation:
        weights = weights_of(model.transformer)
        waiting += (weights.modulation + weights.final_modulation) * value_bytes(settings)
    return LIBRARY_BYTES["cpu"] + waiting + text + pinned + 3 * COLOUR_BYTES * work.num_pixels
