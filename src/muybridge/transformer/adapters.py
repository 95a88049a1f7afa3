"""What HunyuanVideo's siblings have beside its network: Avatar, HunyuanCustom and GameCraft, under the released names.

The parts compute as released, each by itself. How a whole sibling puts them together (the reference picture's tokens
before the film's, at rotary time -1, and the audio between its double blocks) is not part of `Transformer.forward`,
which therefore refuses these networks; their checkpoints load, convert and are inspected like any other.
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.shapes import TEMPORAL_RATIO
from muybridge.transformer.config import Sibling, TransformerConfig
from muybridge.transformer.embed import PatchEmbed, ScalarEmbed

AUDIO_WINDOW = 10  # frames of Whisper around a frame of film
AUDIO_LAYERS, AUDIO_CHANNELS = 5, 384  # of whisper-tiny's encoder, its input counted
AUDIO_WIDTH = 1024
TOKENS_PER_FRAME = 4
NUM_MOTIONS = 4  # scalars of expression, and of pose
CAMERA_CHANNELS = 6  # Pluecker coordinates of a pixel's ray
CAMERA_PATCH = 8  # pixels


class AudioProjection(nn.Module):
    """From windows of Whisper's states to four tokens for each frame of film (`audio_proj`)."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.proj1 = nn.Linear(AUDIO_WINDOW * AUDIO_LAYERS * AUDIO_CHANNELS, AUDIO_WIDTH)
        self.proj2 = nn.Linear(AUDIO_WIDTH, AUDIO_WIDTH)
        self.proj3 = nn.Linear(AUDIO_WIDTH, TOKENS_PER_FRAME * hidden_size)
        self.norm = nn.LayerNorm(hidden_size)

    def forward(self, states: Float[Tensor, "b f window layers channels"]) -> Float[Tensor, "b f m d"]:
        """Tokens of every frame."""
        hidden = F.relu(self.proj2(F.relu(self.proj1(states.flatten(2)))))
        return self.norm(rearrange(self.proj3(hidden), "b f (m d) -> b f m d", m=TOKENS_PER_FRAME))


class AudioAttention(nn.Module):
    """Single-head attention of a latent frame's tokens to its sound (`audio_adapter_blocks`, `audio_models`)."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(hidden_size)
        self.norm2 = nn.LayerNorm(hidden_size)
        self.to_q = nn.Linear(hidden_size, AUDIO_WIDTH, bias=False)
        self.to_kv = nn.Linear(hidden_size, 2 * AUDIO_WIDTH, bias=False)
        self.to_out = nn.Linear(AUDIO_WIDTH, hidden_size, bias=False)

    def forward(self, img: Float[Tensor, "b t n d"], audio: Float[Tensor, "b t m d"]) -> Float[Tensor, "b t n d"]:
        """What is added to the tokens; Avatar multiplies it by a mask of the face, HunyuanCustom by a strength."""
        key, value = self.to_kv(self.norm1(audio)).chunk(2, -1)
        return self.to_out(F.scaled_dot_product_attention(self.to_q(self.norm2(img)), key, value))


class CameraNet(nn.Module):
    """From every pixel's ray to tokens that are added to the film's (`camera_net`)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        widths = [CAMERA_CHANNELS * CAMERA_PATCH**2 // 2**level for level in range(3)]
        self.encode_first = nn.Sequential(nn.Conv2d(widths[0], widths[1], 1), nn.GroupNorm(2, widths[1]), nn.ReLU())
        self.encode_second = nn.Sequential(nn.Conv2d(widths[1], widths[2], 1), nn.GroupNorm(2, widths[2]), nn.ReLU())
        self.final_proj = nn.Conv2d(widths[2], config.out_channels, 1)
        self.scale = nn.Parameter(torch.ones(1))
        self.camera_in = PatchEmbed(config.out_channels, config.hidden_size, config.patch_size)

    def forward(self, rays: Float[Tensor, "b f 6 y x"]) -> Float[Tensor, "b n d"]:
        """Tokens of (f + 3) / 4 latent frames; f is 1 + 4n."""
        b = len(rays)
        frames = F.pixel_unshuffle(rays.flatten(0, 1), CAMERA_PATCH)
        for encode in (self.encode_first, self.encode_second):
            frames = halved(rearrange(encode(frames), "(b f) c h w -> b f c h w", b=b)).flatten(0, 1)
        latents = rearrange(self.final_proj(frames), "(b f) c h w -> b c f h w", b=b)
        return self.camera_in(latents) * self.scale


def halved(frames: Float[Tensor, "b f c h w"]) -> Float[Tensor, "b t c h w"]:
    """1 + 2n frames as 1 + n: the first, and the means of the pairs after it."""
    return torch.cat([frames[:, :1], frames[:, 1:].unflatten(1, (-1, 2)).mean(2)], 1)


def by_latent_frame(audio: Float[Tensor, "b f m d"]) -> Float[Tensor, "b t k d"]:
    """A latent frame's tokens are those of its frames; the first frame of 1 + 4n fills a latent frame by itself."""
    first = repeat(audio[:, :1], "b 1 m d -> b (copies 1) m d", copies=TEMPORAL_RATIO - 1)
    return rearrange(torch.cat([first, audio], 1), "b (t frames) m d -> b t (frames m) d", frames=TEMPORAL_RATIO)


def motion_vector(embed: ScalarEmbed, motions: Float[Tensor, "b four"]) -> Float[Tensor, "b d"]:
    """What four scalars of expression (30 as released) or pose (25) add to the conditioning vector."""
    return embed(motions, dtype=embed.mlp[0].weight.dtype).flatten(1)


def _avatar(config: TransformerConfig) -> dict[str, nn.Module]:
    width = config.hidden_size
    return {
        "ref_in": PatchEmbed(config.in_channels, width, config.patch_size),
        "before_proj": nn.Linear(width, width),
        "motion_exp": ScalarEmbed(width // NUM_MOTIONS),
        "motion_pose": ScalarEmbed(width // NUM_MOTIONS),
        "fps_proj": ScalarEmbed(width),
        "audio_proj": AudioProjection(width),
        "audio_adapter_blocks": _after_every_second_block(width, config.num_double_blocks // 2),
    }


def _custom_audio(config: TransformerConfig) -> dict[str, nn.Module]:
    return {
        "audio_proj": AudioProjection(config.hidden_size),
        "audio_models": _after_every_second_block(config.hidden_size, 6),
    }


def _custom_editing(config: TransformerConfig) -> dict[str, nn.Module]:
    return {
        "bg_in": PatchEmbed(2 * config.in_channels, config.hidden_size, config.patch_size),  # background and its mask
        "bg_proj": nn.Linear(config.hidden_size, config.hidden_size),
    }


def _gamecraft(config: TransformerConfig) -> dict[str, nn.Module]:
    return {"camera_net": CameraNet(config)}


def _after_every_second_block(hidden_size: int, num_blocks: int) -> nn.ModuleList:
    """After double blocks 1, 3, 5, ..."""
    return nn.ModuleList(AudioAttention(hidden_size) for _ in range(num_blocks))


_PARTS: Mapping[Sibling, Callable[[TransformerConfig], dict[str, nn.Module]]] = {
    "avatar": _avatar,
    "custom-audio": _custom_audio,
    "custom-editing": _custom_editing,
    "gamecraft": _gamecraft,
}


def sibling_parts(config: TransformerConfig) -> dict[str, nn.Module]:
    """The modules that a sibling has at its top, by name; none where the config names no sibling."""
    return _PARTS[config.sibling](config) if config.sibling else {}
