"""How `gallop` is made: each recipe is one stage, and each stage reads the one before.

The embedded weights came of these recipes while they were still being settled; docs/log.md says where the two differ.
"""

from dataclasses import replace
from typing import Any

from muybridge.data.cache import CacheConfig
from muybridge.data.clips import ClipsConfig
from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.stages import CacheStage, FlowStage, VAEStage
from muybridge.training.tasks.flow_matching import FlowConfig
from muybridge.training.tasks.reconstruction import ReconstructionWeights
from muybridge.transformer.config import TransformerConfig
from muybridge.vae.config import VAEConfig
from muybridge.worlds.sprites import SpritesConfig

# Sixteen of the cast whose silhouettes and colours differ most; hours on one CPU bound the number.
CAST = (
    "horse", "car", "elephant", "rocket", "penguin", "whale", "butterfly", "turtle", "tropical fish", "dinosaur",
    "helicopter", "ghost", "snail", "bee", "crab", "bus",
)  # fmt: skip
HELD_SHARE = 0.3  # of the clips give frames; as in HunyuanVideo-1.5's training


def vae_world() -> SpritesConfig:
    """Every subject: a codec should know more shapes than the transformer will be asked for."""
    return SpritesConfig()


def flow_world() -> SpritesConfig:
    """The sixteen subjects that the transformer learns."""
    return SpritesConfig(subjects=CAST)


def gallop_vae() -> VAEStage:
    """A causal 3D VAE whose encoder is linear, principal components of 128 px clips, and whose decoder learns on.

    One step, so the fitted linear codec: what its convolutions gained in every trial was not worth the time, and
    docs/log.md says why. `gallop_decoder` trains a wider decoder for the same latents.
    """
    return VAEStage(
        vae=VAEConfig(
            block_channels=(32, 64), layers_per_block=1, norm_groups=8, norm="frame", scaling_factor=1.0,
            stem_patch=(2, 4, 4), has_linear_path=True, has_mid_attention=False,
        ),
        clips=ClipsConfig(size_px=128, num_frames=17),
        weights=ReconstructionWeights(gradient=0.0, latent_noise=0.15),
        is_encoder_frozen=True,
        run=RunConfig(
            num_steps=1, batch_size=2, ema_decay=0.99, checkpoint_every_steps=100, validate_every_steps=100,
            optimizer=OptimizerConfig(
                kind="muon", lr=1e-3, matrix_lr=1e-3, matrix_names=("decoder.",), betas=(0.9, 0.98), warmup_steps=30,
                decay_steps=600, slow_names=("linear_",),
            ),
        ),
    )  # fmt: skip


def gallop_latents() -> CacheStage:
    """16,384 training scenes and 64 held-out ones, each at 64 and 128 px."""
    return CacheStage(cache=CacheConfig(num_scenes=16384, sizes_px=(64, 128), num_frames=17))


def gallop_flow_64() -> FlowStage:
    """The transformer on 64 px films: what things are called and how they move."""
    return FlowStage(
        transformer=TransformerConfig(
            hidden_size=256, num_heads=4, num_double_blocks=2, num_single_blocks=6, num_refiner_blocks=1,
            rope_axes_dim=(16, 24, 24), rope_theta=16.0, text_dim=576, pooled_dim=576, has_guidance=False,
        ),
        size_px=64,
        flow=FlowConfig(shift=2.0),
        run=RunConfig(
            num_steps=900, batch_size=32, ema_decay=0.997, checkpoint_every_steps=100, validate_every_steps=100,
            sample_every_steps=300,
            optimizer=OptimizerConfig(kind="muon", lr=2e-3, matrix_lr=3e-3, betas=(0.9, 0.95), warmup_steps=60),
        ),
    )  # fmt: skip


def gallop_flow_128() -> FlowStage:
    """The same transformer on 128 px films: what things look like."""
    first = gallop_flow_64()
    return replace(
        first,
        size_px=128,
        flow=FlowConfig(shift=3.0),
        run=replace(
            first.run, seed=1, num_steps=2600, batch_size=24, optimizer=replace(first.run.optimizer, decay_steps=600)
        ),
    )


def gallop_flow_held() -> FlowStage:
    """The same films, three in ten giving frames: image to video, first and last frame, extension.

    The rest are text to video still, so that it is not unlearned. One core of a shared machine, 57 minutes (measured,
    2026-11-21). Validation, of text to video alone: 0.239 before the first step, 0.265 after 100 of them at the full
    rate, 0.241 after 500, 0.232 at the end. It is what the embedded weights come from.
    """
    before = gallop_flow_128()
    run = replace(before.run, seed=2, num_steps=900, optimizer=replace(before.run.optimizer, decay_steps=700))
    return replace(before, flow=replace(before.flow, held_share=HELD_SHARE), run=run)


def gallop_about() -> dict[str, Any]:
    """What the published folder says of itself."""
    defaults = {
        "width": 128, "height": 128, "frames": 17, "fps": 12, "steps": 30, "shift": 3.0, "cfg": 3.0, "sampler": "euler",
        "steady": 0.2,
    }  # fmt: skip
    return {
        "name": "gallop",
        "title": "gallop: the HunyuanVideo system in miniature, 128 px films of sixteen animated subjects",
        "licence": "Apache-2.0; trained on Fluent Emoji animations (MIT)",
        "defaults": defaults,
        "native_sizes": {"128p": [[128, 128]]},
    }
