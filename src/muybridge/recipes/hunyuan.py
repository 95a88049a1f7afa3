"""The released size by the paper's stages, on data of one's own.

    muybridge encode DATA --out ENCODED ... and muybridge train hunyuan-image-low --data ENCODED --out RUNS

Learning rates, batches and step counts of the original are not published (paper 4.5.2 gives the stages alone); those
here are conventions of models of this size, none has been run, and no single machine here could. `run.batch_size` is
the rows of the bucket with the most tokens; other buckets take as many as hold no more tokens.
"""

from dataclasses import replace

from muybridge.data.buckets import BucketsConfig
from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.stages import FlowStage
from muybridge.training.tasks.flow_matching import FlowConfig
from muybridge.transformer.config import TransformerConfig

TEXT = "hunyuanvideo"  # whose text encoders are used
PICTURE_TOKENS = 256  # of a 256 px picture: the reference of the shift
LOW, MIDDLE, HIGH = (256, 256), (512, 512), (1280, 720)


def hunyuan_image_low() -> FlowStage:
    """Image stage 1: pictures of 256 x 256 px in area, seven aspects.   Paper 4.5.2.

    13 billion parameters: a cluster. Metric: not run.
    """
    return _stage(seed=30, resolutions=(LOW,), frames=(1,), num_steps=500_000, batch_size=2048, num_micro_batches=32)


def hunyuan_image_mixed() -> FlowStage:
    """Image stage 2: areas of 256 and 512 px together, since the larger alone unlearns the smaller.   Paper 4.5.2.

    A cluster. Metric: not run.
    """
    return _stage(
        seed=31, resolutions=(LOW, MIDDLE), frames=(1,), num_steps=200_000, batch_size=1024, num_micro_batches=32
    )


def hunyuan_video_low_short() -> FlowStage:
    """Joint stage 1: 65 frames of 256 px in area and pictures.   Paper 4.5.2; the length from 3.1.

    A cluster. Metric: not run.
    """
    return _stage(
        seed=32, resolutions=(LOW,), frames=(1, 33, 65), num_steps=200_000, batch_size=512, num_micro_batches=64
    )


def hunyuan_video_low_long() -> FlowStage:
    """Joint stage 2: 129 frames of 256 px in area, shorter films and pictures; some frames are given.   Paper 4.5.2.

    A cluster. Metric: not run.
    """
    return _stage(
        seed=33, resolutions=(LOW,), frames=(1, 65, 129), num_steps=100_000, batch_size=256, num_micro_batches=64,
        held_share=0.3,
    )  # fmt: skip


def hunyuan_video_high_long() -> FlowStage:
    """Joint stage 3: 129 frames of 1280 x 720 px in area, smaller films and pictures.   Paper 4.5.2; sizes from 3.1.

    A cluster with context parallelism: 119,000 tokens a film. Metric: not run.
    """
    return _stage(
        seed=34, resolutions=(LOW, HIGH), frames=(1, 65, 129), num_steps=50_000, batch_size=64, num_micro_batches=64,
        held_share=0.3,
    )  # fmt: skip


def hunyuan_finetune() -> FlowStage:
    """The last stage: a curated million of films, few steps, the rate down to zero.   Paper 4.5.2, 3.1.

    A cluster. Metric: not run.
    """
    stage = hunyuan_video_high_long()
    optimizer = replace(stage.run.optimizer, lr=1e-5, decay_steps=5000)
    return replace(stage, run=replace(stage.run, seed=35, num_steps=5000, optimizer=optimizer))


def _stage(
    *,
    seed: int,
    resolutions: tuple[tuple[int, int], ...],
    frames: tuple[int, ...],
    num_steps: int,
    batch_size: int,
    num_micro_batches: int,
    held_share: float = 0.0,
) -> FlowStage:
    return FlowStage(
        transformer=TransformerConfig(has_guidance=False),  # the embedding of guidance comes with its distillation
        buckets=BucketsConfig(resolutions=resolutions, frames=frames),
        flow=FlowConfig(
            draw="logit_normal", shift=1.0, shift_tokens=PICTURE_TOKENS, caption_dropout=0.1, image_share=0.0,
            held_share=held_share,
        ),
        run=RunConfig(
            seed=seed, num_steps=num_steps, batch_size=batch_size, num_micro_batches=num_micro_batches,
            ema_decay=0.9999, recompute="full", log_every_steps=10, validate_every_steps=2000,
            checkpoint_every_steps=1000,
            optimizer=OptimizerConfig(lr=1e-4, betas=(0.9, 0.95), warmup_steps=1000, clip="adaptive"),
        ),
    )  # fmt: skip
