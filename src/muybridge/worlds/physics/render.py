"""Pictures of a simulated scene: colours, and what each pixel shows and how far away it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from einops import reduce

from muybridge.worlds.physics.camera import CameraPath
from muybridge.worlds.physics.engine import mujoco_module, use_context
from muybridge.worlds.physics.model import FAR_M, NEAR_M, dressed_model
from muybridge.worlds.physics.scene import PhysicsScene

OVERSAMPLING = 2  # pictures are drawn this much larger and averaged: edges, floors in the distance, glints
NOTHING = -1  # the geom of pixels that show the sky
_MAX_GEOMS = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Geometry:
    """What each pixel's middle shows. depth (t, h, w) in metres along the view (inf: sky), geoms (t, h, w) MuJoCo's
    numbers, geom_bodies (g,) the body of each, body_position (t, n, 3) and body_axes (t, n, 3, 3) in the world.
    """

    depth: np.ndarray
    geoms: np.ndarray
    geom_bodies: np.ndarray
    geom_names: tuple[str, ...]
    body_position: np.ndarray
    body_axes: np.ndarray


class _Stage:
    """A dressed scene with everything needed to draw it, bound to the calling thread."""

    def __init__(self, model: Any) -> None:
        mujoco = mujoco_module()
        self.model, self.data = model, mujoco.MjData(model)
        self._drawer = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._drawer)
        self._drawer.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self.seen = mujoco.MjvScene(model, maxgeom=_MAX_GEOMS)
        self._options, self._camera = mujoco.MjvOption(), mujoco.MjvCamera()
        self._camera.type, self._camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0

    def set(self, qpos: np.ndarray, path: CameraPath, frame: int) -> None:
        """Put the things and the camera where they are in a frame."""
        mujoco = mujoco_module()
        self.data.qpos[:] = qpos
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        self.data.cam_xpos[0] = path.position[frame]
        self.data.cam_xmat[0] = (path.axes[frame] * [1, -1, -1]).ravel()  # MuJoCo's camera: up, and backwards
        self.model.cam_fovy[0] = np.degrees(2 * np.arctan(path.tan_half[frame]))
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(self.model, self.data, self._options, None, self._camera, everything, self.seen)
        self.seen.flags[mujoco.mjtRndFlag.mjRND_FOG] = True
        self.seen.flags[mujoco.mjtRndFlag.mjRND_HAZE] = False

    def draw(self, width_px: int, height_px: int, *, is_numbered: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Colours uint8 (h, w, 3), or each geom's number as a colour, and the depth buffer float32 (h, w)."""
        mujoco = mujoco_module()
        for flag in (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR):
            self.seen.flags[flag] = is_numbered
        frame = mujoco.MjrRect(0, 0, width_px, height_px)
        colours = np.empty((height_px, width_px, 3), np.uint8)
        depth = np.empty((height_px, width_px), np.float32) if is_numbered else None
        mujoco.mjr_render(frame, self.seen, self._drawer)
        mujoco.mjr_readPixels(colours, depth, frame, self._drawer)
        return colours[::-1], depth[::-1] if depth is not None else np.empty(0)

    def free(self) -> None:
        """Give the drawing's memory back."""
        self._drawer.free()


@contextmanager
def _stage(scene: PhysicsScene, *, buffer_px: int) -> Iterator[_Stage]:
    use_context()
    stage = _Stage(dressed_model(scene, buffer_px=buffer_px))
    try:
        yield stage
    finally:
        stage.free()


def draw_film(scene: PhysicsScene, qpos: np.ndarray, path: CameraPath, *, width_px: int, height_px: int) -> np.ndarray:
    """The pictures, uint8 (t, h, w, 3), of frames with coordinates `qpos` (t, q)."""
    film = np.empty((len(qpos), height_px, width_px, 3), np.uint8)
    wide, high = width_px * OVERSAMPLING, height_px * OVERSAMPLING
    with _stage(scene, buffer_px=max(wide, high)) as stage:
        for frame in range(len(qpos)):
            stage.set(qpos[frame], path, frame)
            colours, _ = stage.draw(wide, high)
            mean = reduce(colours.astype(np.float32), "(h a) (w b) c -> h w c", "mean", a=OVERSAMPLING, b=OVERSAMPLING)
            film[frame] = mean.round()
    return film


def draw_geometry(
    scene: PhysicsScene, qpos: np.ndarray, path: CameraPath, *, width_px: int, height_px: int
) -> Geometry:
    """What the pixels of the same frames show, and where."""
    depth = np.empty((len(qpos), height_px, width_px))
    geoms = np.empty((len(qpos), height_px, width_px), np.int32)
    position, axes = [], []
    with _stage(scene, buffer_px=max(width_px, height_px)) as stage:
        for frame in range(len(qpos)):
            stage.set(qpos[frame], path, frame)
            colours, buffer = stage.draw(width_px, height_px, is_numbered=True)
            geoms[frame] = _geoms(colours, stage.seen)
            depth[frame] = np.where(geoms[frame] == NOTHING, np.inf, _metres(buffer))
            position.append(stage.data.xpos.copy())
            axes.append(stage.data.xmat.reshape(-1, 3, 3).copy())
        bodies = stage.model.geom_bodyid.copy()
        names = tuple(stage.model.geom(number).name for number in range(stage.model.ngeom))
    return Geometry(
        depth=depth, geoms=geoms, geom_bodies=bodies, geom_names=names, body_position=np.stack(position),
        body_axes=np.stack(axes),
    )  # fmt: skip


def _geoms(colours: np.ndarray, seen: Any) -> np.ndarray:
    """Geom numbers from the colours in which MuJoCo draws what it calls segment ids."""
    segments = colours.astype(np.int64) @ np.array([1, 1 << 8, 1 << 16])
    of_segment = np.full(seen.ngeom + 1, NOTHING, np.int32)
    for geom in seen.geoms[: seen.ngeom]:
        if geom.segid >= 0:
            of_segment[geom.segid + 1] = geom.objid
    return of_segment[segments]


def _metres(buffer: np.ndarray) -> np.ndarray:
    """Depth along the view from the depth buffer, whose 1 is the near plane and 0 the far one."""
    return NEAR_M * FAR_M / (NEAR_M + buffer.astype(np.float64) * (FAR_M - NEAR_M))
