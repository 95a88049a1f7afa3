"""Padding, and the shipped double."""

import torch

from muybridge.text.encoder import HashEncoder, TextEncoder, pad_states


def test_padding_is_zero_on_the_right_and_out_of_the_mask() -> None:
    batch = pad_states([torch.ones(2, 3), torch.ones(4, 3)], [torch.zeros(5), torch.ones(5)], length=6)
    assert batch.states.shape == (2, 6, 3)
    assert batch.mask.tolist() == [[True] * 2 + [False] * 4, [True] * 4 + [False] * 2]
    assert torch.equal(batch.states[..., 0].bool(), batch.mask)
    assert batch.pooled.tolist() == [[0.0] * 5, [1.0] * 5]


def test_double_gives_equal_words_equal_states() -> None:
    encoder: TextEncoder = HashEncoder(text_dim=8, pooled_dim=4)
    batch = encoder.encode(["a red ball", "red"], num_frames=17)
    assert batch.states.shape == (2, 4, 8)
    assert batch.pooled.shape == (2, encoder.pooled_dim)
    assert torch.equal(batch.states[0, 1], batch.states[1, 0])
    assert not torch.equal(batch.states[0, 0], batch.states[0, 1])


def test_double_gives_the_empty_prompt_one_token() -> None:
    assert HashEncoder().encode([""], num_frames=1).mask.tolist() == [[True]]


def test_double_depends_on_nothing_but_the_words() -> None:
    first = HashEncoder().encode(["a cat"], num_frames=1)
    torch.manual_seed(5)
    again = HashEncoder().encode(["a dog", "a cat"], num_frames=33)
    assert torch.equal(first.states[0], again.states[1])
    assert torch.equal(first.pooled[0], again.pooled[1])
