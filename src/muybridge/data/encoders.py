"""The networks that turn pixels and captions into numbers, and what tells one set of them from another."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.media.frames import Frames, from_uint8
from muybridge.text.encoder import BulkTextEncoder, TextEncoder
from muybridge.vae.latents import to_model
from muybridge.vae.model import VideoVAE
from muybridge.vae.tiling import Tiling, encode_tiled

ENCODER_SIDE = ("encoder.", "quant_conv.", "linear_in.")  # of a VAE: what latents depend on


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedText:
    """A text encoder and what tells it from others, such as a hash of its weights."""

    encoder: BulkTextEncoder
    identity: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoders:
    """What turns pixels and captions into numbers; pictures may be described to the text encoder in other words."""

    vae: VideoVAE
    film_text: NamedText
    picture_text: NamedText
    tiling: Tiling | None = None

    def text(self, *, is_picture: bool) -> NamedText:
        """The one for pictures or the one for films."""
        return self.picture_text if is_picture else self.film_text


class PromptText:
    """A `TextEncoder` as a `BulkTextEncoder`: one prompt after the other, for films or for pictures."""

    def __init__(self, encoder: TextEncoder, *, num_frames: int) -> None:
        """num_frames: 1 for pictures."""
        self._encoder = encoder
        self._num_frames = num_frames

    @property
    def text_dim(self) -> int:
        """Width of the states."""
        return self._encoder.text_dim

    def encode_many(
        self, prompts: Sequence[str], *, batch_size: int = 16
    ) -> Iterator[tuple[Float[Tensor, "_ d"], Float[Tensor, " p"]]]:
        """(states, pooled) of each prompt in order, unpadded; `batch_size` makes no difference."""
        for prompt in prompts:
            one = self._encoder.encode([prompt], num_frames=self._num_frames)
            yield one.states[0][one.mask[0]], one.pooled[0]


def vae_identity(vae: VideoVAE) -> str:
    """A hash of what latents depend on: the encoder's side and the scale, not the decoder."""
    digest = hashlib.sha256(vae.config.encoder_words().encode())
    for name, tensor in sorted(vae.state_dict().items()):
        if name.startswith(ENCODER_SIDE):
            digest.update(tensor.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


@torch.inference_mode()
def encode_frames(films: Sequence[Frames], vae: VideoVAE, *, tiling: Tiling | None) -> Float[Tensor, "b c t h w"]:
    """Latents of films of one shape at the transformer's scale, float16 on the CPU: the posterior's mean, in the VAE's
    dtype.
    """
    device = next(vae.parameters()).device
    pixels = torch.stack([from_uint8(frames) for frames in films]).to(device)
    posterior = vae.encode(pixels) if tiling is None else encode_tiled(vae, pixels, tiling)
    return to_model(posterior.mode().float(), vae.config).half().cpu()
