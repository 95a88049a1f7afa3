"""How fast a clip moves, and whether the camera moves, what it shows, or both."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from muybridge.curation.clip import Clip, Value
from muybridge.curation.measures.flow import MIN_SIDE_PX, FlowField, flow_field
from muybridge.curation.plain import Measurement
from muybridge.curation.stage import Column

Kind = Literal["still", "camera", "subject", "both", "fast"]

NUM_PAIRS = 8
GRID = 12
PAIR_S = 1 / 12  # between the frames of a pair: slow things have then moved by what can be measured
MIN_LIKENESS = 0.5  # of a pair whose flow counts; over cuts between films of `benchmarks/curation_measures` at most 0.4
MIN_TEXTURE = 4.0  # mean change, in levels: cells with less have nothing that could be followed
# Short sides per second. These and the shares below part 12 seconds of the physics world best (92 % right; of 15 others
# 100 %: benchmarks/curation_measures.py); what is still and what is fast was chosen by eye.
STILL_SPEED = 0.012
CAMERA_SPEED = 0.02
SUBJECT_SPEED = 0.03
# Of the camera's speed, what things may differ by from what most do and still be no subject: along it, as near things
# pass far ones (parallax), and across it, as a movement is never followed quite.
PARALLAX, ASTRAY = 0.2, 0.05
FAST_SPEED = 1.2
SUBJECT_CELLS = 0.97  # quantile over the cells: a subject takes at least three in a hundred
_NUM_ROUNDS = 10  # of reweighting
_TINY = 1e-9


class Motion(Measurement):
    """Speeds in short sides of the frame per second; None for pictures and for frames too small to be followed."""

    name = "motion"
    version = 2
    outputs: Mapping[str, Column] = MappingProxyType({
        "motion": "float", "motion_peak": "float", "still_share": "float", "camera_motion": "float",
        "subject_motion": "float", "motion_kind": "text",
    })  # fmt: skip

    def measure(self, clip: Clip) -> Mapping[str, Value]:
        """The values of `outputs`."""
        if clip.is_picture or min(clip.frames.shape[1:3]) < MIN_SIDE_PX:
            return dict.fromkeys(self.outputs)
        gap = max(1, min(round(clip.fps * PAIR_S), len(clip.frames) - 1))
        field = flow_field(clip.frames, num_pairs=NUM_PAIRS, grid=GRID, gap=gap)
        speeds = field.cells.astype(np.float64) * (clip.fps / gap)
        counts = _counting(field)
        whole, camera, subject, top = _split(speeds[counts], field.texture[counts].astype(np.float64))
        camera_motion, subject_motion = float(np.median(camera)), _often(subject)
        return {
            "motion": float(np.median(whole)), "motion_peak": float(whole.max()),
            "still_share": float((top < STILL_SPEED).mean()), "camera_motion": camera_motion,
            "subject_motion": subject_motion, "motion_kind": kind_of(camera_motion, subject_motion),
        }  # fmt: skip


def kind_of(camera: float, subject: float) -> Kind:
    """What moves, from both speeds in short sides per second."""
    if max(camera, subject) >= FAST_SPEED:
        return "fast"
    is_camera = camera >= CAMERA_SPEED
    is_subject = subject >= SUBJECT_SPEED
    if is_camera:
        return "both" if is_subject else "camera"
    return "subject" if is_subject else "still"


def _often(speeds: Float[np.ndarray, " p"]) -> float:
    """What is reached in three pairs of ten: things may pause, and noise does not last."""
    return float(np.quantile(speeds, 0.7))


def _counting(field: FlowField) -> Bool[np.ndarray, " p"]:
    """The pairs whose flow explains the second frame; all where most do not, for then it is no cut."""
    good = field.likeness >= MIN_LIKENESS
    return good if good.mean() > 0.5 else np.ones_like(good)


def _split(
    speeds: Float[np.ndarray, "p grid grid 2"], texture: Float[np.ndarray, "p grid grid"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each pair the mean speed of all cells, the camera's and the subject's, and that of the fastest cells."""
    num_pairs, grid = speeds.shape[:2]
    place = (np.arange(grid) + 0.5) / grid - 0.5
    column, row = np.meshgrid(place, place)
    basis = np.stack([np.ones_like(column), column, row, column**2, column * row, row**2], -1).reshape(-1, 6)
    trust = np.clip(texture.reshape(num_pairs, -1) / MIN_TEXTURE - 1, 0, 1)
    flat = speeds.reshape(num_pairs, -1, 2)
    followed = _global(basis, flat, trust)
    size = _length(flat) * (trust > 0)
    subject = _quantile(_unexplained(flat, followed), trust)
    return size.mean(1), _length(followed).mean(1), subject, _quantile(size, trust)


def _global(
    basis: Float[np.ndarray, "n k"], speeds: Float[np.ndarray, "p n 2"], trust: Float[np.ndarray, "p n"]
) -> Float[np.ndarray, "p n 2"]:
    """The smooth movement that most cells share: least squares, reweighted after Geman and McClure 1987.

    Quadratic in the place, which a turning or approaching camera before a plane asks for; none where no cell counts.
    """
    followed = np.stack([_median(speeds[..., axis], trust) for axis in (0, 1)], -1)[:, None] + np.zeros_like(speeds)
    for _ in range(_NUM_ROUNDS):
        rest = _length(speeds - followed)
        scale = np.maximum(1.5 * _median(rest, trust), STILL_SPEED)[:, None]
        weight = trust / (1 + (rest / scale) ** 2) ** 2
        weighted = (basis * weight[..., None]).swapaxes(1, 2)
        followed = basis @ np.linalg.solve(weighted @ basis + 1e-4 * np.eye(basis.shape[1]), weighted @ speeds)
    return followed


def _unexplained(speeds: Float[np.ndarray, "p n 2"], followed: Float[np.ndarray, "p n 2"]) -> Float[np.ndarray, "p n"]:
    """How much of each cell's speed neither the shared movement nor its parallax explains."""
    shared = _length(followed)
    way, rest = followed / np.maximum(shared, _TINY)[..., None], speeds - followed
    along = np.abs((rest * way).sum(-1))
    across = np.abs(rest[..., 0] * way[..., 1] - rest[..., 1] * way[..., 0])
    return np.hypot(np.maximum(along - PARALLAX * shared, 0), np.maximum(across - ASTRAY * shared, 0))


def _length(speeds: Float[np.ndarray, "p n 2"]) -> Float[np.ndarray, "p n"]:
    return np.hypot(speeds[..., 0], speeds[..., 1])


def _median(values: Float[np.ndarray, "p n"], trust: Float[np.ndarray, "p n"]) -> Float[np.ndarray, " p"]:
    """Of the cells that can be followed; 0 where none can."""
    counts = (trust > 0).sum(1)
    ordered = np.sort(np.where(trust > 0, values, np.inf), axis=1)
    middle = np.stack([np.maximum(counts - 1, 0) // 2, counts // 2], axis=1).clip(max=values.shape[1] - 1)
    return np.where(counts > 0, np.take_along_axis(np.where(np.isinf(ordered), 0, ordered), middle, 1).mean(1), 0.0)


def _quantile(values: Float[np.ndarray, "p n"], trust: Float[np.ndarray, "p n"]) -> Float[np.ndarray, " p"]:
    """Of the cells that can be followed, counted among all: a speck on a plain ground stays a speck."""
    return np.quantile(np.where(trust > 0, values, 0.0), SUBJECT_CELLS, axis=1)
