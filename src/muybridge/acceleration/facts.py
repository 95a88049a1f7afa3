"""What memory and time depend on: the model, the work, and the weights under one setting."""

from dataclasses import dataclass, replace
from functools import cache

from muybridge.acceleration.caches.budget import Budget
from muybridge.acceleration.quantise import SCHEMES
from muybridge.acceleration.settings import RunSettings
from muybridge.core.shapes import latent_shape, token_grid
from muybridge.transformer import TransformerConfig
from muybridge.transformer.cost import modulation_parameters, num_parameters
from muybridge.vae import VAEConfig
from muybridge.vae.cost import num_parameters as vae_parameters

VALUE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
BLOCKS_AT_A_TIME = 2  # of a stream: one computes while the next one comes


@dataclass(frozen=True, kw_only=True, slots=True)
class TextFacts:
    """The text encoder. value_bytes: of a parameter, None where it follows the transformer's dtype.

    num_layers, layer_parameters: of the language model, where its layers' matrices can wait on the disk.
    """

    num_parameters: int
    value_bytes: int | None = None
    num_tokens: int = 256  # released: the longest prompt
    num_layers: int = 0
    layer_parameters: int = 0

    @property
    def can_stream(self) -> bool:
        """Whether the encoder has layers that can wait on the disk."""
        return self.num_layers > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """The networks of one model. stored_bytes: of a parameter in its file."""

    name: str
    transformer: TransformerConfig
    vae: VAEConfig
    text: TextFacts
    stored_bytes: int = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What is asked for. passes: forwards of a step, by its sampler, guidance and prompts; a mean where steps differ.

    budget: of a step cache, such as speed=2x or psnr>=32; None computes every forward. num_frames: in memory at a time;
    of a film that is made in `num_windows` one after the other, those of one, and decoded_frames are those of all, some
    twice. seen_frames: that the network sees at a time, 0 where it sees all; `views` of so many are made in a forward,
    less than one where prompts at times see their own frames.
    """

    width: int
    height: int
    num_frames: int
    num_steps: int
    passes: float = 1
    batch_size: int = 1
    budget: str | None = None
    num_windows: int = 1
    decoded_frames: int = 0
    seen_frames: int = 0
    views: float = 1

    @property
    def num_forwards(self) -> float:
        """Of a film. A budget of speed says how many are computed; one of quality may ask for all of them."""
        budget = None if self.budget is None else Budget.parse(self.budget)
        saved = budget.value if budget is not None and budget.kind == "speed" else 1
        return self.num_steps * self.passes * self.views * self.num_windows / saved

    @property
    def num_pixels(self) -> int:
        """Of one film."""
        return self.num_frames * self.height * self.width

    def num_tokens(self, model: Model) -> int:
        """Visual tokens of one film, that the network sees at a time."""
        seen = replace(self, num_frames=self.seen_frames or self.num_frames)
        t, h, w = token_grid(seen.latents(model)[1:], model.transformer.patch_size)
        return t * h * w

    def latents(self, model: Model) -> tuple[int, int, int, int]:
        """(c, t, h, w) of one film."""
        return latent_shape(self.num_frames, self.height, self.width, channels=model.transformer.out_channels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Parameters of a transformer by what can be done with them."""

    blocks: int  # what can be quantised and streamed
    largest_block: int
    modulation: int  # of the blocks: can be evicted, else streamed
    largest_modulation: int
    final_modulation: int  # can be evicted
    others: int

    @property
    def total(self) -> int:
        """All parameters."""
        return self.blocks + self.modulation + self.final_modulation + self.others


@cache
def weights_of(config: TransformerConfig) -> Weights:
    """From the difference that one more block makes."""
    none = replace(config, num_double_blocks=0, num_single_blocks=0)
    rest, width = num_parameters(none), config.hidden_size
    double, single = (
        (num_parameters(replace(none, **{name: 1})) - rest if count else 0)
        for name, count in (
            ("num_double_blocks", config.num_double_blocks),
            ("num_single_blocks", config.num_single_blocks),
        )
    )
    row = width * (width + 1)  # of a signal: one matrix and its bias
    last = modulation_parameters(none)
    modulation = modulation_parameters(config) - last
    return Weights(
        blocks=double * config.num_double_blocks + single * config.num_single_blocks - modulation,
        largest_block=max(double - 12 * row if double else 0, single - 3 * row if single else 0),
        modulation=modulation,
        largest_modulation=12 * row if double else 3 * row,
        final_modulation=last,
        others=rest - last,
    )


@cache
def vae_weights(config: VAEConfig) -> int:
    """Parameters of a VAE."""
    return vae_parameters(config)


def compute_dtype(settings: RunSettings) -> str:
    """What the transformer computes in; float32 where that was left to its weights."""
    return settings.dtype or "float32"


def value_bytes(settings: RunSettings) -> int:
    """Bytes of a value that the transformer computes with."""
    return VALUE_BYTES[compute_dtype(settings)]


def vae_dtype(settings: RunSettings, kind: str) -> str:
    """float16 beside a half-precision transformer on an accelerator, as released; else the transformer's."""
    return "float16" if kind == "cuda" and settings.dtype != "float32" else compute_dtype(settings)


def block_bits(settings: RunSettings) -> float:
    """Bits of a parameter of the blocks' matrices."""
    if settings.quantise is not None:
        return SCHEMES[settings.quantise].bits_per_value
    return 8.0 * value_bytes(settings)


def is_decoded(settings: RunSettings) -> bool:
    """Whether each call makes a plain weight of a small one."""
    return settings.quantise is not None and not SCHEMES[settings.quantise].quantises_tokens
