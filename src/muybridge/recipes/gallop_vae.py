"""The VAE trained as the paper trains its own: low and short first, high and long next, a critic, then tiles.

Each recipe is one stage and starts from the weights of the one before. Unlike `gallop_vae` and `gallop_decoder`, whose
encoder stays the principal components that the embedded transformer was trained on, these move the encoder too, so
latents have to be computed anew afterwards. Films and pictures come 4:1. Frame intervals of 1 to 8 apply to films from
files (data.file_clips); a world renders its own speeds.   Paper 4.1.

But for `gallop_decoder` none has been run to its end: they are meant for a GPU. What convolutions gain in CPU minutes
is in docs/log.md, what films through a VAE look like beside their originals in docs/explanation/gallop.md.
"""

from dataclasses import replace

from muybridge.data.clips import ClipsConfig
from muybridge.recipes.gallop import gallop_vae
from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.stages import VAEStage
from muybridge.training.tasks.reconstruction import ReconstructionWeights, paper_weights
from muybridge.vae.config import VAEConfig
from muybridge.vae.discriminator import AdversaryConfig
from muybridge.vae.tiling import Tiling

LINEAR_SHARE = 0.03  # of the rate, for the fitted linear path: at the full one it falls below its start (docs/log.md)


def gallop_decoder() -> VAEStage:
    """A wider decoder for the latents that there are: the embedded transformer and its caches stay good.

    Works at the latent grid, where CPUs reach 230 GFLOP/s a core (bfloat16, measured), on busy windows, moved by Muon:
    of the decoders that were tried in minutes the only one that gained (docs/log.md). One CPU core, 70 minutes for
    5,000 steps beside other work (measured, 2026-11-21). PSNR of 16 held-out clips, 26.61 dB before the first step:
    26.78 after 1,000 steps, 26.96 after 2,000, 27.18 after 3,000, 27.47 after 4,000, 27.66 at the
    end. It gained more in each thousand than in the one before until the rate fell, so a longer run will pay.
    """
    optimizer = OptimizerConfig(
        kind="muon", lr=1e-3, matrix_lr=3e-3, matrix_names=("mid_block", "up_blocks"), betas=(0.9, 0.98),
        warmup_steps=20, decay_steps=2000, slow_names=("linear_", "conv_out"), slow_share=LINEAR_SHARE,
    )  # fmt: skip
    return VAEStage(
        vae=replace(gallop_vae().vae, decoder_channels=(128,), decoder_stem_patch=(4, 8, 8), decoder_norm="cell"),
        clips=ClipsConfig(size_px=128, num_frames=17),
        weights=ReconstructionWeights(l1=0.0, squared=10.0, gradient=0.0, latent_noise=0.05),
        is_encoder_frozen=True,
        has_new_decoder=True,
        window_px=64,
        run=RunConfig(
            seed=24, num_steps=5000, batch_size=8, ema_decay=0.995, checkpoint_every_steps=200,
            validate_every_steps=500, sample_every_steps=1000, optimizer=optimizer,
        ),
    )  # fmt: skip


def gallop_vae_low_short() -> VAEStage:
    """Stage 1: 9 frames at 64 px, from principal components, distances in pixels alone.   Paper 4.1.

    One H200, about 3 minutes (computed, not measured). Metric: not run yet.
    """
    weights = ReconstructionWeights(gradient=0.0, latent_noise=0.05, kl=1e-5)
    return _stage(seed=20, clips=ClipsConfig(size_px=64, num_frames=9), weights=weights, num_steps=4000, batch_size=32)


def gallop_vae_high_long() -> VAEStage:
    """Stage 2: 17 frames at 128 px, the perceptual term joins.   Paper 4.1.

    One H200, about 8 minutes (computed, not measured). Metric: not run yet.
    """
    weights = replace(paper_weights(), squared=1.0, latent_noise=0.05)
    return _stage(seed=21, weights=weights, num_steps=6000, batch_size=16, lr=5e-4)


def gallop_vae_adversarial() -> VAEStage:
    """Stage 3: the paper's loss, L1 + 0.1 perceptual + 0.05 adversarial + 1e-6 KL; the critic learns from step 200.

    One H200, about 4 minutes (computed, not measured). Metric: not run yet.   Paper 4.1.
    """
    adversary = AdversaryConfig(channels=(64, 128, 256), norm_groups=32, start_step=200, ramp_steps=500)
    stage = _stage(seed=22, weights=paper_weights(), num_steps=2000, batch_size=16, lr=1e-4)
    return replace(stage, adversary=adversary)


def gallop_vae_tiled() -> VAEStage:
    """Stage 4: half of the steps code by tiles, so that tiled and whole results agree; the rate falls to zero.

    One H200, about 3 minutes (computed, not measured). Metric: not run yet.   Paper 4.1.2.
    """
    last = gallop_vae_adversarial()
    run = replace(last.run, seed=23, num_steps=1000, optimizer=replace(last.run.optimizer, lr=5e-5, decay_steps=1000))
    adversary = replace(last.adversary, start_step=50)
    return replace(last, run=run, adversary=adversary, tiling=Tiling(sample_px=64, sample_frames=16), tiled_share=0.5)


def vae_from_scratch() -> VAEStage:
    """The released architecture from random weights, no linear path: the paper's own start.   Paper 4.1.

    Differs from the released network: norms by frame, so that later frames never reach earlier latents. For clusters:
    Open-Sora 2.0 reports 8 GPUs for three weeks for a VAE of this kind. Never run here.
    """
    optimizer = OptimizerConfig(lr=1e-4, betas=(0.9, 0.95), warmup_steps=1000)
    critic = replace(optimizer, warmup_steps=100)
    return VAEStage(
        vae=VAEConfig(norm="frame"),
        clips=ClipsConfig(size_px=256, num_frames=17),
        weights=paper_weights(),
        adversary=AdversaryConfig(channels=(64, 128, 256, 512), norm_groups=32, start_step=50_000, ramp_steps=5000),
        is_from_patches=False,
        run=RunConfig(
            num_steps=200_000, batch_size=64, ema_decay=0.9999, num_micro_batches=8, checkpoint_every_steps=1000,
            validate_every_steps=1000, recompute="full", optimizer=optimizer, critic_optimizer=critic,
        ),
    )  # fmt: skip


def _stage(
    *,
    seed: int,
    weights: ReconstructionWeights,
    num_steps: int,
    batch_size: int,
    clips: ClipsConfig | None = None,
    lr: float = 1e-3,
) -> VAEStage:
    """A network of 8.2 M parameters, 16 MB in bfloat16, whose encoder and decoder learn together."""
    optimizer = OptimizerConfig(
        lr=lr, betas=(0.9, 0.98), warmup_steps=100, slow_names=("linear_",), slow_share=LINEAR_SHARE
    )
    return VAEStage(
        vae=VAEConfig(
            block_channels=(64, 128), layers_per_block=1, norm_groups=8, norm="frame", scaling_factor=1.0,
            stem_patch=(2, 4, 4), has_linear_path=True, has_mid_attention=False,
        ),
        clips=clips or ClipsConfig(size_px=128, num_frames=17),
        weights=weights,
        run=RunConfig(
            seed=seed, num_steps=num_steps, batch_size=batch_size, ema_decay=0.999, checkpoint_every_steps=500,
            validate_every_steps=500, sample_every_steps=1000, optimizer=optimizer,
            critic_optimizer=OptimizerConfig(lr=1e-4, betas=(0.5, 0.9)),
        ),
    )  # fmt: skip
