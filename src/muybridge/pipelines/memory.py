"""Whether a request fits into memory, said before the work starts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from torch import nn

from muybridge.acceleration.memory import in_words
from muybridge.core.errors import DoesNotFit
from muybridge.core.shapes import SPATIAL_RATIO, TEMPORAL_RATIO, latent_frames
from muybridge.pipelines.request import SIZE_MULTIPLE_PX, GenerationRequest
from muybridge.transformer import TransformerConfig
from muybridge.vae import VAEConfig
from muybridge.vae.tiling import Tiling

TOKEN_WIDTHS = 28  # live values per token in one block, in hidden widths: qkv, their rotated copies, mlp in and out
TEXT_TOKENS = 256  # released: the longest prompt
FEATURE_COPIES = 6  # of the VAE's largest feature map at once; the released VAE measured 4.9 to 5.1 in float32
PIXEL_BYTES = 39  # of a film's every pixel: float32 decoded, in tiles and joined, and the uint8 result
MARGIN = 1.1  # allocator and libraries


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """Bytes that a request takes; `work_bytes` is the larger of denoising and decoding, which follow each other."""

    weight_bytes: int
    text_bytes: int
    work_bytes: int
    keeps_text: bool

    @property
    def total_bytes(self) -> int:
        """The peak, with a margin; a text encoder that is not kept is gone before the work starts."""
        beside = self.text_bytes + self.work_bytes if self.keeps_text else max(self.text_bytes, self.work_bytes)
        return int(MARGIN * (self.weight_bytes + beside))


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The numbers of the networks that memory depends on."""

    transformer: TransformerConfig
    vae: VAEConfig
    tiling: Tiling | None
    transformer_value_bytes: int
    vae_value_bytes: int
    weight_bytes: int
    text_bytes: int
    keeps_text: bool

    def needs(self, request: GenerationRequest, *, batch_size: int = 1) -> Needs:
        """Closed-form peak of `batch_size` films denoised together and decoded one after the other.

        An upper estimate, not a promise: benchmarks/film.py prints it beside what was measured.
        """
        work = max(self._denoise_bytes(request, batch_size), self._decode_bytes(request))
        results = batch_size * request.num_frames * request.height * request.width * 3
        return Needs(
            weight_bytes=self.weight_bytes,
            text_bytes=self.text_bytes,
            work_bytes=work + results,
            keeps_text=self.keeps_text,
        )

    def _denoise_bytes(self, request: GenerationRequest, batch_size: int) -> int:
        t, h, w = self.transformer.patch_size
        cells = latent_frames(request.num_frames), request.height // SPATIAL_RATIO, request.width // SPATIAL_RATIO
        tokens = -(-cells[0] // t) * -(-cells[1] // h) * -(-cells[2] // w) + TEXT_TOKENS
        values = TOKEN_WIDTHS * self.transformer.hidden_size * max(1.0, self.transformer.mlp_ratio / 4)
        latents = 6 * cells[0] * cells[1] * cells[2] * self.transformer.in_channels * 4  # sampler state and velocities
        return batch_size * int(tokens * values * self.transformer_value_bytes + latents)

    def _decode_bytes(self, request: GenerationRequest) -> int:
        frames, height, width = request.num_frames, request.height, request.width
        whole = frames * height * width
        if self.tiling is not None:
            frames = min(frames, self.tiling.sample_frames + 1)
            height, width = min(height, self.tiling.sample_px), min(width, self.tiling.sample_px)
        features = max(self._features(frames * height * width))
        return int(FEATURE_COPIES * features * self.vae_value_bytes) + whole * PIXEL_BYTES

    def _features(self, pixels: int) -> Iterable[float]:
        """Values in the feature map after each decoder block, from the pixels of one tile."""
        st, sh, sw = self.vae.stem_patch
        channels = self.vae.block_channels
        positions = pixels / (st * sh * sw)
        yield positions * max(channels[0], 3 * st * sh * sw)
        for (_, deeper), stride in zip(pairwise(channels), self.vae.strides(), strict=False):
            yield positions * deeper  # enlarged before its channels are reduced
            positions /= 1 if stride is None else stride[0] * stride[1] * stride[2]


def weight_bytes(*modules: nn.Module) -> int:
    """Bytes of all parameters and buffers."""
    return sum(t.numel() * t.element_size() for m in modules for t in (*m.parameters(), *m.buffers()))


def check_fits(request: GenerationRequest, machine: Machine, *, available: int, batch_size: int = 1) -> Needs:
    """What the request needs; raises DoesNotFit with the nearest length and size that fit `available` bytes."""
    needs = machine.needs(request, batch_size=batch_size)
    if needs.total_bytes <= available:
        return needs
    given = f"{request.width}x{request.height} with {request.num_frames} frames"
    remedy = _remedy(request, machine, available=available, batch_size=batch_size)
    raise DoesNotFit(
        f"{given}: needs about {in_words(needs.total_bytes)} of memory and {in_words(available)} is free; {remedy}."
    )


def _remedy(request: GenerationRequest, machine: Machine, *, available: int, batch_size: int) -> str:
    def fits(change: GenerationRequest) -> bool:
        return machine.needs(change, batch_size=batch_size).total_bytes <= available

    shorter = (replace(request, num_frames=n) for n in range(request.num_frames, 0, -TEMPORAL_RATIO))
    smaller = (replace(request, width=w, height=h) for w, h in _smaller_sizes(request.width, request.height))
    found = [next(filter(fits, changes), None) for changes in (shorter, smaller)]
    words = [f"{c.width}x{c.height} with {c.num_frames} frames" for c in found if c is not None]
    if not words:
        return "use a machine with more memory"
    return f"the nearest that fits is {' or '.join(dict.fromkeys(words))}"


def _smaller_sizes(width: int, height: int) -> Iterable[tuple[int, int]]:
    """Sizes of about the same aspect, each side a multiple of 16 px, from large to small."""
    step = SIZE_MULTIPLE_PX
    for new in range(max(width, height) - step, step - 1, -step):
        scale = new / max(width, height)
        yield max(step, int(width * scale) // step * step), max(step, int(height * scale) // step * step)
