"""Laws of the training of the small VideoCLIP, on clips of noise."""

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.core.seeding import generator, seeded
from muybridge.curation.similarity.videoclip import VideoClip, VideoClipConfig
from muybridge.training.curating.similarity import VideoClipStage, VideoClipTask
from muybridge.training.curating.wear import copied, lightly_worn
from muybridge.training.curating.world_clips import CaptionedClips, WorldClipsConfig

TINY = VideoClipConfig(
    size_px=32, num_frames=4, channels=(4, 8, 8, 8), dim=8, text_dim=6, text_width=8, text_heads=2, place_channels=1
)  # fmt: skip


def _clips(seed: int, count: int = 6) -> CaptionedClips:
    draw = generator(seed, "test")
    clips = torch.randint(0, 256, (count, 5, 32, 32, 3), generator=draw, dtype=torch.uint8)
    lengths = torch.arange(2 * count) % 4 + 2
    states = torch.randn(int(lengths.sum()), 6, generator=draw).half()
    return CaptionedClips(clips=clips, states=states, ends=lengths.cumsum(0), num_captions=2)


def _task() -> tuple[VideoClip, VideoClipTask]:
    with seeded(0):
        network = VideoClip(TINY)
    return network, VideoClipTask([_clips(0), _clips(1)], _clips(2), stage=VideoClipStage(network=TINY))


def test_loss_is_a_function_of_the_step_and_falls():
    network, task = _task()
    first = task.loss(network, 3, batch_size=4)[0]
    assert torch.equal(first, task.loss(network, 3, batch_size=4)[0])
    assert not torch.equal(first, task.loss(network, 4, batch_size=4)[0])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(8):
        optimizer.zero_grad()
        task.loss(network, 3, batch_size=4)[0].backward()
        optimizer.step()
    assert task.loss(network, 3, batch_size=4)[0] < first


def test_captions_are_of_their_clips():
    clips = _clips(0)
    rebuilt = torch.cat([clips.caption(clip, wording) for clip in range(6) for wording in range(2)])
    assert torch.equal(rebuilt, clips.states.float())


def test_padding_changes_no_caption():
    network, _ = _task()
    states = torch.randn(1, 5, 6)
    longer = torch.cat([states, torch.full((1, 3, 6), 7.0)], 1)
    mask = torch.arange(8)[None] < 5
    alone = network.text(states, torch.ones(1, 5, dtype=torch.bool))
    torch.testing.assert_close(network.text(longer, mask), alone)


def test_retrieval_is_a_share_and_leaves_the_network_as_it_was():
    network, task = _task()
    network.train()
    rates = task.validate(network)
    assert set(rates) == {f"{name}_r{rank}" for name in ("text_to_clip", "clip_to_text", "copy") for rank in (1, 5)}
    assert all(0 <= value <= 1 for value in rates.values())
    assert network.training


def test_wear_is_repeatable_and_copies_are_worn_more():
    clips = _clips(0).clips
    light, copies = (
        [wear(clips, num_frames=4, draw=generator(0, "wear")) for _ in range(2)] for wear in (lightly_worn, copied)
    )
    assert torch.equal(light[0], light[1]) and torch.equal(copies[0], copies[1])
    assert light[0].shape == copies[0].shape == (6, 3, 4, 32, 32)


def test_a_set_without_clips_is_refused():
    with pytest.raises(InvalidInput, match="num_parts=0"):
        WorldClipsConfig(num_parts=0)
