"""Each kind of join is found where it is, and what only looks like one is not."""

import numpy as np
import pytest

from muybridge.curation.shots.changes import window
from muybridge.curation.shots.joins import Join, JoinSearch, thumbnail
from muybridge.curation.shots.ours import find_joins
from muybridge.media.frames import Frames
from tests.curation.shots.small_films import HEIGHT_PX, WIDTH_PX, mixed, scene

NEAR = 2  # frames by which a join may be off


def found(frames: Frames) -> list[Join]:
    return find_joins(np.stack([thumbnail(frame) for frame in frames]))


def ramp(num_frames: int) -> np.ndarray:
    return (np.arange(num_frames) + 1) / (num_frames + 1)


def wipe_shares(num_frames: int) -> np.ndarray:
    x = (np.arange(WIDTH_PX) + 0.5) / WIDTH_PX
    return np.broadcast_to(x < ramp(num_frames)[:, None, None], (num_frames, HEIGHT_PX, WIDTH_PX)).astype(float)


def test_a_cut_is_found_at_its_frame() -> None:
    assert found(np.concatenate([scene(1), scene(2)])) == [Join(first=40, end=40, kind="cut")]


@pytest.mark.parametrize(
    ("kind", "shares"), [("dissolve", ramp(12)), ("wipe", wipe_shares(12))], ids=["dissolve", "wipe"]
)
def test_a_gradual_join_is_found_with_its_frames(kind: str, shares: np.ndarray) -> None:
    first, second = scene(1, 52), scene(2, 52)
    between = mixed(first[40:], second[:12], shares)
    (join,) = found(np.concatenate([first[:40], between, second[12:]]))
    assert (join.kind, abs(join.first - 40) <= NEAR, abs(join.end - 52) <= NEAR) == (kind, True, True)


@pytest.mark.parametrize("level", [0, 255])
def test_a_fade_is_found_with_its_frames(level: int) -> None:
    first, second, plain = scene(1, 50), scene(2, 50), np.full_like(scene(1, 10), level)
    out, into = mixed(first[40:], plain, ramp(10)), mixed(plain, second[:10], ramp(10))
    (join,) = found(np.concatenate([first[:40], out, plain[:3], into, second[10:]]))
    assert (join.kind, abs(join.first - 40) <= NEAR, abs(join.end - 63) <= NEAR) == ("fade", True, True)


def test_a_flash_is_no_join() -> None:
    frames = scene(1, 80)
    frames[40:43] = mixed(frames[40:43], np.full_like(frames[40:43], 255), np.array([0.9, 0.6, 0.3]))
    assert found(frames) == []


def panned(shares: np.ndarray) -> Frames:
    """A camera that turns along a wall three pictures wide, from 0 at its left end to 1 at its right."""
    wall = np.concatenate([scene(1, 1)[0], scene(2, 1)[0], scene(3, 1)[0]], axis=1)
    lefts = (np.pad(shares, 30, mode="edge") * 2 * WIDTH_PX).astype(int)
    return np.stack([wall[:, left : left + WIDTH_PX] for left in lefts])


def test_a_fast_pan_is_no_join() -> None:
    assert found(panned(np.linspace(0, 1, 12))) == []


def test_pictures_that_are_held_for_two_frames_hide_no_motion() -> None:
    """Film of 12 pictures/s as 24 frames/s: every other frame is as the one before, whatever moves."""
    assert found(panned(ramp(7) ** 4).repeat(2, axis=0)) == []
    cut = np.concatenate([scene(1, 20), scene(2, 20)]).repeat(2, axis=0)
    assert found(cut) == [Join(first=40, end=40, kind="cut")]


def test_something_large_that_passes_is_no_join() -> None:
    frames, thing = scene(1, 80).copy(), scene(2, 1)[0, :, :60]
    for step, left in enumerate(range(-50, WIDTH_PX, 15)):
        a, b = max(left, 0), min(left + 60, WIDTH_PX)
        frames[35 + step, :, a:b] = thing[:, a - left : b - left]
    assert found(frames) == []


def test_something_that_comes_close_is_no_join() -> None:
    """It grows over the whole picture, and every pixel changes once, but not as an edge would pass."""
    frames, thing = scene(1, 80, speed=0).copy(), np.full((HEIGHT_PX, WIDTH_PX, 3), (230, 220, 200), np.uint8)
    y, x = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    for step in range(45):
        reach = 3 * 1.18 ** min(step, 25)
        near = ((x - 60) / 1.4) ** 2 + ((y - 40) / 0.8) ** 2 < reach**2
        frames[35 + step][near] = thing[near]
    assert found(frames) == []


def test_a_mixture_shows_nothing_that_neither_end_does() -> None:
    first, second, third = (scene(seed, 1) for seed in (1, 2, 3))
    frames = np.concatenate([first, mixed(first, second, np.array([0.4])), third, second])
    seen = window(np.stack([thumbnail(frame) for frame in frames]))
    assert seen.outside_both(1, 0, 3) < 0.1 < 2 < seen.outside_both(2, 0, 3)


def test_joins_do_not_depend_on_where_windows_begin_and_are_found_once() -> None:
    """Cuts all over a film longer than a window, found by the search as in each pair of shots alone."""
    lengths = [37, 61, 45, 52, 70, 33, 58, 49]
    frames = np.concatenate([scene(seed, length) for seed, length in enumerate(lengths)])
    search = JoinSearch(find_joins)
    joins = [join for frame in frames for join in search.add(frame)] + search.finish()
    assert [join.first for join in joins] == np.cumsum(lengths)[:-1].tolist()


def test_black_at_the_start_belongs_to_no_shot() -> None:
    plain = np.zeros_like(scene(1, 10))
    (join,) = found(np.concatenate([plain, scene(1, 40)]))
    assert (join.first, join.end) == (0, 10)
