"""A scene as a MuJoCo model: bare for the simulation, dressed for the picture. Both have the same joints."""

import math
from typing import Any

import numpy as np

from muybridge.worlds.physics.engine import geom_type, mujoco_module
from muybridge.worlds.physics.launches import GRAVITY
from muybridge.worlds.physics.looks import COLOURS, MATERIALS, floor_tile, pattern
from muybridge.worlds.physics.places import LIGHTS, PLACES, sky_map, towards_sun
from muybridge.worlds.physics.scene import PhysicsScene, Thing
from muybridge.worlds.physics.scenery import add_scenery
from muybridge.worlds.physics.shapes import SHAPES, mesh

MAX_STEP_S = 0.001
STIFFNESS = 2.0e4  # 1/s2 of contacts: a bounce lasts 22 ms and dents a thing by 2 cm at 3 m/s
NEAR_M, FAR_M = 0.05, 80.0
SHADOW_PX, SHADOW_M = 1536, 6.0
_ROD_M = 0.018


def bare_model(scene: PhysicsScene, *, step_s: float) -> Any:
    """The floor and the things, without looks: all that moves them."""
    spec = _physics(scene, step_s=step_s)
    for thing in scene.things:
        _add_thing(spec, thing)
    return spec.compile()


def dressed_model(scene: PhysicsScene, *, buffer_px: int) -> Any:
    """Everything that is seen, for pictures of at most `buffer_px` a side."""
    spec = _physics(scene, step_s=MAX_STEP_S)
    _dress_floor(spec, scene)
    for thing in scene.things:
        _paint(spec, thing)
        _add_thing(spec, thing, material=thing.name)
    _light(spec, scene)
    add_scenery(spec, scene)
    _set_view(spec, scene, buffer_px)
    return spec.compile()


def _physics(scene: PhysicsScene, *, step_s: float) -> Any:
    mujoco = mujoco_module()
    spec = mujoco.MjSpec()
    spec.option.timestep = step_s
    spec.option.gravity = [0, 0, -GRAVITY]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.enableflags = mujoco.mjtEnableBit.mjENBL_ENERGY
    floor = spec.worldbody.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[60, 60, 1], condim=3)
    floor.friction = [1.0, 0.005, 0.0001]
    return spec


def _add_thing(spec: Any, thing: Thing, *, material: str = "") -> None:
    """A body at the thing's middle with its joint; contacts take the thing's own friction and bounce."""
    mujoco = mujoco_module()
    body = spec.worldbody.add_body(name=thing.name, pos=thing.position, quat=thing.turn)
    if thing.hinge is not None:
        to_local = _rotation(thing.turn).T
        arm = to_local @ (np.array(thing.hinge.pivot) - thing.position)
        body.add_joint(type=mujoco.mjtJoint.mjJNT_HINGE, pos=arm, axis=to_local @ np.array(thing.hinge.axis))
        body.gravcomp = float(thing.hinge.is_weightless)
        if not thing.hinge.is_weightless:
            body.add_geom(
                name=f"{thing.name} rod", type=mujoco.mjtGeom.mjGEOM_CAPSULE, size=[_ROD_M, 0, 0], density=10,
                fromto=[*arm, 0, 0, 0], contype=0, conaffinity=0, rgba=[0.3, 0.3, 0.33, 1],
            )  # fmt: skip
    elif not thing.is_fixed:
        body.add_freejoint()
    shape = SHAPES[thing.shape]
    geom = body.add_geom(name=thing.name, type=geom_type(shape.kind), condim=3, priority=1)
    if shape.kind == "mesh":
        geom.meshname = _add_mesh(spec, thing)
    else:
        geom.size = [*(thing.scale * part for part in shape.size), 0, 0][:3]
    geom.density = MATERIALS[thing.material].density
    geom.friction = [thing.friction, 0.005, 0.0001]
    damping = 2 * _damping_ratio(thing.bounce) * math.sqrt(STIFFNESS)
    geom.solref, geom.solimp = [-STIFFNESS, -damping], [0.99, 0.99, 0.001, 0.5, 2]
    geom.material = material


