"""Classifier-free guidance on weights that embed guidance: what is chosen where the user chooses nothing.

Such weights were distilled from guided ones: their one velocity has the contrast of a guided pair already, and guiding
it once more adds to that until films burn. So a negative prompt is asked for with little of both: less embedded
guidance, true guidance only at the middle noise levels (arXiv 2404.07724: early it costs variety, late only contrast),
and the spread of the unguided film kept (arXiv 2305.08891). Each is overridden by saying it.

The values are conventions: no released weights were at hand to measure them on. What each does is measured on gallop,
which embeds no guidance (docs/how-to/control-the-text.md).
"""

from muybridge.flow.schedules import Schedule

GENTLE_GUIDANCE = 2.0
GENTLE_LEVELS = (0.2, 0.9)
GENTLE_RESCALE = 0.7


def gentle_scale(cfg: float | str) -> float | str:
    """The scale at the middle levels alone, where it names neither levels nor steps."""
    scale = Schedule.of(cfg)
    if scale.is_off or scale.levels is not None or scale.steps is not None:
        return scale.plain
    return Schedule(start=scale.start, end=scale.end, levels=GENTLE_LEVELS).plain
