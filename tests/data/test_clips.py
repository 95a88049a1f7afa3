"""Pixel batches: pure functions of (seed, step), in range, pictures among the clips."""

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.data.clips import ClipsConfig, ClipStream, held_out_clips, to_pixels
from tests.data.small import SIZE_PX, small_world


def stream(seed: int = 0) -> ClipStream:
    config = ClipsConfig(size_px=16, num_frames=5, images_every=5, images_per_clip=4)
    return ClipStream(world=small_world(), config=config, seed=seed)


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    first = stream().batch(3, batch_size=2)
    later = stream()
    later.batch(0, batch_size=2)
    assert torch.equal(first, later.batch(3, batch_size=2))
    assert not torch.equal(first, stream().batch(2, batch_size=2))
    assert not torch.equal(first, stream(seed=1).batch(3, batch_size=2))


def test_every_fifth_batch_holds_pictures() -> None:
    shapes = [tuple(stream().batch(step, batch_size=2).shape) for step in range(5)]
    assert shapes[:4] == [(2, 3, 5, 16, 16)] * 4
    assert shapes[4] == (8, 3, 1, 16, 16)


def test_pixels_fill_minus_one_to_one() -> None:
    world = small_world()
    frames = world.render(world.scene(0), size_px=SIZE_PX, num_frames=5)
    pixels = to_pixels(frames)
    assert pixels.shape == (3, 5, SIZE_PX, SIZE_PX)
    assert torch.equal(((pixels + 1) * 127.5).round().byte(), torch.from_numpy(frames).permute(3, 0, 1, 2))


def test_held_out_clips_are_of_combinations_that_are_never_trained_on() -> None:
    world = small_world()
    assert held_out_clips(world, 3, size_px=16, num_frames=1).shape == (3, 3, 1, 16, 16)
    held_out = {world.scene(i, split="held_out").combination for i in range(40)}
    trained = {world.scene(i).combination for i in range(400)}
    assert not held_out & trained


@pytest.mark.parametrize(("field", "value"), [("size_px", 100), ("num_frames", 16)])
def test_shapes_that_the_vae_cannot_take_are_refused(field: str, value: int) -> None:
    with pytest.raises(InvalidInput, match=str(value)):
        ClipsConfig(**{field: value})
