"""The physics world without pixels: scenes are pure, their events truly happen, laws of mechanics hold."""

import random
from dataclasses import replace

import numpy as np
import pytest

from muybridge.core.errors import InvalidInput
from muybridge.worlds.movements import MOVEMENTS
from muybridge.worlds.physics import PhysicsConfig, PhysicsScene, PhysicsWorld
from muybridge.worlds.physics.camera import CameraPath
from muybridge.worlds.physics.composing import draw_combination
from muybridge.worlds.physics.events import happens, impacts, lean_deg
from muybridge.worlds.physics.launches import GRAVITY
from muybridge.worlds.physics.looks import COLOURS, MATERIALS
from muybridge.worlds.physics.shapes import EVENTS, SHAPES, mesh, shapes_for

pytest.importorskip("mujoco", reason="needs the extra [worlds]")

FALL_M = 0.01  # of a metre in half a second: the error of a step of a millisecond
ENERGY = 0.01  # share by which rounding and the springs of contacts may lift the energy


def _world(**changes: object) -> PhysicsWorld:
    return PhysicsWorld(replace(PhysicsConfig(), **changes))


def _scene(event: str, **changes: object) -> tuple[PhysicsWorld, PhysicsScene]:
    world = _world(events=(event,), **changes)
    return world, world.scene(1)


def test_scenes_are_pure_functions_of_seed_split_and_index():
    forwards = [_world().scene(index) for index in (0, 1, 2)]
    assert forwards == [_world().scene(index) for index in (2, 1, 0)][::-1]
    assert _world(seed=1).scene(0) != forwards[0]
    assert _world().scene(0, split="held_out") != forwards[0]


def test_equal_scenes_move_equally():
    world, scene = _scene("collide")
    one, other = world.motion(scene), world.motion(scene)
    assert np.array_equal(one.positions, other.positions) and one.contacts == other.contacts


@pytest.mark.parametrize("event", EVENTS)
def test_the_named_event_happens(event):
    world, scene = _scene(event)
    assert scene.event == event and happens(scene, world.motion(scene))


def test_a_bounce_touches_and_rises():
    world, scene = _scene("bounce")
    motion = world.motion(scene)
    landing = impacts(motion, "subject", "floor")[0]
    before, after = (int((landing.time_s + shift) / motion.step_s) for shift in (-0.02, landing.duration_s + 0.01))
    assert motion.velocities[before, 0, 2] < -1 and motion.velocities[after, 0, 2] > 0.5
    assert landing.impulse_ns > 0


def test_a_bounce_is_not_a_drop():
    world, scene = _scene("bounce")
    assert not happens(replace(scene, event="drop"), world.motion(scene))


def test_dropped_things_fall_with_gravity():
    world, scene = _scene("drop")
    motion = world.motion(scene)
    landing = impacts(motion, "subject", "floor")[0].time_s
    falling = motion.times_s < 0.9 * landing
    fallen = motion.positions[0, 0, 2] - motion.positions[falling, 0, 2]
    assert np.abs(fallen - 0.5 * GRAVITY * motion.times_s[falling] ** 2).max() < FALL_M


def test_an_impact_takes_the_momentum_that_the_fall_gave():
    world = _world(events=("bounce",))
    scene = next(scene for scene in world.scenes() if scene.subject.shape == "ball" and scene.subject.spin[0] == 0)
    motion = world.motion(scene)
    landing = impacts(motion, "subject", "floor")[0]
    radius = scene.subject.scale * SHAPES["ball"].size[0]
    mass = 4 / 3 * np.pi * radius**3 * MATERIALS[scene.subject.material].density
    speed = GRAVITY * landing.time_s
    assert landing.impulse_ns == pytest.approx(mass * speed * (1 + scene.subject.bounce), rel=0.1)


@pytest.mark.parametrize("event", ["drop", "bounce", "roll", "slide", "topple", "collide", "swing"])
def test_energy_does_not_grow(event):
    world, scene = _scene(event)
    energy = world.motion(scene).energy_j
    assert energy.max() <= energy[0] + ENERGY * abs(energy[0])


