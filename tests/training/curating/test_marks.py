import numpy as np
import pytest
import torch

from muybridge.core.errors import MediaError
from muybridge.core.seeding import seeded
from muybridge.curation.marks.network import KINDS, Found, MarkConfig, MarkDetector, places
from muybridge.curation.marks.summary import NUM_COLOURS, NUM_PLANES
from muybridge.training.curating.mark_assignment import NO_MARK, Wanted, assign, mark_loss
from muybridge.training.curating.mark_drawing import Overlay, laid_over
from muybridge.training.curating.mark_looks import HELD_OUT_PATTERNS, HELD_OUT_WORDS, PATTERNS, WORDS, looks
from muybridge.training.curating.mark_samples import MarkSamples, as_bytes, marked
from muybridge.training.curating.mark_shapes import HELD_OUT_OUTLINES, OUTLINES
from muybridge.training.curating.marks import MarkTask, varied
from muybridge.training.curating.panoramas import read_panorama, view

HEIGHT, WIDTH = 64, 96
SMALL = MarkConfig(channels=(8, 12, 24, 24, 24), head_channels=24, side_px=96)
MIDDLES, STRIDES = places(HEIGHT, WIDTH)
BOXES = torch.tensor([[[8.0, 8, 40, 20], [60, 40, 90, 60], [0, 0, 0, 0]]])
WANTED = Wanted(BOXES, torch.tensor([[0, 1, NO_MARK]]))


def answers(boxes):
    """Logits that favour nothing, with these boxes."""
    return Found(boxes=boxes, objectness=torch.zeros(boxes.shape[:2]), kinds=torch.zeros(*boxes.shape[:2], len(KINDS)))


def unit_boxes():
    half = STRIDES[:, None] / 2
    return torch.cat([MIDDLES - half, MIDDLES + half], dim=1)[None]


