"""Buckets: shapes that the networks take, the nearest aspect, no enlarging beyond the limit."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muybridge.core.errors import InvalidInput
from muybridge.data.buckets import Bucket, BucketsConfig, batch_sizes, sizes
from muybridge.data.probes import Refused
from muybridge.data.report import Reason
from muybridge.data.samples import Assignment, assign
from muybridge.media.probe import Facts

CONFIG = BucketsConfig(resolutions=((256, 256), (128, 128)), frames=(1, 17, 33))


def film(width: int = 640, height: int = 480, num_frames: int = 48, fps: float = 24.0) -> Facts:
    duration_s = (num_frames - 1) / fps
    return Facts(width_px=width, height_px=height, num_frames=num_frames, fps=fps, duration_s=duration_s, codec="h264")


def assigned(facts: Facts, **changes: object) -> Assignment:
    found = assign(facts, dataclasses.replace(CONFIG, **changes))
    assert isinstance(found, Assignment), found
    return found


def refused(facts: Facts, **changes: object) -> Reason:
    found = assign(facts, dataclasses.replace(CONFIG, **changes))
    assert isinstance(found, Refused), found
    return found.reason


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(2, 200), st.sampled_from([12.0, 23.976, 24.0, 60.0]))
def test_every_film_has_a_legal_bucket_or_a_reason(width: int, height: int, num_frames: int, fps: float) -> None:
    found = assign(film(width, height, num_frames, fps), CONFIG)
    if isinstance(found, Refused):
        assert found.detail
        return
    bucket = found.bucket
    assert bucket.width_px % 16 == bucket.height_px % 16 == 0 and bucket.num_frames % 4 == 1
    assert bucket.num_frames <= num_frames
    assert max(bucket.width_px / width, bucket.height_px / height) <= 1.002


def test_aspects_keep_the_area() -> None:
    for width, height in sizes(BucketsConfig())[0]:
        assert 0.8 < width * height / 256**2 < 1.2


def test_the_nearest_aspect_and_the_largest_fitting_resolution_win() -> None:
    square, wide = assigned(film(600, 600)).bucket, assigned(film(800, 400)).bucket
    assert (square.width_px, square.height_px) == (256, 256)
    assert (wide.width_px, wide.height_px) == (368, 176)
    assert assigned(film(200, 200)).bucket.width_px == 128
    assert refused(film(100, 100)) == Reason.TOO_SMALL
    assert assigned(film(100, 100), max_upscale=1.5).bucket.width_px == 128
    assert assigned(film(20, 20), max_upscale=None).bucket.width_px == 256


def test_a_film_goes_to_the_longest_bucket_it_fills() -> None:
    assert [assigned(film(num_frames=n)).bucket.num_frames for n in (17, 32, 33, 99)] == [17, 17, 33, 33]
    assert refused(film(num_frames=16)) == Reason.TOO_SHORT


def test_the_rate_is_the_asked_one_or_the_film_s_own() -> None:
    assert assigned(film(num_frames=120, fps=60.0), fps=24.0).rate == 24.0
    slow = assigned(film(num_frames=40, fps=12.0), fps=24.0)
    assert slow.rate == 12.0 and any(note.startswith("slower") for note in slow.notes)
    halved = assigned(film(num_frames=48), frame_interval=2)
    assert halved.rate == 12.0 and halved.bucket.num_frames == 17


@pytest.mark.parametrize(
    ("extraction", "firsts"),
    [("head", [0]), ("middle", [24]), ("chunk", [0, 17, 34]), ("slide", [0, 20, 40]), ("uniform", [0, 24, 48])],
)
def test_extraction_takes_the_stretches_that_it_says(extraction: str, firsts: list[int]) -> None:
    found = assigned(film(num_frames=65), frames=(17,), extraction=extraction, slide_frames=20, num_uniform=3)
    assert [round(start * 24) for start in found.starts_s] == firsts


def test_full_takes_all_that_is_4n_plus_1() -> None:
    assert [assigned(film(num_frames=n), extraction="full").bucket.num_frames for n in (31, 34, 99)] == [29, 33, 33]
    assert refused(film(num_frames=4), extraction="full") == Reason.TOO_SHORT


def test_the_token_budget_gives_every_bucket_its_batch() -> None:
    buckets = [Bucket(num_frames=1, width_px=64, height_px=64), Bucket(num_frames=17, width_px=64, height_px=64)]
    assert [bucket.num_tokens for bucket in buckets] == [16, 80]
    assert batch_sizes(buckets, [100, 100], budget_tokens=320) == [20, 4]
    assert batch_sizes(buckets, [7, 100], budget_tokens=320, multiple=3) == [6, 3]
    assert batch_sizes(buckets, [1, 1], budget_tokens=1, multiple=2) == [2, 2]


@pytest.mark.parametrize(
    "bad",
    [{"resolutions": ((250, 256),)}, {"frames": (16,)}, {"frames": ()}, {"max_upscale": 0.5}, {"max_crop": 1.0},
     {"fps": 0.0}, {"frame_interval": 0}, {"min_aspect": 3.0}],
)  # fmt: skip
def test_impossible_settings_are_refused(bad: dict) -> None:
    with pytest.raises(InvalidInput):
        BucketsConfig(**bad)
