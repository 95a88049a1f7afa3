"""The physics world's pictures and the truth about them; skipped where there is no EGL to draw with."""

import os
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from muybridge.core.errors import RunFailed
from muybridge.worlds.physics import PhysicsConfig, PhysicsScene, PhysicsTruth, PhysicsWorld
from muybridge.worlds.physics.looks import COLOURS
from muybridge.worlds.physics.shapes import SHAPES

pytest.importorskip("mujoco", reason="needs the extra [worlds]")
from muybridge.worlds.physics.engine import use_context

SIZE_PX = 48
NUM_FRAMES = 5
OFF_PX = 0.5


@pytest.fixture(scope="module", autouse=True)
def _egl() -> None:
    try:
        use_context()
    except RunFailed as error:
        pytest.skip(str(error))


def _scene(event: str, camera: str = "static", **changes: object) -> tuple[PhysicsWorld, PhysicsScene]:
    config = PhysicsConfig(width_px=SIZE_PX, height_px=SIZE_PX, events=(event,), cameras=(camera,))
    world = PhysicsWorld(config)
    return world, replace(world.scene(1), **changes)


def _truth(event: str, camera: str = "static", **changes: object) -> tuple[PhysicsTruth, np.ndarray]:
    world, scene = _scene(event, camera, **changes)
    return world.truth(scene, num_frames=NUM_FRAMES), world.render(scene, num_frames=NUM_FRAMES)


def test_equal_scenes_give_equal_bits_in_any_order_and_thread():
    world, scene = _scene("bounce")
    first = world.render(scene, num_frames=2)
    world.render(_scene("swing")[1], num_frames=1)
    found: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: found.append(world.render(scene, num_frames=2)))
    thread.start()
    thread.join()
    assert np.array_equal(first, world.render(scene, num_frames=2)) and np.array_equal(first, found[0])


def test_films_are_uint8_of_the_size_asked_for():
    world, scene = _scene("drop")
    film = world.render(scene, size_px=(64, 32), num_frames=2)
    assert film.dtype == np.uint8 and film.shape == (2, 32, 64, 3)
    assert film.std() > 10


def test_one_frame_is_a_picture_of_the_middle():
    world, scene = _scene("roll")
    assert np.array_equal(world.render(scene, num_frames=1)[0], world.render(scene)[8])


@pytest.mark.parametrize("colour", ["red", "green", "blue"])
def test_the_subject_has_its_colour(colour):
    world, scene = _scene("static")
    thing = replace(scene.subject, colour=colour, material="matte")
    scene = replace(scene, things=(thing,), light="overcast", place="yard")
    film, truth = world.render(scene, num_frames=1), world.truth(scene, num_frames=1)
    mean = film[0][truth.segments[0] == 3].mean(axis=0)
    assert mean.argmax() == int(np.argmax(COLOURS[colour])) and np.ptp(mean) > 40


@pytest.mark.parametrize(
    ("event", "camera"),
    [("roll", "static"), ("swing", "tilt up"), ("roll", "handheld"), ("orbit", "zoom in"), ("slide", "pan left"),
     ("collide", "around right")],
)  # fmt: skip
def test_flow_is_right_to_a_fraction_of_a_pixel(event, camera):
    """Read where flow points, the next frame looks like this one; read half a pixel beside it, much less so."""
    world, scene = _scene(event, camera, place="parlour", light="softbox")
    thing = replace(scene.subject, material="checker", colour="blue")
    scene = replace(scene, things=(thing, *scene.things[1:]))
    truth, film = (draw(scene, size_px=96, num_frames=3) for draw in (world.truth, world.render))
    pixels = film.astype(float).mean(axis=-1)
    for frame in range(2):
        chosen = _inner(truth, frame, pixels[frame])
        error, beside = (
            np.abs(_read(pixels[frame + 1], truth.flow[frame] + shift) - pixels[frame])[chosen].mean()
            for shift in (0.0, OFF_PX)
        )
        assert chosen.sum() > 20 and error < 0.6 * beside