def test_rolling_turns_as_far_as_it_goes():
    world = _world(events=("roll",))
    scene = next(scene for scene in world.scenes() if scene.subject.shape == "ball")
    motion = world.motion(scene)
    way = abs(motion.positions[-1, 0, 0] - motion.positions[0, 0, 0])
    halves = np.abs((motion.turns[:-1, 0] * motion.turns[1:, 0]).sum(-1))
    turned = 2 * np.arccos(np.clip(halves, 0, 1)).sum()
    assert turned * scene.subject.scale * 0.5 == pytest.approx(way, rel=0.05)


def test_directions_are_those_said():
    for event in ("roll", "slide"):
        world = _world(events=(event,))
        for index in range(2):
            scene = world.scene(index)
            moved = np.diff(world.motion(scene).positions[[0, -1], 0, 0])[0]
            assert np.sign(moved) == scene.direction
            assert ("right" if moved > 0 else "left") in world.structured(scene).short


def test_toppled_things_lie():
    world, scene = _scene("topple")
    lean = lean_deg(world.motion(scene))
    assert lean[0].max() < 5 and lean[-1].min() > 60


def test_held_out_combinations_never_occur_in_training():
    world = _world(held_out_fraction=0.3)
    for index in range(6):
        for thing in (scene := world.scene(index)).things:
            assert not world.is_held_out(replace(scene, things=(thing,)))
        assert world.is_held_out(world.scene(index, split="held_out"))


def test_the_split_does_not_depend_on_the_seed():
    scene = _world().scene(3, split="held_out")
    assert _world(seed=5).is_held_out(scene)


def test_captions_name_colour_shape_event_and_moving_camera():
    world = _world()
    verbs = {
        "static": ("stand", "rest", "not move", "motionless"), "drop": ("fall", "drop"),
        "bounce": ("bounc",), "roll": ("roll",),
        "slide": ("slid", "glid"), "topple": ("toppl", "tip"), "collide": ("collid", "crash", "hit"),
        "swing": ("swing",), "orbit": ("orbit", "circl"),
    }  # fmt: skip
    for index in range(10):
        scene = world.scene(index)
        for text in world.captions(scene, 6):
            assert scene.subject.colour in text
            assert any(name in text for name in SHAPES[scene.subject.shape].names)
            assert any(verb in text for verb in verbs[scene.event]), (scene.event, text)
            assert scene.camera == "static" or scene.camera.split()[0][:4] in text.lower(), (scene.camera, text)
            assert "{" not in text and "  " not in text


def test_captions_vary():
    world = _world()
    assert len(set(world.captions(world.scene(0), 12))) > 8


def test_every_colour_shape_and_event_is_drawn():
    rng = random.Random(0)
    colours, shapes, events = zip(*(draw_combination(EVENTS, rng) for _ in range(600)), strict=True)
    assert set(colours) == set(COLOURS) and set(shapes) == set(SHAPES) and set(events) == set(EVENTS)
    assert len(COLOURS) >= 10


@pytest.mark.parametrize("shape", ["cone", "pyramid", "prism", "gem", "ring"])
def test_meshes_are_closed_and_face_outwards(shape):
    corners, faces = mesh(shape)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert {tuple(edge) for edge in edges} == {tuple(edge[::-1]) for edge in edges}
    a, b, c = corners[faces].transpose(1, 0, 2)
    assert (np.cross(b - a, c - a) * a).sum() > 0  # six times the volume
    assert np.abs(corners).max(axis=0) == pytest.approx(SHAPES[shape].extent, rel=0.15)


def _path(camera: str) -> tuple[CameraPath, np.ndarray]:
    """The path of a camera over a resting scene, and its travel in its own first axes: right, down, forward."""
    world, scene = _scene("static", cameras=(camera,))
    path = world.camera(scene)
    return path, (path.position[-1] - path.position[0]) @ path.axes[0]


def _turn_deg(path: CameraPath) -> tuple[float, float]:
    """How far the camera turned to its right and up over the clip."""
    before, after = path.axes[0, :, 2], path.axes[-1, :, 2]
    yaw = np.arctan2(after[0], after[1]) - np.arctan2(before[0], before[1])
    return np.degrees(yaw), np.degrees(np.arcsin(after[2]) - np.arcsin(before[2]))


