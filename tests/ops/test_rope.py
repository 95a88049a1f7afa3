"""Rotary positions: rotations that depend on offsets alone."""

import math

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.ops.rope import Riflex, RopeTables, rope_table, rotate

AXES = (4, 6, 6)
TOLERANCE = 1e-5  # float32 sums of 16 products


def heads(num_tokens: int) -> torch.Tensor:
    return torch.randn(1, 2, num_tokens, sum(AXES), generator=torch.Generator().manual_seed(0))


def test_attention_sees_offsets_only():
    """The score of a query and a key is the same wherever on the grid the pair is."""
    grid = (4, 5, 6)
    table = rope_table(grid, AXES, theta=256.0).unflatten(0, grid)
    q, k = heads(2).split(1, dim=2)

    def score(at_q: tuple[int, int, int], at_k: tuple[int, int, int]) -> torch.Tensor:
        return (rotate(q, table[at_q][None]) * rotate(k, table[at_k][None])).sum(-1)

    near, far = score((0, 1, 2), (1, 0, 3)), score((2, 4, 4), (3, 3, 5))
    torch.testing.assert_close(near, far, rtol=0, atol=TOLERANCE)
    assert (score((0, 1, 2), (1, 0, 4)) - near).abs().min() > 100 * TOLERANCE  # and another offset gives another score


def test_the_first_token_and_plain_tokens_do_not_turn():
    x = heads(7)
    turned = rotate(x, rope_table((1, 1, 5), AXES, theta=256.0, num_plain=2))
    assert torch.equal(turned[:, :, [0, 5, 6]], x[:, :, [0, 5, 6]]) and not torch.equal(turned[:, :, 1:5], x[:, :, 1:5])


def test_lengths_are_kept():
    x = heads(30)
    turned = rotate(x, rope_table((2, 3, 5), AXES, theta=256.0))
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))


def test_angles_are_position_times_frequency_on_adjacent_pairs():
    """Axis w, pair 1 of its three, position 3: channels 12 and 13 turn by 3 * 256^(-2/6)."""
    x = torch.zeros(1, 1, 4, 16)
    x[..., 12] = 1
    turned = rotate(x, rope_table((1, 1, 4), AXES, theta=256.0))[0, 0, 3]
    angle = 3 * 256 ** (-2 / 6)
    expected = torch.zeros(16)
    expected[12], expected[13] = math.cos(angle), math.sin(angle)
    torch.testing.assert_close(turned, expected)


def test_axes_are_time_then_row_then_column():
    tables = [rope_table(grid, AXES, theta=256.0)[1] for grid in ((2, 1, 1), (1, 2, 1), (1, 1, 2))]
    turning = [(table != 1).nonzero().flatten().tolist() for table in tables]
    assert turning == [[0, 1], [2, 3, 4], [5, 6, 7]]


def test_rotation_of_bfloat16_is_float32():
    x = heads(5).bfloat16()
    turned = rotate(x, rope_table((1, 1, 5), AXES, theta=256.0))
    assert turned.dtype == torch.float32
    torch.testing.assert_close(turned, rotate(x.float(), rope_table((1, 1, 5), AXES, theta=256.0)), rtol=0, atol=0)


def test_a_table_is_made_once_for_all_lengths_of_text():
    tables, device = RopeTables((2, 2, 4), theta=256.0), torch.device("cpu")
    first = tables((2, 3, 4), num_plain=5, device=device)
    assert torch.equal(first, rope_table((2, 3, 4), (2, 2, 4), theta=256.0, num_plain=5))
    longer = tables((2, 3, 4), num_plain=9, device=device)
    assert longer.data_ptr() == first.data_ptr() and len(longer) == 24 + 9
    assert len(tables((2, 3, 4), num_plain=1000, device=device)) == 24 + 1000
    assert torch.equal(tables((4, 3, 2), num_plain=0, device=device), rope_table((4, 3, 2), (2, 2, 4), theta=256.0))


def test_a_table_made_while_drawing_serves_training():
    tables, device = RopeTables((2, 2, 4), theta=256.0), torch.device("cpu")
    with torch.inference_mode():
        tables((2, 3, 4), num_plain=5, device=device)
    assert not tables((2, 3, 4), num_plain=5, device=device).is_inference()


def test_riflex_sets_the_published_frequency_of_time_alone():
    """arXiv 2502.15894, Eq. 8, on the released axes: k = 4 of eight, 0.9 x 2 pi / L; the others as trained."""
    axes, num_frames = (16, 56, 56), 51
    bent = rope_table((num_frames, 2, 2), axes, theta=256.0, bend=Riflex(index=4)).unflatten(0, (num_frames, 2, 2))
    plain = rope_table((num_frames, 2, 2), axes, theta=256.0).unflatten(0, (num_frames, 2, 2))
    others = [pair for pair in range(64) if pair != 3]
    assert torch.equal(bent[..., others], plain[..., others])
    position = torch.arange(num_frames, dtype=torch.float64)
    published = torch.polar(torch.ones_like(position), position * (0.9 * 2 * math.pi / num_frames))
    torch.testing.assert_close(bent[:, 1, 1, 3], published.to(torch.complex64), rtol=0, atol=TOLERANCE)


def test_the_period_of_time_comes_round_in_a_long_film_and_not_with_riflex():
    """The fourth component of the released weights turns once in 50 latent frames (201 frames); bent, in L / 0.9."""
    axes, num_frames = (16, 56, 56), 75

    def returns(table: torch.Tensor) -> float:
        angles = table.unflatten(0, (num_frames, 1, 1))[5:, 0, 0, 3]
        return (angles - 1).abs().min().item()

    assert returns(rope_table((num_frames, 1, 1), axes, theta=256.0)) < 0.05  # frame 50 stands where frame 0 stood
    assert returns(rope_table((num_frames, 1, 1), axes, theta=256.0, bend=Riflex(index=4))) > 0.3


def test_tables_are_bent_inside_only():
    tables, device = RopeTables((4, 2, 2), theta=256.0), torch.device("cpu")
    plain = tables((7, 2, 2), num_plain=3, device=device).clone()
    with tables.bent(Riflex(index=2)):
        bent = tables((7, 2, 2), num_plain=3, device=device)
        assert torch.equal(bent, rope_table((7, 2, 2), (4, 2, 2), theta=256.0, num_plain=3, bend=Riflex(index=2)))
    assert not torch.equal(bent, plain) and torch.equal(tables((7, 2, 2), num_plain=3, device=device), plain)


def test_a_frequency_that_is_not_there_is_refused():
    with pytest.raises(InvalidInput, match="frequency 3: the frequencies of time are 1 to 2"):
        rope_table((7, 2, 2), (4, 2, 2), theta=256.0, bend=Riflex(index=3))