def _inner(truth: PhysicsTruth, frame: int, pixels: np.ndarray) -> np.ndarray:
    """Visible pixels with texture, away from the edges of segments; only those of things under a still camera."""
    segments, height = truth.segments[frame], np.gradient(pixels)
    chosen = truth.is_visible[frame] & (np.hypot(*height) > 4)
    if np.ptp(truth.camera, axis=0).max() == 0:
        chosen &= segments >= 3
    for dim in (0, 1):
        for step in (-1, 1):
            chosen &= np.roll(segments, step, dim) == segments
    chosen[[0, -1]] = chosen[:, [0, -1]] = False
    return chosen


def _read(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """A picture (h, w) read bilinearly where flow (h, w, 2) points."""
    height, width = picture.shape
    row, column = np.mgrid[:height, :width] + 0.0
    x = np.clip(column + flow[..., 0], 0, width - 1.001)
    y = np.clip(row + flow[..., 1], 0, height - 1.001)
    left, top = x.astype(int), y.astype(int)
    a, b = x - left, y - top
    upper = picture[top, left] * (1 - a) + picture[top, left + 1] * a
    lower = picture[top + 1, left] * (1 - a) + picture[top + 1, left + 1] * a
    return upper * (1 - b) + lower * b


def test_depth_is_the_distance_to_what_is_seen():
    """The subject's middle lies behind its surface by no more than its corners are away from it."""
    world, scene = _scene("static", "around left")
    truth = world.truth(scene, num_frames=3)
    reach = 1.01 * scene.subject.scale * np.linalg.norm(SHAPES[scene.subject.shape].extent)
    for frame, middle in enumerate(world.camera(scene, num_frames=3).seen(truth.positions)[:, 0, 2]):
        shown = truth.depth[frame][truth.segments[frame] == 3]
        assert middle - reach <= shown.min() <= shown.max() <= middle + reach
    assert np.isinf(truth.depth[truth.segments == 0]).all() and np.isfinite(truth.depth[truth.segments != 0]).all()


def test_the_floor_lies_at_height_zero():
    truth, _ = _truth("static", "pan up", place="yard", light="noon")
    row, column = np.nonzero(truth.segments[0] == 1)
    focal, middle = truth.intrinsics[0, 0, 0], SIZE_PX / 2
    rays = np.stack([(column + 0.5 - middle) / focal, (row + 0.5 - middle) / focal, np.ones(len(row))])
    points = truth.camera[0, :3, :3] @ (rays * truth.depth[0][row, column]) + truth.camera[0, :3, 3:]
    near = truth.depth[0][row, column] < 20
    assert near.any() and np.abs(points[2, near]).max() < 0.01


def test_segments_are_where_the_things_are():
    truth, _ = _truth("collide")
    for number in (3, 4):
        row, column = np.nonzero(truth.segments[0] == number)
        point = truth.intrinsics[0] @ np.linalg.inv(truth.camera[0])[:3] @ np.append(truth.positions[0, number - 3], 1)
        seen = point[:2] / point[2]
        assert column.min() - 1 <= seen[0] <= column.max() + 2 and row.min() - 1 <= seen[1] <= row.max() + 2


def test_one_frame_has_truth_without_flow():
    world, scene = _scene("drop")
    truth = world.truth(scene, num_frames=1)
    assert truth.flow.shape == (0, SIZE_PX, SIZE_PX, 2) and truth.depth.shape == (1, SIZE_PX, SIZE_PX)


def test_a_still_scene_under_a_still_camera_has_no_flow():
    truth, film = _truth("static")
    assert np.abs(truth.flow).max() < 1e-3 and truth.is_visible.all() and (film == film[0]).all()


def test_a_clip_comes_with_its_captions():
    world, _ = _scene("drop")
    clip = world.clip(0)
    assert clip.pixels.shape == (17, SIZE_PX, SIZE_PX, 3)
    assert clip.caption == world.captions(clip.scene, 1)[0] and clip.structured == world.structured(clip.scene)


@pytest.mark.slow
def test_a_machine_without_egl_is_told_what_to_install():
    """PyOpenGL set to another platform refuses EGL as a machine without it does."""
    script = "from muybridge.worlds.physics.engine import use_context; use_context()"
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYOPENGL_PLATFORM": "glx"}, capture_output=True, text=True
    )
    assert "RunFailed: No EGL" in done.stderr and "apt install libegl1 libgl1-mesa-dri." in done.stderr


def test_a_process_forked_after_drawing_is_refused():
    """It would wait for ever."""
    process = os.fork()
    if process == 0:
        try:
            use_context()
        except RunFailed:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 7