@pytest.mark.parametrize("camera", [name for name in MOVEMENTS if name.startswith("pan")])
def test_a_pan_moves_without_turning(camera):
    path, travel = _path(camera)
    dim, sign = {"left": (0, -1), "right": (0, 1), "up": (1, -1), "down": (1, 1)}[camera.split()[1]]
    assert travel[dim] * sign > 0.3 and np.abs(travel[dim]) > 0.8 * np.linalg.norm(travel)
    assert np.ptp(path.axes, axis=0).max() == 0 and np.ptp(path.tan_half) == 0


@pytest.mark.parametrize("camera", [name for name in MOVEMENTS if name.startswith("tilt")])
def test_a_tilt_turns_without_moving(camera):
    path, travel = _path(camera)
    yaw, pitch = _turn_deg(path)
    turned, other = (yaw, pitch) if camera.split()[1] in ("left", "right") else (pitch, yaw)
    assert turned * (1 if camera.split()[1] in ("right", "up") else -1) > 10 and abs(other) < 1
    assert np.abs(travel).max() == 0


@pytest.mark.parametrize(("camera", "sign"), [("around left", -1), ("around right", 1)])
def test_around_goes_sideways_and_keeps_looking_at_the_subject(camera, sign):
    path, travel = _path(camera)
    world, scene = _scene("static", cameras=(camera,))
    assert travel[0] * sign > 0.5 and np.sign(_turn_deg(path)[0]) == -sign
    middle = path.seen(np.broadcast_to(np.array(scene.subject.position), (len(path.position), 3)))
    assert np.abs(middle[:, 0] / middle[:, 2]).max() < 0.05


@pytest.mark.parametrize(("camera", "sign"), [("zoom in", -1), ("zoom out", 1)])
def test_a_zoom_changes_the_angle_only(camera, sign):
    path, travel = _path(camera)
    assert (
        (np.diff(path.tan_half) * sign > 0).all() and np.abs(travel).max() == 0 and np.ptp(path.axes, axis=0).max() == 0
    )


def test_a_static_camera_stands_and_a_handheld_one_shakes_a_little():
    still, _ = _path("static")
    shaken, travel = _path("handheld")
    assert np.ptp(still.position, axis=0).max() == 0 and np.ptp(still.axes, axis=0).max() == 0
    assert 0.3 < np.degrees(np.ptp(shaken.axes[:, :, 2], axis=0).max()) < 8 and np.linalg.norm(travel) < 0.5
    steps = np.diff(shaken.axes[:, 0, 2])
    assert (steps > 0).any() and (steps < 0).any()


@pytest.mark.parametrize("camera", ["static", "zoom in", "zoom out", "around left", "handheld"])
@pytest.mark.parametrize("event", ["roll", "swing"])
def test_the_subject_stays_in_view(camera, event):
    world, scene = _scene(event, cameras=(camera,))
    path, motion = world.camera(scene), world.motion(scene)
    seen = path.seen(motion.at_frames(motion.positions))[:, 0]
    screen = np.abs(seen[:, :2]) / (seen[:, 2:] * path.tan_half[:, None])
    assert screen.max() < 1


def test_clips_of_other_lengths_show_the_same_movement():
    world, scene = _scene("drop")
    whole, longer = world.motion(scene), world.motion(scene, num_frames=25)
    assert np.array_equal(whole.qpos, longer.qpos[: len(whole.qpos)])


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"num_frames": 16}, "4n\\+1"), ({"fps": 60}, "1 to 8 s"), ({"events": ("explode",)}, "explode"),
        ({"cameras": ("dolly",)}, "dolly"), ({"width_px": 8}, "16"), ({"held_out_fraction": 0.7}, "0.5"),
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(changes, wanted):
    with pytest.raises(InvalidInput, match=wanted):
        replace(PhysicsConfig(), **changes)


@pytest.mark.slow
def test_every_combination_of_shape_and_event_can_be_staged():
    for event in EVENTS:
        world = _world(events=(event,))
        shapes = {world.scene(index).subject.shape for index in range(10 * len(shapes_for(event)))}
        assert shapes == set(shapes_for(event))
