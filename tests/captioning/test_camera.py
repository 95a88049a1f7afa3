"""The camera's movement follows from the flow alone, and from its symmetries."""

import numpy as np
import pytest
import torch

from muybridge.captioning.camera import Camera, camera_movement
from muybridge.captioning.camera_features import NUM_FEATURES, features
from muybridge.captioning.camera_flow import (
    BACKWARDS,
    GRID,
    IN_MIRROR,
    NUM_LONG,
    NUM_SHORT,
    CellFlow,
    FlowFilms,
    flow_film,
    views,
)
from muybridge.captioning.camera_network import CAMERA_FILE, CameraConfig, CameraNet, load_camera, probabilities
from muybridge.core.errors import InvalidInput
from muybridge.curation.clip import Clip, Origin
from muybridge.media.frames import Frames
from muybridge.weights.small import accuracy_of
from muybridge.worlds.movements import MOVEMENTS

cv2 = pytest.importorskip("cv2")
NUM_FRAMES, SIDE_PX, FPS = 13, 96, 12.0
MAX_FILE_BYTES = 120 * 1024
ROUNDING = 1e-4  # float32 sums in another order


def ground(size_px: int = 320) -> np.ndarray:
    """Soft noise of several widths: something to follow everywhere."""
    rng = np.random.default_rng(0)
    layers = [cv2.resize(rng.normal(0, 1, (side, side, 3)), (size_px, size_px)) for side in (10, 30, 90)]
    return np.clip(128 + 45 * sum(layers), 0, 255).astype(np.uint8)


def seen(zoom: np.ndarray, across: np.ndarray | None = None) -> Frames:
    """The ground under a camera of these zooms and shifts in pixels, frame by frame."""
    picture, half = ground(), SIDE_PX / 2
    shifts = np.zeros(len(zoom)) if across is None else across
    frames, flags = [], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for scale, shift in zip(zoom, shifts, strict=True):
        matrix = np.array([[1 / scale, 0, 160 + shift - half / scale], [0, 1 / scale, 160 - half / scale]])
        frames.append(cv2.warpAffine(picture, matrix, (SIDE_PX, SIDE_PX), flags=flags))
    return np.stack(frames)


def slide() -> Frames:
    """A camera that slides to the right over a ground: below faster than above, as on a floor."""
    near, far = (seen(np.ones(NUM_FRAMES), np.arange(NUM_FRAMES) * pace) for pace in (3.5, 1.2))
    weight = np.linspace(0, 1, SIDE_PX)[None, :, None, None] > 0.5
    return np.where(weight, near, far)


def drawn_flow(num_pairs: int) -> CellFlow:
    """Of two clips, at random."""
    texture, likeness, standing = torch.rand(3, 2, num_pairs, GRID, GRID)
    speeds = torch.randn(2, num_pairs, GRID, GRID, 2)
    return CellFlow(speeds=speeds, texture=12 * texture, likeness=likeness, standing=standing)


def clip_of(frames: Frames) -> Clip:
    height, width = frames.shape[1:3]
    origin = Origin(id="o", uri="u", width_px=width, height_px=height, fps=FPS)
    whole = (0, 0, width, height)
    return Clip(id="c", origin=origin, start_s=0, end_s=1, frames=frames, fps=FPS, crop=whole)


def test_exchanging_twice_gives_the_same_movement():
    for exchange in (IN_MIRROR, BACKWARDS):
        assert [exchange[number] for number in exchange] == list(range(len(MOVEMENTS)))
    names = dict(zip(MOVEMENTS, (MOVEMENTS[number] for number in IN_MIRROR), strict=True))
    assert names["pan left"] == "pan right" and names["tilt up"] == "tilt up" and names["zoom in"] == "zoom in"
    assert MOVEMENTS[BACKWARDS[MOVEMENTS.index("zoom in")]] == "zoom out"


