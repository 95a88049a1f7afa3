"""The staged edition: scenes hold together, every camera moves the picture in its own way, styles and lights differ."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.core.errors import InvalidInput
from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.drawn import drawn_library
from muybridge.worlds.lights import LIGHTS, lights_of
from muybridge.worlds.movements import MOVEMENTS
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld, complete_sprites
from muybridge.worlds.staging import Actor, Relation, StagedScene
from muybridge.worlds.styles import STYLES
from muybridge.worlds.truth import Truth

SIZE_PX = 48


def _world(**changes: object) -> SpritesWorld:
    return SpritesWorld(replace(complete_sprites(size_px=SIZE_PX, num_frames=9), **changes), drawn_library())


def _actor(subject: str = "ball", **changes: object) -> Actor:
    facts = {"subject": subject, "motion": "still", "facing": "front", "x": 0.0, "z": 1.0, "size": 0.4, "phase": 0.0}
    return Actor(**{**facts, **changes})


def _scene(*actors: Actor, relations: tuple[Relation, ...] = (), **changes: object) -> StagedScene:
    facts = {"background": "meadow", "light": "noon", "style": "3D render", "camera": "static", "sway": 0.3}
    return StagedScene(
        actors=actors or (_actor(),), relations=relations, detail_seed=5, **{**facts, **changes}
    )  # fmt: skip


def _travel(truth: Truth, number: int = 0) -> np.ndarray:
    """How far a subject moves on the screen from the first to the last frame, (x, y)."""
    return truth.middles[number, -1] - truth.middles[number, 0]


WORLD = _world()
SCENES = [WORLD.scene(index) for index in range(300)]
NEAR_AND_FAR = (_actor(z=0.9, size=0.3), _actor("star", z=2.4, size=0.5))


def test_equal_indices_give_equal_clips_in_any_order():
    first = [_world().clip(index) for index in (0, 1)]
    second = [_world().clip(index) for index in (1, 0)][::-1]
    for one, other in zip(first, second, strict=True):
        assert one.scene == other.scene and one.structured == other.structured
        assert np.array_equal(one.pixels, other.pixels)


def test_everything_occurs():
    assert {scene.camera for scene in SCENES} == set(MOVEMENTS)
    assert {scene.style for scene in SCENES} == set(STYLES)
    assert {scene.light for scene in SCENES} == set(LIGHTS)
    assert {scene.background for scene in SCENES} == set(BACKGROUNDS)
    assert {len(scene.actors) for scene in SCENES} == {1, 2, 3}
    assert {scene.shot_type for scene in SCENES} == {"close-up", "medium shot", "wide shot"}
    assert {name for scene in SCENES for name in scene.relations} == {"left of", "right of", "behind", "in front of"}


def test_scenes_fit_together():
    for scene in SCENES:
        cast = [next(one for one in WORLD.subjects if one.name == actor.subject) for actor in scene.actors]
        background = BACKGROUNDS[scene.background]
        assert len({one.name for one in cast}) == len(cast) == len(scene.relations) + 1
        assert not any(set(one.tones) & set(background.tones) for one in cast)
        assert scene.light in lights_of(background)
        assert background.is_place or scene.camera in ("static", "zoom in", "zoom out", "handheld")
        for one in cast:
            assert (
                one.realm == "air" or not background.is_place or (one.realm == "water") == (scene.background == "sea")
            )


def test_relations_are_what_is_seen():
    for scene in SCENES:
        main = scene.actors[0]
        for other, relation in zip(scene.actors[1:], scene.relations, strict=True):
            if relation in ("left of", "right of"):
                assert (other.x > main.x) == (relation == "right of") and abs(other.z - main.z) < 0.15
            else:
                assert (other.z > 1.2 * main.z) == (relation == "behind") and (other.z < main.z) != (
                    relation == "behind"
                )


def test_shot_types_follow_the_subject_s_size_in_the_frame():
    sizes = {"close-up": 0.9, "medium shot": 0.5, "wide shot": 0.3}
    for name, size in sizes.items():
        scene = _scene(_actor(size=size))
        assert scene.shot_type == name
        assert abs(WORLD.truth(scene).sizes[0, 0] - size) < 0.01


@pytest.mark.parametrize(
    ("camera", "sign"), [("pan right", (-1, 0)), ("pan left", (1, 0)), ("pan up", (0, 1)), ("pan down", (0, -1))]
)
def test_a_pan_moves_near_things_past_far_ones(camera, sign):
    truth = WORLD.truth(_scene(*NEAR_AND_FAR, relations=("behind",), camera=camera))
    near, far = _travel(truth, 0) @ sign, _travel(truth, 1) @ sign
    assert near > 0.2 and 0 < far < 0.6 * near
    assert not truth.camera.yaw.any() and not truth.camera.pitch.any()


@pytest.mark.parametrize(
    ("camera", "sign"), [("tilt right", (-1, 0)), ("tilt left", (1, 0)), ("tilt up", (0, 1)), ("tilt down", (0, -1))]
)
def test_a_tilt_moves_near_and_far_alike(camera, sign):
    truth = WORLD.truth(_scene(*NEAR_AND_FAR, relations=("behind",), camera=camera))
    near, far = _travel(truth, 0) @ sign, _travel(truth, 1) @ sign
    assert near > 0.2 and abs(far - near) < 0.15 * near
    assert np.ptp(truth.camera.position, axis=0).max() == 0


@pytest.mark.parametrize(("camera", "sign"), [("around right", 1), ("around left", -1)])
def test_around_keeps_its_subject_while_near_and_far_pass_in_opposite_ways(camera, sign):
    cast = (_actor(z=1.0), _actor("star", z=2.0), _actor("egg", z=0.7, size=0.2))
    truth = WORLD.truth(_scene(*cast, relations=("behind", "in front of"), camera=camera))
    pivot, behind, before = (sign * _travel(truth, number)[0] for number in range(3))
    assert abs(pivot) < 0.02 and behind > 0.15 and before < -0.15


@pytest.mark.parametrize(("camera", "grows"), [("zoom in", True), ("zoom out", False)])
def test_a_zoom_enlarges_near_and_far_alike(camera, grows):
    sizes = WORLD.truth(_scene(*NEAR_AND_FAR, relations=("behind",), camera=camera)).sizes
    ratios = sizes[:, -1] / sizes[:, 0]
    assert abs(ratios[0] - ratios[1]) < 1e-6 and (ratios[0] > 1.4) == grows and (ratios[0] < 0.7) != grows


def test_a_static_camera_leaves_the_place_still_and_a_handheld_one_shakes_it():
    still, shaken = (WORLD.render(_scene(camera=camera))[:, :10].astype(float) for camera in ("static", "handheld"))
    assert np.array_equal(still[0], still[-1])
    assert np.abs(np.diff(shaken, axis=0)).mean(axis=(1, 2, 3)).min() > 0.2


def test_the_picture_follows_the_camera_s_path():
    """The painting looked up along the rays moves as the projection of its own points says."""
    for camera in MOVEMENTS:
        if camera in ("static", "handheld"):
            continue
        scene = _scene(_actor(size=0.05, z=3.0), camera=camera)
        film = WORLD.render(scene).astype(float)
        assert np.abs(film[-1] - film[0]).mean() > 3, camera


@pytest.mark.parametrize("motion", ["right", "left", "toward", "away", "hop"])
def test_a_subject_moves_where_its_motion_says(motion):
    truth = WORLD.truth(_scene(_actor(motion=motion)))
    x, y = _travel(truth)
    growth = truth.sizes[0, -1] / truth.sizes[0, 0]
    expected = {
        "right": x > 0.5, "left": x < -0.5, "toward": growth > 2, "away": growth < 0.5,
        "hop": np.ptp(truth.middles[0, :, 1]) > 0.1 and abs(y) < 0.01,
    }  # fmt: skip
    assert expected[motion]


@pytest.mark.parametrize(("motion", "sign"), [("up", -1), ("down", 1)])
def test_a_flyer_rises_and_sinks(motion, sign):
    truth = WORLD.truth(_scene(_actor("star", motion=motion)))
    assert sign * _travel(truth)[1] > 0.2


def test_the_nearer_subject_hides_the_farther():
    near, far = _actor(z=0.9, size=0.4), _actor("egg", x=0.1, z=1.8, size=0.9)
    truth = WORLD.truth(_scene(far, near, relations=("in front of",)))
    alone = WORLD.truth(_scene(far))
    assert truth.order == (0, 1) and not (truth.masks[0] & truth.masks[1]).any()
    assert truth.masks[0].sum() < 0.9 * alone.masks[0].sum()
    assert (truth.depth[truth.masks[1]] < 1).all() and (truth.depth[truth.masks[0]] > 1.7).all()


def test_masks_lie_on_the_subject():
    scene = _scene(_actor(motion="right"), background="blue", light="soft box")
    pixels, masks = WORLD.render(scene).astype(int), WORLD.truth(scene).masks[0]
    is_red = (pixels[..., 0] > 120) & (pixels[..., 2] < 110)
    assert (is_red & ~masks).sum() < 0.02 * masks.sum() and is_red[masks].mean() > 0.6


@pytest.mark.parametrize(("light", "side"), [("morning", 1), ("golden hour", -1)])
def test_shadows_fall_away_from_the_light(light, side):
    bare = WORLD.render(_scene(_actor(x=5.0), light=light))[0].astype(float).sum(axis=-1)
    shaded = WORLD.render(_scene(light=light))[0].astype(float).sum(axis=-1)
    mask = WORLD.truth(_scene()).masks[0, 0]
    dark = np.clip(bare - shaded, 0, None) * ~mask
    columns = (np.arange(SIZE_PX) + 0.5 - SIZE_PX / 2) * dark[SIZE_PX // 2 :].sum(axis=0)
    assert side * columns.sum() > 0


def test_a_contact_shadow_lies_under_the_feet():
    bare = WORLD.render(_scene(_actor(x=5.0), light="overcast"))[0].astype(float).sum(axis=-1)
    shaded = WORLD.render(_scene(light="overcast"))[0].astype(float).sum(axis=-1)
    feet = np.flatnonzero(WORLD.truth(_scene()).masks[0, 0].any(axis=1)).max()
    under, aside = (bare - shaded)[feet + 1, SIZE_PX // 2], (bare - shaded)[feet + 1, : SIZE_PX // 8]
    assert under > 15 and np.abs(aside).max() < 3


def test_any_two_styles_differ_and_stay_in_range():
    films = {name: WORLD.render(_scene(style=name), num_frames=1).astype(float) for name in STYLES}
    for name, film in films.items():
        for other, second in films.items():
            assert name == other or np.abs(film - second).mean() > 10, (name, other)


@pytest.mark.parametrize("style", STYLES)
def test_a_style_looks_alike_at_64_and_128_px(style):
    scene = _scene(style=style)
    small, large = (WORLD.render(scene, size_px=size, num_frames=1).astype(float) for size in (64, 128))
    halved = large.reshape(1, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    assert np.abs(small - halved).mean() < 22  # of 255: lines are at least a pixel wide, hatching three


@pytest.mark.parametrize("light", LIGHTS)
def test_every_light_is_seen(light):
    name = next(name for name, background in BACKGROUNDS.items() if light in lights_of(background))
    other = next(one for one in lights_of(BACKGROUNDS[name]) if one != light)
    one, second = (WORLD.render(_scene(background=name, light=choice), num_frames=1) for choice in (light, other))
    assert np.abs(one.astype(float) - second.astype(float)).mean() > 0.5


@pytest.mark.parametrize(("width_px", "height_px"), [(96, 48), (32, 56)])
def test_everyone_is_seen_in_wide_and_narrow_frames(width_px, height_px):
    for scene in SCENES[:20]:
        shares = WORLD.truth(scene, size_px=(width_px, height_px), num_frames=1).visible_shares
        assert (shares.max(axis=1) > 0.002).all(), scene


def test_training_never_shows_what_is_held_out():
    world = _world(held_out_fraction=0.1)
    trained, tested = ([world.scene(index, split=split) for index in range(60)] for split in ("train", "held_out"))
    known = {combination for scene in trained for combination in scene.combinations}
    pairs = {pair for scene in trained for pair in scene.pairs}
    assert all(set(scene.combinations) - known or set(scene.pairs) - pairs for scene in tested)
    assert not any(world.is_held_out(scene) for scene in trained) and all(map(world.is_held_out, tested))


def test_both_editions_hold_out_the_same_combinations():
    flat = SpritesWorld(SpritesConfig(), drawn_library())
    for scene in (flat.scene(index, split="held_out") for index in range(40)):
        actor = _actor(scene.subject, motion=scene.motion)
        assert WORLD.is_held_out(_scene(actor, background=scene.background, camera=scene.camera))


def test_a_picture_is_of_a_scene_at_rest():
    for index in range(10):
        scene = WORLD.still(index)
        assert scene.camera == "static" and {actor.motion for actor in scene.actors} == {"still"}
    clip = WORLD.image(0)
    assert clip.pixels.shape == (1, SIZE_PX, SIZE_PX, 3) and "camera" not in clip.caption.lower()


def test_a_narrowed_world_shows_only_what_is_asked_for():
    world = _world(max_subjects=1, styles=("neon",), cameras=("pan left", "tilt up"), lights=("noon", "key light"))
    for scene in (world.scene(index) for index in range(40)):
        assert (len(scene.actors), scene.style, scene.light) == (1, "neon", "noon")
        assert scene.camera in ("pan left", "tilt up")


@pytest.mark.parametrize(
    ("changes", "given"),
    [
        ({"styles": ("oil",)}, "styles: 'oil'"),
        ({"cameras": ("dolly",)}, "cameras: 'dolly'"),
        ({"lights": ("fog",)}, "lights: 'fog'"),
        ({"max_subjects": 4}, "max_subjects=4"),
        ({"edition": "flat", "styles": ("neon",)}, "edition='flat'"),
        ({"edition": "round"}, "edition='round'"),
        ({"cameras": ("pan up",), "lights": ("soft box",)}, "lights, cameras"),
    ],
)
def test_bad_settings_are_refused_in_one_line(changes, given):
    with pytest.raises(InvalidInput, match=given) as refusal:
        _world(**changes)
    assert "\n" not in str(refusal.value)
