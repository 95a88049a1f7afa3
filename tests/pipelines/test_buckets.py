"""The released sizes of films that begin with a picture."""

import pytest

from muybridge.pipelines.sizes import RELEASED_BUCKETS, Size, bucket_size, bucket_sizes

VECTORS = [  # worked out by the released rule, written apart from this package
    ((1280, 720), "720p", (1248, 704)), ((1920, 1080), "720p", (1248, 704)), ((720, 1280), "720p", (704, 1248)),
    ((1000, 1000), "720p", (960, 960)), ((640, 480), "720p", (1088, 832)), ((3000, 500), "720p", (1920, 480)),
    ((1024, 1536), "720p", (768, 1152)), ((1280, 720), "540p", (928, 544)), ((1000, 1000), "540p", (704, 704)),
    ((640, 480), "540p", (800, 608)), ((1280, 720), "360p", (608, 352)), ((1024, 1536), "360p", (384, 576)),
    ((640, 480), "360p", (544, 416)), ((3000, 500), "360p", (896, 224)),
]  # fmt: skip


@pytest.mark.parametrize(("given", "preset", "expected"), VECTORS)
def test_a_picture_has_the_released_size(given: Size, preset: str, expected: Size):
    assert bucket_size(given, RELEASED_BUCKETS[preset]) == expected


@pytest.mark.parametrize(("base_px", "number"), [(960, 91), (720, 67), (480, 43)])
def test_buckets_are_the_largest_of_their_kind_within_four_to_one(base_px: int, number: int):
    sizes = bucket_sizes(base_px)
    assert len(set(sizes)) == len(sizes) == number
    most = round((base_px / 32) ** 2)
    for width, height in sizes:
        across, down = width // 32, height // 32
        assert (width, height) == (across * 32, down * 32) and max(across, down) <= 4 * min(across, down)
        assert across * down <= most < (across + 1) * (down + 1)


@pytest.mark.parametrize("given", [(1, 1), (1, 20_000), (20_000, 1), (999, 1000), (1000, 999)])
def test_covering_a_bucket_only_crops_a_picture_within_four_to_one(given: Size):
    width, height = bucket_size(given, 960)
    aspect, bucket = given[1] / given[0], height / width
    assert bucket <= aspect + 1e-5 if aspect >= 1 else bucket >= aspect
