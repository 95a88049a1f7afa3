"""A picture as vectors that a language model reads among its tokens: CLIP's vision tower and LLaVA's projector."""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn
from transformers.models.clip.configuration_clip import CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPVisionModel

from muybridge.media.frames import Picture
from muybridge.text.config import VisionConfig

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # arXiv 2103.00020: of the training pictures, by channel, 0 to 1
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
MAX_RATIO = 8  # convention


class PictureTower(nn.Module):
    """The states before the tower's last layer, without the class token, through two linear layers. arXiv 2310.03744.

    Parameters are named as in LLaVA's checkpoints.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        theirs = CLIPVisionConfig(
            hidden_size=config.hidden_size,
            intermediate_size=config.mlp_dim,
            num_hidden_layers=config.num_layers - 1,
            num_attention_heads=config.num_heads,
            image_size=config.image_px,
            patch_size=config.patch_px,
            hidden_act=config.activation,
        )
        self.vision_tower = CLIPVisionModel(theirs)
        self.multi_modal_projector = Projector(config.hidden_size, config.output_dim)

    @torch.no_grad()
    def forward(self, picture: Picture) -> Float[Tensor, "n d"]:
        """`num_patches` vectors of the language model's width, for a picture of any size."""
        weight = self.multi_modal_projector.linear_1.weight
        pixels = clip_pixels(picture, self.config.image_px).to(weight)
        states = self.vision_tower(pixel_values=pixels[None]).last_hidden_state
        return self.multi_modal_projector(states[0, 1:])


class Projector(nn.Module):
    """From the tower's width to the language model's."""

    def __init__(self, hidden_size: int, output_dim: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(hidden_size, output_dim)
        self.linear_2 = nn.Linear(output_dim, output_dim)

    def forward(self, states: Float[Tensor, "n d"]) -> Float[Tensor, "n out"]:
        """Two layers with an exact GELU between them."""
        return self.linear_2(nn.functional.gelu(self.linear_1(states)))


def clip_pixels(picture: Picture, image_px: int) -> Float[Tensor, "3 {image_px} {image_px}"]:
    """The centred square of the picture at `image_px`, bicubic, standardised as CLIP was trained: float32.

    As transformers' CLIPImageProcessor, which resizes the whole picture before it crops. Of a picture beyond 8:1 the
    ends, which are never seen, are left out first: they would take any amount of memory.
    """
    near = _centre(picture, *(min(length, MAX_RATIO * min(picture.shape[:2])) for length in picture.shape[:2]))
    height, width = near.shape[:2]
    resized = [max(image_px, int(image_px * length / min(height, width))) for length in (width, height)]
    pixels = np.asarray(Image.fromarray(near).resize((resized[0], resized[1]), Image.Resampling.BICUBIC))
    levels = torch.from_numpy(_centre(pixels, image_px, image_px).copy()).float() / 255
    standard = (levels - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)
    return rearrange(standard, "h w c -> c h w").contiguous()


def _centre(picture: Picture, height: int, width: int) -> Picture:
    top, left = ((whole - part) // 2 for whole, part in zip(picture.shape, (height, width), strict=False))
    return picture[top : top + height, left : left + width]


def black_picture() -> Picture:
    """What the unconditional half of classifier-free guidance sees, as released."""
    return np.zeros((1, 1, 3), np.uint8)
