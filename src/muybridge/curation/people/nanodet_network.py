"""NanoDet-g: a detector of the eighty things of COCO, of plain convolutions only.

By RangiLyu (Apache-2.0, github.com/RangiLyu/nanodet), as the asset "nanodet" holds it: batch norms are part of the
convolutions. Cells of three grids each say what is there, and how far the four sides of its box are away, as a
distribution over 0 to 10 cells (Li et al., arXiv 2006.04388).
"""

from itertools import chain
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from muybridge.core.errors import WeightsError

FILE = "nanodet.safetensors"
STRIDES_PX = (8, 16, 32)
NUM_CLASSES, NUM_BINS = 80, 11
SLOPE = 0.1
Maps = tuple[Float[Tensor, "b k y x"], Float[Tensor, "b 4 y x"]]  # chances of each class, distances in cells


class NanoDet(nn.Module):
    """Chances and boxes on each of three grids. 3.8 million parameters."""

    def __init__(self, *, width: int = 128) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, stride=2, padding=1)
        self.stages = nn.ModuleList(
            Stage(*sizes) for sizes in ((32, 32, 1, 1), (64, 64, 2, 2), (128, 128, 2, 2), (256, 256, 3, 2))
        )
        self.laterals = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in (128, 256, 512))
        self.towers = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in STRIDES_PX)
        self.heads = nn.ModuleList(nn.Conv2d(width, NUM_CLASSES + 4 * NUM_BINS, 1) for _ in STRIDES_PX)

    def forward(self, pixels: Float[Tensor, "b 3 h w"]) -> list[Maps]:
        """By `STRIDES_PX`. Sides are multiples of 32."""
        x = F.max_pool2d(F.leaky_relu(self.stem(pixels), SLOPE), 3, stride=2, padding=1)
        first, *others = self.stages
        x, levels = first(x), []
        for stage, lateral in zip(others, self.laterals, strict=True):
            x = stage(x)
            levels.append(lateral(x))
        fine, middle, coarse = levels
        middle = middle + _resized(coarse, middle)
        fine = fine + _resized(middle, fine)
        middle = middle + _resized(fine, middle)
        coarse = coarse + _resized(middle, coarse)
        found = []
        for level, tower, head in zip((fine, middle, coarse), self.towers, self.heads, strict=True):
            said = head(F.leaky_relu(tower(level), SLOPE))
            sides = rearrange(said[:, NUM_CLASSES:], "b (s n) y x -> b s n y x", s=4).softmax(2)
            found.append((said[:, :NUM_CLASSES].sigmoid(), torch.einsum("bsnyx,n->bsyx", sides, torch.arange(11.0))))
        return found

    def convolutions(self) -> list[nn.Module]:
        """In the order of the file, which is that of its graph."""
        first, *others = (stage for stage in self.stages if isinstance(stage, Stage))
        trunk = [self.stem, *first.convolutions()]
        for stage, lateral in zip(others, self.laterals, strict=True):
            trunk += [*stage.convolutions(), lateral]
        towers, heads = list(self.towers), list(self.heads)
        return [*trunk, towers[0], towers[1], heads[0], towers[2], *heads[1:]]


class Stage(nn.Module):
    """Convolutions that keep what they were given: each block's two outputs go on together (arXiv 1911.11929)."""

    def __init__(self, in_channels: int, width: int, num_blocks: int, stride: int) -> None:
        super().__init__()
        half = width // 2
        self.first = nn.Conv2d(in_channels, width, 3, stride=stride, padding=1)
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.Conv2d(width, half, 3, padding=1), nn.Conv2d(half, half, 3, padding=1)])
            for _ in range(num_blocks)
        )
        self.last = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c y x"]) -> Float[Tensor, "b d y2 x2"]:
        x = first = F.leaky_relu(self.first(x), SLOPE)
        for one, two in self.blocks:  # type: ignore[misc]  # a ModuleList of pairs
            half = F.leaky_relu(one(x), SLOPE)
            x = torch.cat([F.leaky_relu(two(half), SLOPE), half], dim=1)
        return torch.cat([F.leaky_relu(self.last(x), SLOPE), first], dim=1)

    def convolutions(self) -> list[nn.Module]:
        """In the order in which they are used."""
        return [self.first, *chain.from_iterable(self.blocks), self.last]  # type: ignore[arg-type]


def _resized(x: Float[Tensor, "b c y x"], like: Float[Tensor, "b c y2 x2"]) -> Float[Tensor, "b c y2 x2"]:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear")


def load(folder: Path) -> NanoDet:
    """The network of the asset, frozen, for inference. Raises WeightsError."""
    network = NanoDet()
    names = {module: name for name, module in network.named_modules()}
    try:
        tensors = load_file(folder / FILE)
        state = {
            f"{names[layer]}.{kind}": tensors[f"{number}.{kind}"]
            for number, layer in enumerate(network.convolutions())
            for kind in ("weight", "bias")
        }
        network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        raise WeightsError(f"{folder / FILE}: not NanoDet ({error}); remove its folder to fetch it again.") from None
    return network.eval().requires_grad_(False)
