"""Whether a request fits into memory, said before the work starts."""

from dataclasses import dataclass

from torch import nn

from muybridge.acceleration import footprint
from muybridge.acceleration.facts import Model, TextFacts, Work
from muybridge.acceleration.memory import in_words
from muybridge.acceleration.plan import nearest, shape_words
from muybridge.acceleration.settings import RunSettings
from muybridge.core.errors import DoesNotFit
from muybridge.pipelines.planning import work_of
from muybridge.pipelines.request import GenerationRequest
from muybridge.transformer import TransformerConfig
from muybridge.vae import VAEConfig
from muybridge.vae.tiling import Tiling

MARGIN = 1.1  # allocator and libraries
_DTYPES = {4: "float32", 2: "bfloat16"}  # by bytes of a value


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
    """Networks that are loaded, and how films of them are made."""

    transformer: TransformerConfig
    vae: VAEConfig
    tiling: Tiling | None
    transformer_value_bytes: int
    vae_value_bytes: int
    weight_bytes: int
    text_bytes: int
    keeps_text: bool

    def needs(self, request: GenerationRequest, *, batch_size: int = 1) -> Needs:
        """The peak of `batch_size` films denoised together and decoded one after the other."""
        return self.needs_of(work_of(request, batch_size=batch_size))

    def needs_of(self, work: Work) -> Needs:
        """As `needs`, of the work that a request is."""
        model = Model(
            name="", transformer=self.transformer, vae=self.vae, text=TextFacts(num_parameters=self.text_bytes)
        )
        denoise = footprint.denoise(model, work, RunSettings(dtype=_DTYPES[self.transformer_value_bytes]))
        mode = "whole" if self.tiling is None else "tiled"
        decode = footprint.decode(model, work, RunSettings(dtype=_DTYPES[self.vae_value_bytes], vae_mode=mode))
        return Needs(
            weight_bytes=self.weight_bytes,
            text_bytes=self.text_bytes,
            work_bytes=max(sum(denoise.values()), sum(decode.values())),
            keeps_text=self.keeps_text,
        )


def weight_bytes(*modules: nn.Module) -> int:
    """Bytes of all parameters and buffers but those that are away: on the meta device."""
    tensors = (tensor for module in modules for tensor in (*module.parameters(), *module.buffers()))
    return sum(tensor.nbytes for tensor in tensors if not tensor.is_meta)


def check_fits(request: GenerationRequest, machine: Machine, *, available: int, batch_size: int = 1) -> Needs:
    """What the request needs; raises DoesNotFit with the nearest length and size that fit `available` bytes."""
    work = work_of(request, batch_size=batch_size)
    needs = machine.needs_of(work)
    if needs.total_bytes <= available:
        return needs
    remedy = nearest(work, lambda change: machine.needs_of(change).total_bytes <= available)
    raise DoesNotFit(
        f"{shape_words(work)}: needs about {in_words(needs.total_bytes)} of memory and "
        f"{in_words(available)} is free; {remedy}."
    )