def _add_mesh(spec: Any, thing: Thing) -> str:
    name = f"{thing.name} mesh"
    if thing.shape not in ("ring", "cone"):
        corners, faces = mesh(thing.shape)
        corners, faces = corners[faces].reshape(-1, 3), np.arange(3 * len(faces)).reshape(-1, 3)  # flat shading
        added = spec.add_mesh(name=name, smoothnormal=False)
    else:
        corners, faces = mesh(thing.shape)
        added = spec.add_mesh(name=name, smoothnormal=thing.shape == "ring")
    added.uservert = (corners * thing.scale).ravel()
    added.userface = faces.astype(np.int32).ravel()
    return name


def _damping_ratio(bounce: float) -> float:
    """The damping ratio of a spring that gives back `bounce` of the speed: e = exp(-pi z / sqrt(1 - z2))."""
    log = math.log(bounce)
    return -log / math.hypot(math.pi, log)


def _rotation(turn: tuple[float, ...]) -> np.ndarray:
    """The matrix (3, 3) of a quaternion."""
    matrix = np.empty(9)
    mujoco_module().mju_quat2Mat(matrix, np.array(turn))
    return matrix.reshape(3, 3)


def _add_texture(spec: Any, name: str, kind: str, picture: np.ndarray) -> None:
    mujoco = mujoco_module()
    texture = spec.add_texture(name=name, type=getattr(mujoco.mjtTexture, f"mjTEXTURE_{kind}"))
    texture.height, texture.width, texture.nchannel = picture.shape
    texture.data = picture.tobytes()


def _wear(material: Any, texture: str) -> None:
    material.textures[mujoco_module().mjtTextureRole.mjTEXROLE_RGB] = texture


def _dress_floor(spec: Any, scene: PhysicsScene) -> None:
    place = PLACES[scene.place]
    _add_texture(spec, "floor", "2D", floor_tile(place.floor))
    floor = spec.add_material(
        name="floor", texuniform=True, texrepeat=[1 / place.tile_m] * 2, reflectance=place.reflectance
    )
    floor.specular, floor.shininess = (0.3, 0.5) if place.reflectance else (0.0, 0.0)
    _wear(floor, "floor")
    spec.geom("floor").material = "floor"


def _paint(spec: Any, thing: Thing) -> None:
    """The thing's material: plain in its colour, or with a pattern as a cube map around it."""
    look = MATERIALS[thing.material]
    paint = spec.add_material(name=thing.name, specular=look.specular, shininess=look.shininess, emission=look.emission)
    if not look.pattern:
        paint.rgba = [*(part / 255 for part in COLOURS[thing.colour]), 1]
        return
    _add_texture(spec, f"{thing.name} pattern", "CUBE", pattern(look.pattern, thing.colour))
    _wear(paint, f"{thing.name} pattern")


def _light(spec: Any, scene: PhysicsScene) -> None:
    """One sun or lamp that casts shadows, light from all around, and the sky."""
    mujoco = mujoco_module()
    light, toward = LIGHTS[scene.light], towards_sun(scene.light, scene.sun_deg)
    sun = spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=toward * 12, dir=-toward, castshadow=True
    )
    sun.diffuse, sun.specular, sun.ambient = light.sun, [0.6 * part for part in light.sun], [0, 0, 0]
    head = spec.visual.headlight
    head.ambient, head.diffuse, head.specular, head.active = light.ambient, [0.14] * 3, [0, 0, 0], 1
    _add_texture(spec, "sky", "SKYBOX", sky_map(scene.light))


def _set_view(spec: Any, scene: PhysicsScene, buffer_px: int) -> None:
    visual, horizon = spec.visual, LIGHTS[scene.light].horizon
    spec.stat.extent, spec.stat.center = 1.0, [0, 0, 0]
    spec.worldbody.add_camera(name="camera")
    visual.map.znear, visual.map.zfar, visual.map.shadowclip = NEAR_M, FAR_M, SHADOW_M
    visual.map.fogstart, visual.map.fogend = 14.0, 58.0
    visual.quality.shadowsize = SHADOW_PX
    visual.quality.offsamples = 0  # oversampled instead: a pixel's number and depth are those of its middle
    visual.rgba.fog = visual.rgba.haze = [*horizon, 1]
    visual.global_.offwidth = visual.global_.offheight = buffer_px