def moving(num_frames=8, seed=0, size=(HEIGHT, WIDTH)):
    """Soft colours that slide."""
    rng = np.random.default_rng(seed)
    wide = np.kron(rng.integers(40, 200, (size[0] // 8, size[1] // 8 + 8, 3)), np.ones((8, 8, 1)))
    return np.stack([wide[:, 4 * number : 4 * number + size[1]] for number in range(num_frames)]).astype(np.float32)


def test_every_mark_is_answered_for_and_padding_is_not():
    marks = assign(answers(unit_boxes()), WANTED, middles=MIDDLES, strides=STRIDES).marks
    assert set(marks.unique().tolist()) == {NO_MARK, 0, 1}


def test_places_that_answer_for_a_mark_are_near_its_middle_or_in_its_box():
    marks = assign(answers(unit_boxes()), WANTED, middles=MIDDLES, strides=STRIDES).marks[0]
    for number, (left, top, right, bottom) in enumerate(BOXES[0, :2].tolist()):
        x, y = MIDDLES[marks == number].T
        near = 2.5 * STRIDES[marks == number]
        is_near = ((x - (left + right) / 2).abs() < near) & ((y - (top + bottom) / 2).abs() < near)
        assert (is_near | ((x > left) & (x < right) & (y > top) & (y < bottom))).all()


def test_better_boxes_bring_a_mark_more_places():
    good = unit_boxes().clone()
    good[0, (MIDDLES - torch.tensor([24.0, 14.0])).abs().amax(1) < 12] = BOXES[0, 0]
    few, many = (
        int((assign(answers(boxes), WANTED, middles=MIDDLES, strides=STRIDES).marks == 0).sum())
        for boxes in (unit_boxes(), good)
    )
    assert few < many <= 10


def test_a_place_wanted_by_two_marks_serves_the_cheaper():
    both = Wanted(torch.tensor([[[8.0, 8, 40, 24], [8, 8, 40, 40]]]), torch.tensor([[0, 0]]))
    boxes = both.boxes[:, :1].expand(1, len(MIDDLES), 4)
    marks = assign(answers(boxes), both, middles=MIDDLES, strides=STRIDES).marks
    assert (marks == 0).sum() > 1 and (marks == 1).sum() <= 1


def test_the_loss_of_pictures_without_marks_is_objectness_alone():
    none = Wanted(torch.zeros(1, 2, 4), torch.full((1, 2), NO_MARK))
    total, figures = mark_loss(answers(unit_boxes()), none, middles=MIDDLES, strides=STRIDES)
    assert figures["box"] == figures["kind"] == 0
    assert float(total) == pytest.approx(len(MIDDLES) * np.log(2), rel=1e-5)


def test_the_loss_falls_on_a_handful():
    samples = handful()
    task = MarkTask([samples], [samples], seed=0)
    with seeded(0):
        network = MarkDetector(SMALL)
    optimizer = torch.optim.AdamW(network.parameters(), 6e-3)
    losses = []
    for step in range(24):
        loss, _ = task.loss(network, step, batch_size=4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])
    assert {"map50", *(f"{kind}_ap50" for kind in KINDS)} <= task.validate(network).keys()


def test_the_loss_of_a_step_is_the_mean_over_its_micro_batches_rows():
    samples = handful()
    with seeded(0):
        network = MarkDetector(SMALL).eval()
    one = MarkTask([samples], [samples], seed=0, num_micro_batches=2)
    first, again = (one.loss(network, 3, batch_size=2, micro=1)[0] for _ in range(2))
    assert torch.equal(first, again)


def handful():
    """Four films with a bright bar somewhere, as samples."""
    planes, boxes = [], torch.zeros(4, 1, 4)
    for number in range(4):
        film = moving(seed=number)
        left, top = 8 + 12 * number, 8 + 8 * number
        film[:, top : top + 12, left : left + 30] = 255
        planes.append(as_bytes(film.astype(np.uint8)))
        boxes[number, 0] = torch.tensor([left, top, left + 30, top + 12])
    return MarkSamples(planes=torch.stack(planes), boxes=boxes, kinds=torch.zeros(4, 1, dtype=torch.long))


def test_mirrored_rows_keep_their_boxes_on_their_marks():
    planes = torch.zeros(16, NUM_PLANES, HEIGHT, WIDTH)
    planes[:, : NUM_COLOURS + 1, 10:20, 4:24] = 0.4
    boxes = torch.tensor([4.0, 10, 24, 20]).expand(16, 1, 4)
    changed, wanted = varied(
        planes, boxes, torch.zeros(16, 1, dtype=torch.long), inside=WIDTH - 8, draw=torch.Generator().manual_seed(0)
    )
    for row in range(16):
        columns = torch.nonzero(changed[row, 0].amax(0))[:, 0]
        assert (columns[0], columns[-1] + 1) == (wanted.boxes[row, 0, 0], wanted.boxes[row, 0, 2])
        is_mirrored = float(wanted.boxes[row, 0, 0]) != 4
        assert float(changed[row, NUM_COLOURS].sum()) * (-1 if is_mirrored else 1) > 0  # slopes across turn round
    assert len({float(left) for left in wanted.boxes[:, 0, 0]}) == 2


def test_a_mark_changes_the_film_inside_its_box_only():
    opacity = np.zeros((1, 10, 10), np.float32)
    opacity[0, 2:8, 3:9] = 0.5
    mark = Overlay(kind="logo", left=-4, top=20, colour=opacity[..., None] * np.full(3, 255.0), opacity=opacity)
    film = moving()
    before = film.copy()
    assert laid_over(film, mark, min_difference=10)
    left, top, right, bottom = mark.box((HEIGHT, WIDTH))
    assert (left, top, right, bottom) == (0, 22, 5, 28)
    changed = (film != before).any((0, 3))
    assert changed[top:bottom, left:right].all() and changed.sum() == (bottom - top) * (right - left)


def test_a_mark_too_faint_to_be_seen_is_not_laid_over_the_film():
    opacity = np.full((1, 10, 10), 0.02, np.float32)
    mark = Overlay(kind="logo", left=4, top=4, colour=opacity[..., None] * np.full(3, 255.0), opacity=opacity)
    film = moving()
    before = film.copy()
    assert not laid_over(film, mark, min_difference=10) and np.array_equal(film, before)


def test_smaller_samples_have_their_boxes_on_their_marks():
    planes, boxes, _ = handful().batch(range(4), scale=0.5)
    assert planes.shape[2:] == (32, 64)  # 48 columns, padded
    for bright, box in zip(planes[:, :NUM_COLOURS].mean(1), boxes[:, 0].int().tolist(), strict=True):
        assert float(bright[box[1] + 1 : box[3] - 1, box[0] + 1 : box[2] - 1].min()) > 0.45


def test_marks_that_learning_sees_and_judging_share_nothing():
    assert not set(WORDS) & set(HELD_OUT_WORDS)
    assert set(HELD_OUT_OUTLINES) < set(OUTLINES) and set(HELD_OUT_PATTERNS) < set(PATTERNS)


def test_equal_seeds_give_equal_films_and_every_kind_occurs(tmp_path):
    pytest.importorskip("matplotlib")
    drawn_with = looks("train", tmp_path)
    kinds = set()
    for seed in range(12):
        first, second = (
            marked(np.random.default_rng(seed), drawn_with, moving(4, size=(96, 128)), clean_share=0.1)
            for _ in range(2)
        )
        assert first.boxes == second.boxes and np.array_equal(first.frames, second.frames)
        assert all(0 <= box[0] < box[2] <= 128 and 0 <= box[1] < box[3] <= 96 for box in first.boxes)
        kinds |= set(first.kinds)
    assert kinds == set(KINDS)


def test_a_view_of_a_panorama_looks_where_it_is_told():
    panorama = np.full((64, 128, 3), 0.1, np.float32)
    panorama[:32] = 1.0
    panorama[28:36, 60:68] = (4.0, 0.0, 0.0)
    ahead = view(panorama, yaw_deg=0, pitch_deg=0, across_deg=60, size_px=33)
    assert ahead[16, 16, 0] > 200 > 100 > ahead[16, 16, 1]
    up = view(panorama, yaw_deg=0, pitch_deg=60, across_deg=40, size_px=33)
    assert up.std() < 2
    behind = view(panorama, yaw_deg=180, pitch_deg=0, across_deg=60, size_px=33)
    assert int(behind[2, 16, 1]) > int(behind[-3, 16, 1])


def test_a_file_that_is_no_panorama_is_refused(tmp_path):
    (tmp_path / "none.exr").write_bytes(b"no picture")
    with pytest.raises(MediaError, match="OpenEXR"):
        read_panorama(tmp_path / "none.exr")
