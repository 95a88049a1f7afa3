"""Our own captioner with its shipped weights, on clips that it was not taught on."""

from dataclasses import asdict

import pytest

from muybridge.captioning.captioner import ClipView, spread
from muybridge.captioning.own.captioner import OwnCaptioner
from muybridge.captioning.schema import problems
from muybridge.captioning.scores import field_scores, mean_scores
from muybridge.core.env import cache_folder
from muybridge.worlds.physics import PhysicsConfig, PhysicsWorld
from muybridge.worlds.prose import structured_staged
from muybridge.worlds.sprites import SpritesWorld, complete_sprites
from muybridge.worlds.staging import StagedScene
from muybridge.worlds.structured import StructuredCaption

ASSETS = ("smollm2-135m-instruct", "efficientnet-lite0", "fluent-emoji-anim")
LEAST = 0.85  # mean F1 of four clips; benchmarks/captions.py scores 64


@pytest.mark.slow
def test_held_out_clips_of_both_worlds_are_described():
    if missing := [name for name in ASSETS if not (cache_folder() / name).exists()]:
        pytest.skip(f"python -c \"from muybridge.weights.assets import ensure; ensure('{missing[0]}')\"")
    clips = [*_physics(2), *_sprites(2)]
    results = OwnCaptioner(batch_size=4).caption([view for view, _ in clips])
    scores = []
    for result, (_, truth) in zip(results, clips, strict=True):
        assert result.caption and not problems(asdict(result.caption))
        scores.append(field_scores(result.caption, truth))
    assert mean_scores(scores)["mean"] > LEAST


def _physics(count: int) -> list[tuple[ClipView, list[StructuredCaption]]]:
    world = PhysicsWorld(PhysicsConfig())
    scenes = [world.scene(index, split="held_out") for index in range(2000, 2000 + count)]
    return [(_view(world, scene), [world.structured(scene)]) for scene in scenes]


def _sprites(count: int) -> list[tuple[ClipView, list[StructuredCaption]]]:
    world = SpritesWorld(complete_sprites(), cache_folder() / "fluent-emoji-anim")
    cast = {subject.name: subject for subject in world.subjects}
    found = []
    for index in range(2000, 2000 + count):
        scene = world.scene(index, split="held_out")
        assert isinstance(scene, StagedScene)
        found.append((_view(world, scene), [structured_staged(scene, cast, variant=number) for number in range(8)]))
    return found


def _view(world: SpritesWorld | PhysicsWorld, scene: object) -> ClipView:
    frames = world.render(scene, size_px=128, num_frames=17)  # pyright: ignore[reportArgumentType]
    return ClipView(id="a", frames=spread(frames), fps=world.fps, duration_s=17 / world.fps)
