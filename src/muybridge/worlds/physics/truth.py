"""What a clip shows, as numbers: depth, segments, optical flow, contacts, trajectories and the camera."""

from dataclasses import dataclass

import numpy as np

from muybridge.worlds.physics.camera import CameraPath
from muybridge.worlds.physics.render import NOTHING, Geometry
from muybridge.worlds.physics.scene import PhysicsScene
from muybridge.worlds.physics.simulate import Contact, Motion

SKY, FLOOR, SCENERY = 0, 1, 2
FIRST_THING = 3
_OCCLUSION = 0.02  # a point is hidden when something is nearer than it by this share of its depth


@dataclass(frozen=True, kw_only=True, slots=True)
class PhysicsTruth:
    """The truth of t frames (h, w) and k things. Metres, seconds; x right, y away from the first camera, z up.

    depth float32 (t, h, w): distance along the view's axis, inf for the sky.
    segments uint8 (t, h, w): 0 sky, 1 floor, 2 scenery, then the things; `segment_names[i]` names segment i.
    flow float32 (t-1, h, w, 2): forward, in pixels (right, down): what is at p in frame i is at p + flow[i] in frame
    i + 1. It follows the camera's and the things' motion, not shadows, glints or mirror images.
    is_visible bool (t-1, h, w): what flow points to is in the next frame and not hidden there.
    contacts: see `Contact`; the floor's name is "floor".
    positions (t, k, 3), turns (t, k, 4) quaternions w x y z, velocities (t, k, 3) of the things' middles.
    camera (t, 4, 4) to the world from OpenCV's axes right, down, forward; intrinsics (t, 3, 3) in pixels.
    """

    depth: np.ndarray
    segments: np.ndarray
    segment_names: tuple[str, ...]
    flow: np.ndarray
    is_visible: np.ndarray
    contacts: tuple[Contact, ...]
    positions: np.ndarray
    turns: np.ndarray
    velocities: np.ndarray
    camera: np.ndarray
    intrinsics: np.ndarray


def measure(scene: PhysicsScene, motion: Motion, path: CameraPath, geometry: Geometry) -> PhysicsTruth:
    """The truth of a simulated scene whose geometry was drawn."""
    height, width = geometry.depth.shape[1:]
    steps = [_flow(geometry, path, frame) for frame in range(len(geometry.depth) - 1)]
    return PhysicsTruth(
        depth=geometry.depth.astype(np.float32), segments=_segments(scene, geometry),
        segment_names=("sky", "floor", "scenery", *(thing.name for thing in scene.things)),
        flow=np.array([flow for flow, _ in steps], np.float32).reshape(-1, height, width, 2),
        is_visible=np.array([seen for _, seen in steps], bool).reshape(-1, height, width), contacts=motion.contacts,
        positions=motion.at_frames(motion.positions), turns=motion.at_frames(motion.turns),
        velocities=motion.at_frames(motion.velocities), camera=path.matrices(),
        intrinsics=path.intrinsics(width_px=width, height_px=height),
    )  # fmt: skip


def _segments(scene: PhysicsScene, geometry: Geometry) -> np.ndarray:
    numbers = {"floor": FLOOR} | {thing.name: FIRST_THING + k for k, thing in enumerate(scene.things)}
    of_geom = np.array([*(numbers.get(name, SCENERY) for name in geometry.geom_names), SKY], np.uint8)
    assert NOTHING == -1
    return of_geom[geometry.geoms]


def _flow(geometry: Geometry, path: CameraPath, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the pixels of a frame go in the next one, (h, w, 2), and whether they are seen there, (h, w)."""
    height, width = geometry.depth.shape[1:]
    row, column = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
    middle = np.array([width / 2, height / 2])
    focal, next_focal = (0.5 * height / path.tan_half[k] for k in (frame, frame + 1))
    rays = np.stack([(column - middle[0]) / focal, (row - middle[1]) / focal, np.ones_like(row)], axis=-1)
    ways = rays @ path.axes[frame].T
    is_sky = geometry.geoms[frame] == NOTHING
    reach = np.where(is_sky, 1.0, geometry.depth[frame])[..., None]
    moved = _moved(geometry, frame, path.position[frame] + reach * ways) - path.position[frame + 1]
    seen = np.where(is_sky[..., None], ways, moved) @ path.axes[frame + 1]
    depth = np.where(seen[..., 2] > 1e-6, seen[..., 2], np.nan)
    target = next_focal * seen[..., :2] / depth[..., None] + middle
    visible = _is_seen(geometry, frame + 1, target, np.where(is_sky, np.inf, depth))
    return target - np.stack([column, row], axis=-1), visible


def _moved(geometry: Geometry, frame: int, points: np.ndarray) -> np.ndarray:
    """World points (h, w, 3) of a frame where their bodies take them by the next one."""
    bodies = geometry.geom_bodies[geometry.geoms[frame]]
    before, after = geometry.body_axes[frame], geometry.body_axes[frame + 1]
    turn = after @ np.swapaxes(before, -1, -2)
    shift = geometry.body_position[frame + 1] - np.einsum("nij,nj->ni", turn, geometry.body_position[frame])
    return np.einsum("hwij,hwj->hwi", turn[bodies], points) + shift[bodies]


def _is_seen(geometry: Geometry, frame: int, target: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Whether points at screen positions (h, w, 2) and depths (h, w) are in a frame and nothing is before them."""
    height, width = depth.shape
    inside = (target >= 0).all(-1) & (target[..., 0] < width) & (target[..., 1] < height)
    column, row = (np.where(inside, target[..., k], 0).astype(int) for k in (0, 1))
    nearest = geometry.depth[frame][row, column]
    with np.errstate(invalid="ignore"):
        return inside & (np.isinf(depth) & np.isinf(nearest) | (nearest >= depth * (1 - _OCCLUSION)))
