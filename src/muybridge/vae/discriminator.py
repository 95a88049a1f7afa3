"""The critic of VAE training: a 3D patch discriminator with the hinge loss.   Paper 4.1 (which leaves it open)."""

from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid

KERNEL = (3, 4, 4)
PADDING = (1, 1, 1)
SLOPE = 0.2  # of the leaky ReLUs; convention since pix2pix, arXiv 1611.07004


@dataclass(frozen=True, kw_only=True, slots=True)
class AdversaryConfig:
    """The critic, when it starts, and how its opinion is weighed. There is no R1 or other gradient penalty.

    is_weight_adaptive: scale the adversarial term so that its gradient at the decoder's last layer is as long as the
    other terms' (arXiv 2012.09841) before its weight applies; the paper's 0.05 is taken as plain without it.
    """

    channels: tuple[int, ...] = (32, 64, 128)  # the first layer halves height and width, the others time as well
    norm_groups: int = 8
    start_step: int = 0  # the first step at which the critic learns and the model hears it
    ramp_steps: int = 100  # over which the model's term grows to its weight, while the critic learns to see
    is_weight_adaptive: bool = False

    def __post_init__(self) -> None:
        if not self.channels or any(width < 1 or width % self.norm_groups for width in self.channels):
            rule = f"one or more multiples of norm_groups={self.norm_groups}"
            raise invalid(f"channels={self.channels}", rule, "change either")
        if min(self.start_step, self.ramp_steps) < 0:
            given = f"start_step={self.start_step}, ramp_steps={self.ramp_steps}"
            raise invalid(given, "counts are not negative", "use 0")

    def ramp(self, step: int) -> float:
        """The share of the adversarial weight that applies at `step`, in [0, 1]."""
        if step < self.start_step:
            return 0.0
        return min(1.0, (step - self.start_step + 1) / max(1, self.ramp_steps))


class PatchDiscriminator(nn.Module):
    """Convolutions that judge patches of space and time; a picture is a film of one frame.

    Group norm, not batch norm: the verdict on a clip depends on that clip alone, whatever the batch or the number of
    ranks, and no state but the weights is kept. Not causal: it may look ahead, nothing is streamed through it.
    """

    def __init__(self, config: AdversaryConfig):
        super().__init__()
        first = config.channels[0]
        layers: list[nn.Module] = [nn.Conv3d(3, first, KERNEL, (1, 2, 2), PADDING), nn.LeakyReLU(SLOPE)]
        for before, after in pairwise(config.channels):
            layers += [
                nn.Conv3d(before, after, KERNEL, (2, 2, 2), PADDING),
                nn.GroupNorm(config.norm_groups, after),
                nn.LeakyReLU(SLOPE),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv3d(config.channels[-1], 1, 3, padding=1))

    def forward(self, pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, "b 1 t h w"]:
        """Verdicts, positive for real, one a patch, of pixels in [-1, 1]."""
        return self.layers(pixels)


def critic_hinge(real: Float[Tensor, "b 1 t h w"], fake: Float[Tensor, "b 1 t h w"]) -> Float[Tensor, ""]:
    """What the critic minimises: real verdicts above 1 and fake ones below -1 cost nothing.   arXiv 1705.02894."""
    return 0.5 * (F.relu(1.0 - real.float()).mean() + F.relu(1.0 + fake.float()).mean())


def generator_hinge(fake: Float[Tensor, "b 1 t h w"]) -> Float[Tensor, ""]:
    """What the model minimises: minus the mean verdict on what it made."""
    return -fake.float().mean()
