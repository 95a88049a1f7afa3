"""The table that is used unless another is given.

The tiers follow paper 3.1: from 256p to 720p each is stricter than the one before, the fine-tuning set strictest, and
pictures have one of their own, without rules of motion. The paper gives no values: each row says where its own are
from. "Judged" means: chosen by looking at what lies on both sides of it in real footage.
"""

from muybridge.curation.thresholds import FILM_TIERS, PICTURES, TIERS, Kind, Limit, Rule, Thresholds


def _row(name: str, kind: Kind, films: tuple[Limit, ...], *, pictures: Limit | None = None) -> Rule:
    stage, column = name.split(".")
    limits: dict[str, Limit] = dict(zip(FILM_TIERS, films, strict=True))
    return Rule(
        stage=stage, column=column, kind=kind, limits=limits if pictures is None else {**limits, PICTURES: pictures}
    )


DEFAULT_THRESHOLDS = Thresholds(
    rules=(
        # Three quarters of the tier's short side: what cropping borders, subtitles and marks may leave of it. Judged.
        _row("clip.short_px", "at_least", (192, 270, 405, 540, 540), pictures=192),
        # 4n+1 frames that the released model was trained on in stages: short ones first.   Paper 5.2.
        _row("clip.num_frames", "at_least", (17, 17, 33, 33, 65)),
        # Shots under black are joins and titles; half of a picture without content is no picture. Judged.
        _row("borders.black_share", "at_most", (0.5, 0.3, 0.2, 0.1, 0.05), pictures=0.5),
        _row("borders.border_share", "at_most", (0.5, 0.45, 0.4, 0.4, 0.3), pictures=0.5),
        # Open-Sora-Plan crops text of the outer 20 % and no more.
        _row("subtitles.subtitle_share", "at_most", (0.2, 0.2, 0.2, 0.15, 0.15), pictures=0.2),
        # Title cards and screens begin at about a twentieth; a shop sign has less than a hundredth. Judged.
        _row("subtitles.text_share", "at_most", (0.07, 0.05, 0.03, 0.02, 0.01), pictures=0.07),
        # Data-Juicer's watermark classifier is asked for 0.8; ours is calibrated, so that 0.5 is even odds.
        _row("marks.mark_score", "at_most", (0.8, 0.7, 0.6, 0.5, 0.3), pictures=0.8),
        # Variance of the Laplacian at 256 px: below about 50 soft, 200 to 2,000 sharp.
        _row("blur.sharpness", "at_least", (15, 25, 40, 60, 100), pictures=15),
        # What the frames resolve, whatever their size: three eighths of the tier's side, then half of it. Of natural
        # pictures enlarged to 720 px from a third of it, one in ten passes 720p; from half of it, one in two; of true
        # ones four in five.   benchmarks/curation_measures.py
        _row("blur.detail_px", "at_least", (96, 135, 216, 360, 360), pictures=96),
        # The quality left by damage, calibrated on held-out photographs: frames of seven natural films score 0.19 to
        # 0.99, with three quarters of a ladder's damage and more 0.20 on the median.   benchmarks/curation_measures.py
        _row("quality.technical", "at_least", (0.15, 0.25, 0.35, 0.45, 0.55), pictures=0.15),
        # Paper 3.1: beauty is asked for where it counts most. The scale's middle is 0.5.
        _row("quality.aesthetic", "at_least", (0.0, 0.1, 0.2, 0.3, 0.45), pictures=0.0),
        # Nothing moves, or too fast for 24 frames a second to show it.   `measures.motion`
        _row("motion.motion_kind", "none_of", (("still", "fast"),) * 5),
        # Short sides a second of the whole picture; above one it is a whip pan. Judged.
        _row("motion.motion", "at_most", (1.2, 1.0, 0.8, 0.7, 0.5)),
        # Share of the clip in which nothing moves.
        _row("motion.still_share", "at_most", (0.9, 0.75, 0.6, 0.5, 0.35)),
        # open_nsfw's authors: below 0.2 most likely safe, above 0.8 most likely not.
        _row("people.nsfw", "at_most", (0.8, 0.8, 0.5, 0.5, 0.2), pictures=0.8),
        # One of each, in every tier.   Paper 3.1.
        _row("duplicates.duplicate_of", "empty", (True,) * 5, pictures=True),
    )
)

SAFE_FACES = Rule(
    stage="privacy", column="faces_safe", kind="at_least", limits=dict.fromkeys(TIERS, 1.0), is_required=True
)  # fmt: skip


def with_safe_faces(table: Thresholds) -> Thresholds:
    """The table, and that faces be blurred or consented to; clips of which that is not known are left out."""
    others = tuple(rule for rule in table.rules if (rule.column, rule.kind) != (SAFE_FACES.column, SAFE_FACES.kind))
    return Thresholds(rules=(*others, SAFE_FACES))
