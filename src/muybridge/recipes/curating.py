"""How the small networks are made that curation and captioning measure with: `muybridge train NAME`."""

from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.curating.quality import QualityStage


def curation_quality() -> QualityStage:
    """How damaged a picture is, from ladders of ten damages over renders, photographs and textures.

    One CPU core.
    """
    return QualityStage(
        run=RunConfig(
            num_steps=5000, batch_size=32, ema_decay=0.995, is_bf16=False, validate_every_steps=1000,
            checkpoint_every_steps=250,
            optimizer=OptimizerConfig(lr=2e-3, warmup_steps=100, decay_steps=3500, weight_decay=0.01),
        ),
    )  # fmt: skip
