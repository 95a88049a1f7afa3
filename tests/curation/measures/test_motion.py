"""Motion: what moves is told from what does not, and cuts, flashes, fades and noise are no motion."""

import numpy as np
import pytest

from muybridge.core.errors import InvalidInput
from muybridge.curation.measures.flow import flow_grid
from muybridge.curation.measures.motion import STILL_SPEED, Motion
from muybridge.curation.opencv import opencv
from muybridge.media.frames import Frames
from tests.curation.measures.films import at_rest, clip_of, crossed, panned

SIZE = (96, 144)


def noisy(film: Frames) -> Frames:
    return np.clip(film + np.random.default_rng(0).normal(0, 4, film.shape), 0, 255).astype(np.uint8)


def faded(film: Frames) -> Frames:
    return (film * np.linspace(0.3, 1, len(film))[:, None, None, None]).astype(np.uint8)


def flashed(film: Frames) -> Frames:
    bright = film.copy()
    bright[5:7] = np.minimum(bright[5:7].astype(int) + 120, 255)
    return bright


def cut(film: Frames) -> Frames:
    return np.concatenate([film[:6], at_rest(*SIZE, num_frames=6, seed=7)])


@pytest.mark.parametrize(
    ("film", "kind"),
    [
        (at_rest(*SIZE), "still"),
        (panned(*SIZE), "camera"),
        (crossed(at_rest(*SIZE), step=4, side=24), "subject"),
        (crossed(panned(*SIZE), step=5, side=24), "both"),
        (panned(*SIZE, step=14), "fast"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_kind_of_motion_is_told(film: Frames, kind: str):
    assert Motion().measure(clip_of(film))["motion_kind"] == kind


@pytest.mark.parametrize("change", [noisy, faded, flashed, cut])
def test_what_changes_without_moving_is_still(change):
    found = Motion().measure(clip_of(change(at_rest(*SIZE))))
    assert found["motion_kind"] == "still" and found["motion"] < 2 * STILL_SPEED


def test_speed_is_in_short_sides_a_second():
    found = Motion().measure(clip_of(panned(*SIZE, step=2), fps=12.0))
    assert found["camera_motion"] == pytest.approx(2 * 12 / 96, rel=0.15)
    slower = Motion().measure(clip_of(panned(*SIZE, step=1, num_frames=24), fps=24.0))
    assert slower["camera_motion"] == pytest.approx(24 / 96, rel=0.15)


def test_still_share_counts_the_pairs_that_do_not_move():
    film = np.concatenate([panned(*SIZE, num_frames=12), np.repeat(panned(*SIZE)[-1:], 12, 0)])
    still_share = Motion().measure(clip_of(film))["still_share"]
    assert isinstance(still_share, float) and still_share == pytest.approx(0.5, abs=0.13)


def test_a_picture_has_no_motion():
    assert set(Motion().measure(clip_of(at_rest(*SIZE, num_frames=1))).values()) == {None}


def test_only_the_talking_part_of_a_still_photograph_is_a_subject():
    film, turned = at_rest(*SIZE, num_frames=24), at_rest(*SIZE, seed=3)[0]
    for number, frame in enumerate(film):
        left = 36 + round(4 * np.sin(number / 2))
        frame[16:48, left : left + 24] = turned[16:48, 36:60]
    found = Motion().measure(clip_of(film))
    assert found["motion_kind"] == "subject" and found["camera_motion"] < 0.02


def test_the_grid_is_the_same_with_any_number_of_threads():
    cv2, film = opencv(), panned(128, 192)
    before = cv2.getNumThreads()
    grids = []
    for threads in (1, 2, 4):
        cv2.setNumThreads(threads)
        grids.append(flow_grid(film, num_pairs=3, grid=8).tobytes())
    cv2.setNumThreads(before)
    assert len(set(grids)) == 1


def test_the_grid_points_where_things_go():
    grid = flow_grid(panned(*SIZE, step=2), num_pairs=4, grid=6)
    assert grid.shape == (4, 6, 6, 2) and grid.dtype == np.float32
    assert np.median(grid[..., 0]) == pytest.approx(-2 / 96, rel=0.1)
    assert abs(np.median(grid[..., 1])) < 0.005


def test_flow_of_a_picture_is_refused():
    with pytest.raises(InvalidInput, match="at least two frames"):
        flow_grid(at_rest(*SIZE, num_frames=1), num_pairs=4, grid=6)


def test_frames_too_small_to_be_followed_have_no_motion():
    tiny = at_rest(11, 40)
    assert set(Motion().process(clip_of(tiny)).values.values()) == {None}
    with pytest.raises(InvalidInput, match="frames of 40x11"):
        flow_grid(tiny, num_pairs=4, grid=6)
