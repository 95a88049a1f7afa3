"""The recipes of curation's networks run from an empty folder, tiny, and twenty steps repeat bit by bit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from muybridge.core.env import cache_folder
from muybridge.recipes import curating

ASSETS = (
    "fluent-emoji-anim", "panoramas", "public-photographs", "voice-joe", "smollm2-135m-instruct", "efficientnet-lite0",
)  # fmt: skip


def _clip() -> Any:
    stage = curating.curation_clip()
    return replace(stage, clips=replace(stage.clips, num_staged=3, num_flat=3, num_physics=2, num_parts=1))


def _marks() -> Any:
    stage = curating.curation_marks()
    return replace(stage, samples=replace(stage.samples, num_train=6, num_held_out=2, num_stills=4, num_films=4))


def _camera() -> Any:
    stage = curating.caption_camera()
    few = replace(stage.films, num_train=1, num_calibration=1, num_held_out=1, num_copies=1)
    return replace(stage, films=few)


def _sound() -> Any:
    return replace(curating.curation_sound(), num_sounds=6, num_held_out=2, num_sentences=2)


def _quality() -> Any:
    return replace(curating.curation_quality(), num_worlds=1, num_textures=1, num_ladders=4, num_held_out=1)


def _sight() -> Any:
    return replace(curating.caption_sight(), num_sprites=4, num_physics=2, num_held_out=1)


def _writer() -> Any:
    return replace(curating.caption_writer(), num_scenes=3, num_held_out=2)


@pytest.mark.slow
@pytest.mark.parametrize("make", [_clip, _marks, _camera, _sound, _quality, _sight, _writer])
def test_twenty_steps_from_an_empty_folder_are_the_same_twice(make: Callable[[], Any], tmp_path: Path):
    if missing := [name for name in ASSETS if not (cache_folder() / name).exists()]:
        pytest.skip(f"python -c \"from muybridge.weights.assets import ensure; ensure('{missing[0]}')\"")
    stage = make()
    run = replace(stage.run, num_steps=20, batch_size=4, checkpoint_every_steps=20, validate_every_steps=20)
    stage = replace(stage, run=replace(run, num_micro_batches=1, trackers=()))
    files = [stage.train(tmp_path / name) for name in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()
