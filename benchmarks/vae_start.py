"""Where a VAE with a linear path starts: principal components alone, against a way out that sees neighbours.

Fits both to 96 clips of the sprites world and prints the mean PSNR on 16 clips of combinations that are held out.

    python benchmarks/vae_start.py
"""

import argparse
import json

import torch
import torch.nn.functional as F
from torch import Tensor

from muybridge.data.clips import ClipsConfig, ClipStream, held_out_clips
from muybridge.evaluation.reconstruction import psnr
from muybridge.recipes.gallop import gallop_vae, vae_world
from muybridge.training.stages import PATCH_CLIPS
from muybridge.vae import VideoVAE
from muybridge.vae.linear_path import initialise_from_patches
from muybridge.vae.model import PATCH
from muybridge.weights.assets import ensure
from muybridge.worlds.sprites import SpritesWorld

NUM_HELD_OUT = 16
NUM_FRAMES = 17


def transposed(vae: VideoVAE, latents: Tensor) -> Tensor:
    """Pixels by the transpose of the way in: the principal components' own reconstruction."""
    weight, bias = vae.linear_in.weight, vae.linear_in.bias
    squares = weight.flatten(1).square().sum(dim=1).view(1, -1, 1, 1, 1)
    centred = (latents - bias.view(1, -1, 1, 1, 1)) / squares
    return F.conv_transpose3d(centred, weight, stride=PATCH)[:, :, PATCH[0] - 1 :]


@torch.no_grad()
def main() -> None:
    """Fit and print."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    world = SpritesWorld(vae_world(), ensure("fluent-emoji-anim", on_progress=print))
    config = ClipsConfig(num_frames=NUM_FRAMES, images_every=0)
    pixels = ClipStream(world=world, config=config, seed=0).batch(0, batch_size=PATCH_CLIPS)
    held_out = held_out_clips(world, NUM_HELD_OUT, size_px=config.size_px, num_frames=NUM_FRAMES)
    vae = VideoVAE(gallop_vae().vae).eval()
    initialise_from_patches(vae, pixels)
    latents = vae.encode(held_out).mean
    found = {"components": transposed(vae, latents), "neighbours": vae.decode(latents)}
    print(json.dumps({name: round(float(psnr(x.clamp(-1, 1), held_out).mean()), 2) for name, x in found.items()}))


if __name__ == "__main__":
    main()
