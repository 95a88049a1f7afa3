"""Pieces cover every token once and never split a signal's run from its signal."""

import pytest
import torch

from muybridge.ops.pieces import by_pieces, pieces


@pytest.mark.parametrize("num_tokens, num_runs", [(10, 1), (12, 4), (40, 4), (7, 7), (640, 2)])
@pytest.mark.parametrize("chunk", [None, 1, 3, 4, 6, 100])
def test_every_token_is_in_one_piece_with_its_signals(num_tokens, num_runs, chunk):
    length, seen = num_tokens // num_runs, []
    for tokens, runs in pieces(num_tokens, num_runs, chunk):
        own = list(range(num_tokens))[tokens]
        assert chunk is None or 0 < len(own) <= chunk
        assert len(own) % len(range(num_runs)[runs]) == 0
        assert sorted({token // length for token in own}) == list(range(num_runs))[runs]
        seen += own
    assert seen == list(range(num_tokens))


def test_the_last_piece_is_no_short_rest():
    lengths = [tokens.stop - tokens.start for tokens, _ in pieces(4097, 1, 1024)]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("chunk", [None, 2, 5])
@torch.no_grad()
def test_by_pieces_is_the_whole(chunk):
    x, y, signal = torch.rand(2, 12, 3), torch.rand(2, 12, 3), torch.rand(2, 4, 3)

    def make(x, y, signal):
        return torch.cat([x * signal.repeat_interleave(x.shape[1] // signal.shape[1], 1), y], -1)

    ours = by_pieces(make, (x, y), signals=[signal], chunk_tokens=chunk)
    assert torch.equal(ours, make(x, y, signal))


def test_where_gradients_are_recorded_there_is_one_piece():
    lengths = []
    by_pieces(
        lambda x, signal: lengths.append(x.shape[1]) or x, (torch.ones(1, 8, 1),), signals=[torch.ones(1, 1, 1)],
        chunk_tokens=2,
    )  # fmt: skip
    assert lengths == [8]
