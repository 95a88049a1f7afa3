"""The paper's progression for `gallop`: pictures low then mixed, films low-short, low-long, high-long, curated.

Each recipe is one stage, starts from the weights of the one before, and reads the latents that `gallop-latents` made
once: its films hold pictures and shorter films as their beginnings, because the VAE is frame-causal.   Paper 4.5.2.

None of these has been run to its end yet; the times are computed from rates that `gallop_flow_64` and `gallop_flow_128`
reached on two shared CPU cores (22 films a second at 64 px, 8.3 at 128 px; docs/log.md), not measured.
"""

from dataclasses import replace

from muybridge.data.buckets import BucketsConfig
from muybridge.recipes.gallop import HELD_SHARE, gallop_flow_64
from muybridge.training.config import RunConfig
from muybridge.training.scales import Scale
from muybridge.training.stages import FlowStage
from muybridge.training.tasks.flow_matching import FlowConfig

LOW_FILM_TOKENS = 80  # 5 x 4 x 4: 17 frames at 64 px, for which a shift of 2 was found good
HIGH_FILM_TOKENS = 320  # 5 x 8 x 8: 17 frames at 128 px

LOW_PICTURES = Scale(size_px=64, num_frames=1, batch_size=96)
HIGH_PICTURES = Scale(size_px=128, num_frames=1, batch_size=48)
LOW_SHORT_FILMS = Scale(size_px=64, num_frames=9, batch_size=48)
LOW_LONG_FILMS = Scale(size_px=64, num_frames=17, batch_size=32)
HIGH_LONG_FILMS = Scale(size_px=128, num_frames=17, batch_size=16)


def gallop_image_low() -> FlowStage:
    """Image stage 1: 64 px pictures, what things are called.   Paper 4.5.2.

    Two CPU cores, about 12 minutes (computed). Metric: not run yet.
    """
    return _stage(seed=10, num_steps=800, scales=(LOW_PICTURES,), loss_tokens=96 * 16)


def gallop_image_mixed() -> FlowStage:
    """Image stage 2: 64 and 128 px pictures in turns, so that neither unlearns the other.   Paper 4.5.2.

    Two CPU cores, about 15 minutes (computed). Metric: not run yet.
    """
    scales = (_share(LOW_PICTURES, 0.4), _share(HIGH_PICTURES, 0.6))
    return _stage(seed=11, num_steps=800, scales=scales, size_px=128, loss_tokens=48 * 64)


def gallop_video_low_short() -> FlowStage:
    """Joint stage 1: 9 frames at 64 px with a fifth of pictures, how things begin to move.   Paper 4.5.2.

    Two CPU cores, about 20 minutes (computed). Metric: not run yet.
    """
    scales = (_share(LOW_SHORT_FILMS, 0.8), _share(LOW_PICTURES, 0.2))
    return _stage(seed=12, num_steps=800, scales=scales, loss_tokens=48 * 48)


def gallop_video_low_long() -> FlowStage:
    """Joint stage 2: 17 frames at 64 px with pictures of both sizes; a third of the films give frames.   Paper 4.5.2.

    Two CPU cores, about 40 minutes (computed). Metric: not run yet.
    """
    scales = (_share(LOW_LONG_FILMS, 0.8), _share(LOW_PICTURES, 0.1), _share(HIGH_PICTURES, 0.1))
    return _stage(seed=13, num_steps=1600, scales=scales, loss_tokens=32 * LOW_FILM_TOKENS, held_share=HELD_SHARE)


def gallop_video_high_long() -> FlowStage:
    """Joint stage 3: 17 frames at 128 px, what moving things look like, with low films and pictures among them.

    Two CPU cores, about 70 minutes (computed). Metric: not run yet.   Paper 4.5.2.
    """
    scales = (_share(HIGH_LONG_FILMS, 0.7), _share(LOW_LONG_FILMS, 0.15), _share(HIGH_PICTURES, 0.15))
    return _stage(
        seed=14, num_steps=2000, scales=scales, size_px=128, loss_tokens=16 * HIGH_FILM_TOKENS, held_share=HELD_SHARE
    )


def gallop_finetune() -> FlowStage:
    """The last stage: few steps at a falling rate on the best data, here 128 px films of the world.   Paper 4.5.2.

    The paper reviews its data by hand; a world's clips are exact as they are, so what is curated here is the mix: films
    of full length only. For data of your own see `finetune`. Two CPU cores, about 20 minutes (computed). Metric: not
    run yet.
    """
    stage = _stage(
        seed=15, num_steps=500, scales=(HIGH_LONG_FILMS,), size_px=128, loss_tokens=16 * HIGH_FILM_TOKENS,
        held_share=HELD_SHARE,
    )  # fmt: skip
    return replace(stage, run=_falling(stage.run))


def finetune() -> FlowStage:
    """Any model of ours on a user's own encoded films and pictures, from its weights, some frames given.

    `muybridge train finetune --data ENCODED --model gallop`. The rate falls to zero over `run.num_steps`; eight rows of
    the largest bucket fit small machines. Metric: it is your data.
    """
    run = replace(gallop_flow_64().run, seed=16, num_steps=500, batch_size=8)
    flow = FlowConfig(shift=2.0, shift_tokens=LOW_FILM_TOKENS, image_share=0.0, held_share=HELD_SHARE)
    return FlowStage(flow=flow, run=_falling(run), buckets=BucketsConfig(resolutions=((128, 128),), frames=(1, 17)))


def _share(scale: Scale, share: float) -> Scale:
    return replace(scale, share=share)


def _stage(
    *,
    seed: int,
    num_steps: int,
    scales: tuple[Scale, ...],
    loss_tokens: int,
    size_px: int = 64,
    held_share: float = 0.0,
) -> FlowStage:
    """`gallop_flow_64` on other scales, the shift growing with the tokens and every token weighing the same."""
    first = gallop_flow_64()
    flow = FlowConfig(
        shift=2.0, shift_tokens=LOW_FILM_TOKENS, image_share=0.0, held_share=held_share, loss_tokens=loss_tokens
    )
    run = replace(first.run, seed=seed, num_steps=num_steps, batch_size=scales[0].batch_size)
    return replace(first, size_px=size_px, flow=flow, scales=scales, run=run)


def _falling(run: RunConfig) -> RunConfig:
    """The run at a third of its rate, down to zero over its whole length."""
    optimizer = run.optimizer
    slower = replace(
        optimizer, lr=optimizer.lr / 3, matrix_lr=optimizer.matrix_lr / 3, decay_steps=run.num_steps, warmup_steps=20
    )
    return replace(run, optimizer=slower)
