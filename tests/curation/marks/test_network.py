import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.curation.marks.detect import EVEN, levelled, marks_of
from muybridge.curation.marks.network import KINDS, STRIDES, Found, MarkConfig, MarkDetector, places
from muybridge.curation.marks.stage import SHIPPED
from muybridge.curation.marks.summary import NUM_PLANES
from muybridge.weights.small import load_small, save_small

SMALL = MarkConfig(channels=(4, 8, 16, 16, 16), head_channels=16, side_px=64)
INT8_ERROR = 0.05  # of the largest logit: rows of weights are kept to 1/127 of their largest


def network(config=SMALL):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MarkDetector(config).eval().requires_grad_(False)


def logits(box, *, kind="logo", objectness=4.0, certainty=4.0):
    kinds = torch.full((len(KINDS),), -6.0)
    kinds[KINDS.index(kind)] = certainty
    return torch.tensor(box), torch.tensor(objectness), kinds


def found(*rows):
    boxes, objectness, kinds = (torch.stack(parts)[None] for parts in zip(*rows, strict=True))
    return Found(boxes=boxes, objectness=objectness, kinds=kinds)


def test_there_is_one_answer_for_each_place():
    answers = network()(torch.zeros(2, NUM_PLANES, 64, 96))
    middles, strides = places(64, 96)
    assert len(middles) == len(strides) == sum(64 * 96 // stride**2 for stride in STRIDES)
    assert answers.boxes.shape == (2, len(middles), 4) and answers.kinds.shape == (2, len(middles), len(KINDS))


def test_first_boxes_stand_about_their_places():
    answers = network()(torch.zeros(1, NUM_PLANES, 64, 96))
    middles, strides = places(64, 96)
    centres = (answers.boxes[0, :, :2] + answers.boxes[0, :, 2:]) / 2
    assert float(((centres - middles).abs() / strides[:, None]).max()) < 1.5


def test_boxes_come_back_in_pixels_of_the_frames():
    given = (12.0, 8.0, 44.0, 24.0)
    one = marks_of(found(logits(given)), min_score=0.5, scale=(0.5, 0.25), size=(200, 200))[0]
    assert [mark.box for mark in one] == [(24.0, 32.0, 88.0, 96.0)]
    assert one[0].kind == "logo"
    assert one[0].score == pytest.approx(levelled(float(torch.tensor(4.0).sigmoid() ** 2), "logo"))


@pytest.mark.parametrize("kind", KINDS)
def test_levelled_scores_keep_their_order_and_share_one_middle(kind):
    assert levelled(EVEN[kind], kind) == pytest.approx(0.5)
    assert 0 == levelled(0.0, kind) < levelled(0.3, kind) < levelled(0.9, kind) < levelled(1.0, kind) == 1


def test_boxes_end_where_the_frame_ends():
    given = (-20.0, -5.0, 500.0, 12.0)
    assert marks_of(found(logits(given, kind="border")), min_score=0.5, size=(64, 48))[0][0].box == (0, 0, 64, 12)


def test_the_surest_of_boxes_on_one_thing_is_kept_whatever_its_kind():
    rows = logits((0.0, 0, 10, 10)), logits((1.0, 0, 10, 10), kind="watermark", objectness=5.0)
    assert [mark.kind for mark in marks_of(found(*rows), min_score=0.5)[0]] == ["watermark"]


def test_saved_and_loaded_networks_agree_to_their_rounding(tmp_path):
    path, planes = tmp_path / "marks.safetensors", torch.rand(1, NUM_PLANES, 64, 64)
    first = network()
    save_small(first, path, config=SMALL)
    second = load_small(path, MarkConfig, MarkDetector)
    for before, after in zip(first(planes), second(planes), strict=True):
        assert float((before - after).abs().max()) <= INT8_ERROR * float(before.abs().max())


def test_the_shipped_file_is_small_and_says_how_good_it_is():
    assert SHIPPED.stat().st_size <= 380 * 2**10
    assert load_small(SHIPPED, MarkConfig, MarkDetector).config.side_px % STRIDES[-1] == 0


@pytest.mark.parametrize("wrong", [{"channels": (8, 8)}, {"head_channels": 0}, {"side_px": 100}])
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(InvalidInput):
        MarkConfig(**wrong)
