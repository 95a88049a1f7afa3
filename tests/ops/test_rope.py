"""Rotary positions: rotations that depend on offsets alone."""

import math

import torch

from muybridge.ops.rope import RopeTables, rope_table, rotate

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
