"""The sprites world: clips are pure functions of (config, index), and show what their scene says."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.core.errors import InvalidInput
from muybridge.worlds.drawn import drawn_library
from muybridge.worlds.library import frame_numbers
from muybridge.worlds.scene import Scene
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld

SIZE_PX = 48
SCENE = Scene(
    subject="ball", background="meadow", motion="still", camera="static", facing="front",
    size=0.5, offset=0.0, phase=0.0, detail_seed=5,
)  # fmt: skip


def _world(**changes: object) -> SpritesWorld:
    return SpritesWorld(replace(SpritesConfig(width_px=SIZE_PX, height_px=SIZE_PX), **changes), drawn_library())


def _ball(pixels: np.ndarray) -> np.ndarray:
    """Where the red ball is, (t, h, w)."""
    red, green, blue = (pixels[..., k].astype(int) for k in range(3))
    return (red > 150) & (green < 90) & (blue < 90)


def _middle(mask: np.ndarray, dim: int) -> np.ndarray:
    """The mean column (dim 2) or row (dim 1) of a mask in each frame."""
    return np.array([np.nonzero(frame)[dim - 1].mean() for frame in mask])


def _sky(pixels: np.ndarray) -> np.ndarray:
    """Rows above the subject, as numbers."""
    return pixels[:, 2 : SIZE_PX // 4].astype(float)


def test_equal_indices_give_equal_clips_in_any_order():
    forwards, backwards = _world(), _world()
    first = [forwards.clip(index) for index in (0, 1, 2)]
    second = [backwards.clip(index) for index in (2, 1, 0)][::-1]
    for one, other in zip(first, second, strict=True):
        assert one.scene == other.scene and one.structured == other.structured
        assert np.array_equal(one.pixels, other.pixels)


def test_the_seed_changes_the_clips():
    assert [_world().scene(k) for k in range(8)] != [_world(seed=1).scene(k) for k in range(8)]


def test_clips_are_uint8_films_of_the_configured_size():
    pixels = _world(width_px=64, height_px=32, num_frames=9).clip(0).pixels
    assert pixels.dtype == np.uint8 and pixels.shape == (9, 32, 64, 3)


@pytest.mark.parametrize(("motion", "dim", "sign"), [("right", 2, 1), ("left", 2, -1)])
def test_a_subject_moves_where_its_motion_says(motion, dim, sign):
    middle = _middle(_ball(_world().render(replace(SCENE, motion=motion))), dim)
    assert sign * (middle[-1] - middle[0]) > 0.2 * SIZE_PX
    assert (sign * np.diff(middle) > -1).all()


@pytest.mark.parametrize(("motion", "sign"), [("up", -1), ("down", 1)])
def test_a_flyer_rises_and_sinks(motion, sign):
    scene = replace(SCENE, subject="star", background="blue", motion=motion)
    yellow = _world().render(scene)[..., 2].astype(int) < 110
    middle = _middle(yellow, 1)
    assert sign * (middle[-1] - middle[0]) > 0.2 * SIZE_PX


@pytest.mark.parametrize(("motion", "sign"), [("toward", 1), ("away", -1)])
def test_approaching_grows_and_receding_shrinks(motion, sign):
    area = _ball(_world().render(replace(SCENE, motion=motion))).sum(axis=(1, 2))
    assert (area[-1] > 2 * area[0]) == (sign > 0) and (area[0] > 2 * area[-1]) == (sign < 0)


@pytest.mark.parametrize(("width_px", "height_px"), [(96, 48), (32, 56)])
def test_sideways_movement_is_seen_in_wide_and_narrow_frames(width_px, height_px):
    world = _world(width_px=width_px, height_px=height_px)
    ball = _ball(world.render(replace(SCENE, motion="right", size=0.68)))
    middle = _middle(ball, 2)
    assert middle[-1] - middle[0] > 0.3 * width_px
    assert ball.sum(axis=(1, 2)).min() > 0.7 * ball.sum(axis=(1, 2)).max()  # the ends are hardly cut


def test_a_hop_leaves_the_ground_and_returns():
    rows = _middle(_ball(_world().render(replace(SCENE, motion="hop"))), 1)
    assert abs(rows[0] - rows[-1]) < 1.5 and rows.min() < rows[0] - 0.1 * SIZE_PX


@pytest.mark.parametrize(("camera", "shift"), [("pan right", -1), ("pan left", 1)])
def test_panning_moves_background_and_subject_the_other_way(camera, shift):
    pixels = _world().render(replace(SCENE, camera=camera))
    middle = _middle(_ball(pixels), 2)
    assert shift * (middle[-1] - middle[0]) > 0.2 * SIZE_PX
    sky = _sky(pixels)
    errors = {step: _misfit(sky[0], sky[4], step) for step in range(-8, 9)}
    assert shift * min(errors, key=errors.__getitem__) > 0


def _misfit(before: np.ndarray, after: np.ndarray, step: int) -> float:
    """How badly `before` moved `step` columns to the right fits `after`."""
    width = before.shape[1]
    old = before[:, max(0, -step) : width - max(0, step)]
    new = after[:, max(0, step) : width - max(0, -step)]
    return float(np.abs(old - new).mean())


@pytest.mark.parametrize(("camera", "sign"), [("tilt up", 1), ("tilt down", -1)])
def test_tilting_moves_the_subject_the_other_way(camera, sign):
    rows = _middle(_ball(_world().render(replace(SCENE, camera=camera, size=0.4))), 1)
    assert sign * (rows[-1] - rows[0]) > 0.1 * SIZE_PX


@pytest.mark.parametrize("camera", ["zoom in", "zoom out"])
def test_zooming_changes_the_size_of_the_subject(camera):
    area = _ball(_world().render(replace(SCENE, camera=camera))).sum(axis=(1, 2))
    assert (area[-1] > 1.5 * area[0]) == (camera == "zoom in")
    assert (area[0] > 1.5 * area[-1]) == (camera == "zoom out")


def test_a_following_camera_keeps_the_subject_in_the_middle_while_the_place_passes():
    pixels = _world().render(replace(SCENE, motion="right", camera="follow"))
    middle = _middle(_ball(pixels), 2)
    assert np.abs(middle - middle[0]).max() < 1.5
    assert np.abs(_sky(pixels)[-1] - _sky(pixels)[0]).mean() > 1


def test_a_static_camera_leaves_the_place_still():
    sky = _sky(_world().render(replace(SCENE, size=0.4)))
    assert np.array_equal(sky[0], sky[-1])


@pytest.mark.parametrize("index", range(6))
def test_a_scene_looks_alike_at_64_and_128_px(index):
    world = _world(num_frames=5)
    scene = world.scene(index)
    small, large = world.render(scene, size_px=64).astype(float), world.render(scene, size_px=128).astype(float)
    halved = large.reshape(5, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    assert np.abs(small - halved).mean() < 3  # of 255: edges are sampled from different working sizes


def test_fewer_frames_are_the_beginning_of_the_clip():
    world = _world()
    scene = world.scene(3)
    assert np.array_equal(world.render(scene, num_frames=5), world.render(scene)[:5])


def test_one_frame_is_the_middle_of_the_movement():
    picture = _world().render(replace(SCENE, motion="right"), num_frames=1)
    assert abs(_middle(_ball(picture), 2)[0] - SIZE_PX / 2) < 2


def test_a_picture_claims_no_movement():
    world = _world()
    for index in range(20):
        scene = world.still(index)
        assert (scene.motion, scene.camera) == ("still", "static") and not world.is_held_out(scene)
    clip = world.image(0)
    assert clip.pixels.shape[0] == 1 and "camera" not in clip.caption.lower()


def test_training_never_shows_a_held_out_combination():
    world = _world(held_out_fraction=0.2)
    trained = {world.scene(index).combination for index in range(400)}
    tested = {world.scene(index, split="held_out").combination for index in range(60)}
    assert not trained & tested
    assert not any(world.is_held_out(world.scene(index)) for index in range(400))
    assert all(world.is_held_out(world.scene(index, split="held_out")) for index in range(60))


def test_holding_out_does_not_depend_on_the_seed_or_the_size():
    scenes = [_world(held_out_fraction=0).scene(index) for index in range(300)]
    one, other = _world(), _world(seed=9, width_px=64)
    verdicts = [one.is_held_out(scene) for scene in scenes]
    assert verdicts == [other.is_held_out(scene) for scene in scenes]
    assert 0 < sum(verdicts) < 45


def test_scenes_go_on_from_where_they_are_told():
    world = _world()
    scenes = world.scenes(start=4)
    assert [next(scenes), next(scenes)] == [world.scene(4), world.scene(5)]


def test_only_the_chosen_subjects_occur():
    world = _world(subjects=("egg", "star"))
    assert {world.scene(index).subject for index in range(40)} == {"egg", "star"}


@pytest.mark.parametrize(
    ("changes", "given"),
    [
        ({"num_frames": 16}, "num_frames=16"),
        ({"width_px": 8}, "width_px=8"),
        ({"fps": 60}, "fps=60"),
        ({"held_out_fraction": 1.0}, "held_out_fraction=1.0"),
        ({"subjects": ("unicorn",)}, "subject 'unicorn'"),
    ],
)
def test_bad_settings_are_refused_in_one_line(changes, given):
    with pytest.raises(InvalidInput, match=given) as refusal:
        _world(**changes)
    assert "\n" not in str(refusal.value)


def test_a_single_frame_drawing_stays_on_its_frame():
    assert not frame_numbers(1, np.arange(9) / 12, phase=0.7, span=(0.0, 1.0)).any()
    assert not frame_numbers(1, np.arange(9) / 12, phase=0.7, span=(0.0, 0.4)).any()


def test_a_drawing_loops_from_its_phase():
    numbers = frame_numbers(8, np.arange(6) / 12, phase=0.5, span=(0.0, 1.0))
    assert numbers.tolist() == [4, 6, 0, 2, 4, 6]


def test_a_span_is_played_to_and_fro():
    numbers = frame_numbers(101, np.arange(40) / 24, phase=0.0, span=(0.0, 0.1))
    assert numbers.max() == 10 and numbers.min() == 0 and np.abs(np.diff(numbers)).max() == 1
