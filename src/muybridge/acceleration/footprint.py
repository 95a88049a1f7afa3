"""Bytes on the device in each phase, by what they are."""

from itertools import pairwise

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
    weights_of,
)
from muybridge.acceleration.settings import RunSettings
from muybridge.transformer.cost import activation_bytes as transformer_bytes
from muybridge.vae import VAEConfig

LIBRARY_BYTES = {"cpu": 400 * 2**20, "cuda": 550 * 2**20}  # measured: Python, torch, transformers; a CUDA context
LATENT_COPIES = 6  # float32: the sampler's state, velocities and noise
COLOUR_BYTES = 7  # of a pixel's colour: decoded in float32, clamped on the way to uint8, and the result

CHUNKS_BYTES = 6 * 64 * 2**20  # in flight where a film is decoded in pieces
TILE_PIXELS = 65 * 256 * 256  # released

Parts = dict[str, int]


def always(model: Model, settings: RunSettings, device: Device) -> Parts:
    """What is there in every phase."""
    dtype = VALUE_BYTES[vae_dtype(settings, device.kind)]
    return {
        "libraries": LIBRARY_BYTES[device.kind],
        "transformer": resident_bytes(model, settings),
        "VAE": vae_weights(model.vae) * dtype,
    }


def resident_bytes(model: Model, settings: RunSettings) -> int:
    """Weights of the transformer on the device: all, or what is not streamed and two blocks."""
    weights = weights_of(model.transformer)
    if not settings.is_streamed:
        return _packed(weights.blocks, settings) + _plain(weights.modulation, settings) + _final_bytes(model, settings)
    lane = _packed(weights.largest_block, settings) + _plain(weights.largest_modulation, settings)
    return BLOCKS_AT_A_TIME * lane + _final_bytes(model, settings)


def read_bytes(model: Model, settings: RunSettings) -> int:
    """Weights that one forward reads, wherever they wait."""
    return coming_bytes(model, settings) + _final_bytes(model, settings)


def coming_bytes(model: Model, settings: RunSettings) -> int:
    """Weights of all blocks: what one forward brings to the device where they are streamed."""
    weights = weights_of(model.transformer)
    return _packed(weights.blocks, settings) + _plain(weights.modulation, settings)


def _packed(num_parameters: int, settings: RunSettings) -> int:
    return int(num_parameters * block_bits(settings) / 8)


def _plain(num_modulation: int, settings: RunSettings) -> int:
    """Modulation weights are never quantised."""
    return 0 if settings.evicts_modulation else num_modulation * VALUE_BYTES[settings.dtype or "float32"]


def _final_bytes(model: Model, settings: RunSettings) -> int:
    """What is neither quantised nor streamed."""
    weights = weights_of(model.transformer)
    others = weights.others * VALUE_BYTES[settings.dtype or "float32"]
    return others + _plain(weights.final_modulation, settings)


def text_bytes(model: Model, settings: RunSettings) -> int:
    """The text encoder, wherever it is."""
    return model.text.num_parameters * (model.text.value_bytes or VALUE_BYTES[settings.dtype or "float32"])


def denoise(model: Model, work: Work, settings: RunSettings) -> Parts:
    """What denoising takes beside the weights."""
    c, t, h, w = work.latents(model)
    parts = {
        "activations": activation_bytes(model, work, settings),
        "latents": LATENT_COPIES * 4 * work.batch_size * c * t * h * w,
    }
    if settings.evicts_modulation:
        parts["modulation table"] = table_bytes(model, work)
    if is_decoded(settings):
        config, value_bytes = model.transformer, VALUE_BYTES[settings.dtype or "float32"]
        parts["decoded weight"] = config.hidden_size * (3 * config.hidden_size + config.mlp_dim) * value_bytes
    return parts


def activation_bytes(model: Model, work: Work, settings: RunSettings) -> int:
    """Of one forward of the transformer."""
    return transformer_bytes(
        model.transformer,
        num_visual_tokens=work.num_tokens(model),
        num_text_tokens=model.text.num_tokens,
        batch_size=work.batch_size,
        value_bytes=VALUE_BYTES[settings.dtype or "float32"],
        chunk_tokens=settings.chunk_tokens,
    )


def table_bytes(model: Model, work: Work) -> int:
    """Rows of the adaptive norms, float32, for every forward of a run."""
    config = model.transformer
    widths = 12 * config.num_double_blocks + 3 * config.num_single_blocks + 2
    return 4 * widths * config.hidden_size * work.num_steps * work.passes * work.batch_size


def decode(model: Model, work: Work, settings: RunSettings, *, kind: str = "cpu") -> Parts:
    """What decoding one film takes beside the weights, the pixels included."""
    value_bytes = VALUE_BYTES[vae_dtype(settings, kind)]
    tile = min(work.num_pixels, TILE_PIXELS)
    features, of_tile = (largest_features(model.vae, pixels) * value_bytes for pixels in (work.num_pixels, tile))
    held = {
        "whole": 6 * features,
        "exact": int(1.2 * features) + CHUNKS_BYTES,
        "spill": CHUNKS_BYTES,
        "stream": CHUNKS_BYTES,
        "tiled": 6 * of_tile + 12 * work.num_pixels,
    }
    finished = work.batch_size - 1  # films of the batch, as bytes
    pixels = 3 * (COLOUR_BYTES + finished) * work.num_pixels
    return {"decoding": held[settings.vae_mode], "pixels": pixels}


def largest_features(config: VAEConfig, num_pixels: int) -> int:
    """Values of the largest map of the decoder."""
    side = config.decoder_side()
    st, sh, sw = side.stem_patch
    positions, largest = num_pixels / (st * sh * sw), 0.0
    for (channels, deeper), stride in zip(pairwise((*side.block_channels, 0)), (*side.strides(), None), strict=False):
        largest = max(largest, positions * max(channels, deeper))
        positions /= 1 if stride is None else stride[0] * stride[1] * stride[2]
    return int(largest)


def host(model: Model, work: Work, settings: RunSettings, device: Device) -> int:
    """Bytes of the host beside an accelerator: 0 on a CPU, whose memory is the device's."""
    if device.kind == "cpu":
        return 0
    waiting = coming_bytes(model, settings) if settings.weights == "host" else 0
    text = text_bytes(model, settings) if settings.text_weights == "host" else 0
    return LIBRARY_BYTES["cpu"] + waiting + text + 3 * COLOUR_BYTES * work.num_pixels
