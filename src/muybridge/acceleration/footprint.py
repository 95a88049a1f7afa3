"""Bytes on the device in each phase, by what they are."""

from muybridge.acceleration.device import Device
from muybridge.acceleration.facts import (
    BLOCKS_AT_A_TIME,
    VALUE_BYTES,
    Model,
    Work,
    block_bits,
    vae_dtype,
    vae_weights,
    weights_of,
)
from muybridge.acceleration.settings import RunSettings
from muybridge.transformer.cost import activation_bytes as transformer_bytes

LIBRARY_BYTES = {"cpu": 400 * 2**20, "cuda": 550 * 2**20}  # measured: Python, torch, transformers; a CUDA context
LATENT_COPIES = 6  # float32: the sampler's state, velocities and noise
COLOUR_BYTES = 7  # of a pixel's colour: decoded in float32, clamped on the way to uint8, and the result

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
    weights, value_bytes = weights_of(model.transformer), VALUE_BYTES[settings.dtype or "float32"]
    blocks = BLOCKS_AT_A_TIME * weights.largest_block if settings.is_streamed else weights.blocks
    plain = weights.others + (0 if settings.evicts_modulation else weights.modulation)
    return int(blocks * block_bits(settings) / 8) + plain * value_bytes


def streamed_bytes(model: Model, settings: RunSettings) -> int:
    """What comes to the device in one forward."""
    return int(weights_of(model.transformer).blocks * block_bits(settings) / 8) if settings.is_streamed else 0


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
    return parts | ({"modulation table": table_bytes(model, work)} if settings.evicts_modulation else {})


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


def decode(model: Model, work: Work, settings: RunSettings, device: Device) -> Parts:
    """What decoding one film takes beside the weights, the pixels included."""
    dtype = VALUE_BYTES[vae_dtype(settings, device.kind)]
    features = max(model.vae.decoder_side().block_channels) * work.num_pixels
    return {"decoding": 6 * features * dtype, "pixels": 3 * COLOUR_BYTES * work.num_pixels}


def host(model: Model, work: Work, settings: RunSettings, device: Device) -> int:
    """Bytes of the host beside an accelerator: 0 on a CPU, whose memory is the device's."""
    if device.kind == "cpu":
        return 0
    waiting = streamed_bytes(model, settings) if settings.weights == "host" else 0
    text = text_bytes(model, settings) if settings.text_weights == "host" else 0
    return LIBRARY_BYTES["cpu"] + waiting + text + 3 * COLOUR_BYTES * work.num_pixels