def test_every_view_of_a_clip_says_the_same():
    torch.manual_seed(0)
    network = CameraNet(CameraConfig()).eval()
    film = FlowFilms(short=drawn_flow(NUM_SHORT), long=drawn_flow(NUM_LONG), extent=torch.ones(2, 2))
    whole = probabilities(network, film)
    for view, order in views(film):
        assert torch.allclose(probabilities(network, view)[:, list(order)], whole, atol=ROUNDING)
    assert torch.allclose(whole.sum(1), torch.ones(2), atol=ROUNDING)


def test_a_mirrored_film_has_mirrored_flow():
    frames = slide()
    film = flow_film(frames, FPS).mirrored()
    flipped = flow_film(np.ascontiguousarray(frames[:, :, ::-1]), FPS)
    assert float((film.short.speeds - flipped.short.speeds).abs().median()) < 0.02
    assert features(film).shape == (1, NUM_FEATURES) and bool(features(film).isfinite().all())


def test_speeds_do_not_depend_on_the_frame_rate():
    frames = seen(np.ones(25), np.arange(25) * 1.0)
    twice, once = flow_film(frames, 24.0), flow_film(frames[::2], 12.0)
    for one, other in ((twice.short, once.short), (twice.long, once.long)):
        assert torch.allclose(one.speeds.median(1).values, other.speeds.median(1).values, atol=0.03)


def test_what_does_not_move_looks_the_same_where_it_was():
    still, moved = seen(np.ones(NUM_FRAMES)), seen(np.ones(NUM_FRAMES), np.arange(NUM_FRAMES) * 2.0)
    passing = np.where(np.arange(SIDE_PX)[None, :, None, None] < SIDE_PX // 2, still, moved)
    standing = flow_film(passing, FPS).long.standing[0]
    assert float(standing[:, : GRID // 2 - 1].min()) > 0.99
    assert float(standing[:, GRID // 2 + 1 :].mean()) < 0.8


def test_movements_of_a_plain_ground_are_named():
    network = load_camera()
    still, nearer = seen(np.ones(NUM_FRAMES)), seen(np.geomspace(1, 1.6, NUM_FRAMES))
    assert camera_movement(network, still, fps=FPS)[0] == "static"
    assert camera_movement(network, nearer, fps=FPS)[0] == "zoom in"
    assert camera_movement(network, nearer[::-1], fps=FPS)[0] == "zoom out"


def test_a_mirrored_clip_gets_the_mirrored_movement():
    network, frames = load_camera(), slide()
    named, confidence = camera_movement(network, frames, fps=FPS)
    mirrored, other = camera_movement(network, np.ascontiguousarray(frames[:, :, ::-1]), fps=FPS)
    assert named == "pan right" and mirrored == "pan left"
    assert abs(confidence - other) < 0.2 and 0 <= confidence <= 1


def test_the_stage_writes_its_columns_and_says_nothing_of_pictures():
    stage = Camera()
    stage.setup()
    frames = slide()
    first, again = stage.process(clip_of(frames)), stage.process(clip_of(frames))
    assert first.values == again.values and first.values["camera"] in MOVEMENTS
    assert stage.process(clip_of(frames[:1])).values == {"camera": None, "camera_confidence": None}


def test_frames_without_anything_to_follow_are_named_without_confidence():
    network = load_camera()
    for frames in (np.zeros((2, 16, 40, 3), np.uint8), np.full((5, 20, 17, 3), 255, np.uint8)):
        named, confidence = camera_movement(network, frames, fps=30.0)
        assert named in MOVEMENTS and confidence < 0.1
    with pytest.raises(InvalidInput):
        camera_movement(network, np.zeros((1, 16, 16, 3), np.uint8), fps=30.0)


def test_the_shipped_file_is_small_and_says_how_good_it_is():
    assert CAMERA_FILE.stat().st_size <= MAX_FILE_BYTES
    figures = accuracy_of(CAMERA_FILE)
    assert 0.93 < figures["macro_f1"] <= 1 and figures["calibration_error"] < 0.05
