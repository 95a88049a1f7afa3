"""Patterns over cells: what they leave out, and that all three ways to compute them agree."""

import pytest
import torch
from torch import Tensor

from muybridge.core.errors import InvalidInput
from muybridge.ops.attention import attend, attention_named
from muybridge.ops.attention.flex import FlexPlan, flex_attend
from muybridge.ops.attention.patterns import Radial, SlidingTile, parse_pattern
from muybridge.ops.attention.reference import reference_attention
from muybridge.ops.attention.sparse import SparseAttention

GRID, NUM_TEXT = (5, 6, 7), 9  # no tile below divides it
NUM_VISUAL = 5 * 6 * 7
PATTERNS = [
    SlidingTile(window=(1, 1, 1), tile=(2, 2, 2)),
    SlidingTile(window=(3, 1, 3), tile=(1, 2, 2)),
    SlidingTile(window=(2, 2, 2), tile=(2, 2, 3), sees_first_frame=True),
    Radial(reach=1.0, tile=(2, 2)),
    Radial(reach=0.1, tile=(2, 2)),
]


def qkv(*, b: int = 1, dtype: torch.dtype = torch.float64, num_text: int = NUM_TEXT) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, b, 2, NUM_VISUAL + num_text, 16, generator=generator, dtype=torch.float64)
    return [x.to(dtype) for x in (2 * q, k, v)]


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_cell_by_cell_is_the_masked_reference(pattern):
    q, k, v = qkv()
    exact = reference_attention(q, k, v, pairs=pattern.cells(GRID).pairs(NUM_TEXT))
    torch.testing.assert_close(SparseAttention(pattern)(q, k, v, grid=GRID), exact)


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_blocks_of_flex_attention_are_the_masked_reference(pattern):
    q, k, v = qkv(dtype=torch.float32)
    cells = pattern.cells(GRID)
    plan = FlexPlan.of(cells, NUM_VISUAL + NUM_TEXT, device=q.device)
    exact = reference_attention(q, k, v, pairs=cells.pairs(NUM_TEXT))
    torch.testing.assert_close(flex_attend(q, k, v, plan=plan), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_a_batch_of_lengths_is_its_samples(pattern):
    q, k, v = qkv(b=2)
    lengths, attention = [NUM_VISUAL + 4, NUM_VISUAL + NUM_TEXT], SparseAttention(pattern)
    out = attention(q, k, v, lengths=lengths, grid=GRID)
    for i, length in enumerate(lengths):
        alone = attention(*(x[i : i + 1, :, :length] for x in (q, k, v)), grid=GRID)
        assert torch.equal(out[i : i + 1, :, :length], alone) and not out[i, :, length:].any()


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_density_counts_the_pairs_of_the_mask(pattern):
    cells = pattern.cells(GRID)
    assert cells.num_pairs(NUM_TEXT) == int(cells.pairs(NUM_TEXT).sum())
    assert cells.density(NUM_TEXT) == pytest.approx(float(cells.pairs(NUM_TEXT).double().mean()))


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_every_token_sees_itself_and_the_text(pattern):
    pairs = pattern.cells(GRID).pairs(NUM_TEXT)
    assert pairs.diagonal().all() and pairs[:, NUM_VISUAL:].all() and pairs[NUM_VISUAL:].all()


def test_gradients_are_those_of_the_masked_reference():
    pattern = PATTERNS[0]
    ours, theirs = ([x.requires_grad_() for x in qkv()] for _ in range(2))
    SparseAttention(pattern)(*ours, grid=GRID).square().sum().backward()
    reference_attention(*theirs, pairs=pattern.cells(GRID).pairs(NUM_TEXT)).square().sum().backward()
    for own, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own.grad, their.grad)


def test_a_plan_made_while_drawing_serves_training():
    attention, (q, k, v) = SparseAttention(PATTERNS[0]), qkv()
    with torch.inference_mode():
        attention(q, k, v, grid=GRID)
    attention(q.requires_grad_(), k, v, grid=GRID).sum().backward()
    assert q.grad is not None and q.grad.any()


def test_a_window_as_large_as_the_grid_is_full_attention():
    q, k, v = qkv(dtype=torch.bfloat16)
    assert torch.equal(SparseAttention(SlidingTile())(q, k, v, grid=GRID), attend(q, k, v))


def test_a_window_keeps_its_size_at_the_borders():
    allowed = SlidingTile(window=(3, 3, 3), tile=(1, 1, 1)).cells((5, 6, 7)).allowed
    assert set(allowed.sum(1).tolist()) == {27}


def test_the_first_frame_sees_and_is_seen_by_all():
    pairs = SlidingTile(window=(1, 1, 1), tile=(2, 2, 2), sees_first_frame=True).cells(GRID).pairs(0)
    assert pairs[: 6 * 7].all() and pairs[:, : 6 * 7].all() and not pairs.all()


def test_radial_attention_sees_less_of_frames_that_are_further_apart():
    pattern = Radial(tile=(1, 1))
    shares = pattern.cells((17, 8, 8)).pairs(0).view(17, 64, 17, 64).double().mean((1, 3))
    last = shares[16].flip(0)[:-1]  # by distance, without the first frame, which all see
    assert last[0] == last[1] == 1 and last[2:].max() < 0.5 and last[8:].max() < 0.15
    assert (last[[1, 2, 8]].diff() < 0).all() and (last.diff() <= 0).all()


def test_radial_attention_costs_less_than_the_square_of_the_length():
    density = [Radial().cells((frames, 24, 24)).density(0) for frames in (8, 16, 32)]
    assert density[1] < 0.75 * density[0] and density[2] < 0.75 * density[1]


def test_patterns_are_read_from_their_names():
    assert parse_pattern("sliding-tile:3x1x3,tile=2x4x4,first-frame") == SlidingTile(
        window=(3, 1, 3), tile=(2, 4, 4), sees_first_frame=True
    )
    assert parse_pattern("sliding-tile") == SlidingTile() and parse_pattern("radial") == Radial()
    assert parse_pattern("radial:0.5,tile=4x4") == Radial(reach=0.5, tile=(4, 4))
    assert parse_pattern("flash") is None


@pytest.mark.parametrize(
    "name",
    ["sliding-tile:3", "sliding-tile:0x1x1", "sliding-tile:axb", "radial:0", "radial:1,first-frame", "radial:,tile=2"],
)
def test_patterns_that_mean_nothing_are_refused_in_one_line(name):
    with pytest.raises(InvalidInput, match=";") as raised:
        attention_named(name)
    assert "\n" not in str(raised.value)
