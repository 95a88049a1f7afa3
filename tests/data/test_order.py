"""The order of samples: none lost, none repeated, whatever the seed, the seam or the number of ranks."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muybridge.core.errors import InvalidInput
from muybridge.data.order import Order

buckets = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 9)), min_size=1, max_size=4)


def order(pairs: list[tuple[int, int]], seed: int = 0) -> Order:
    return Order([count for count, _ in pairs], [size for _, size in pairs], seed=seed)


@settings(max_examples=12, deadline=None)
@given(buckets, st.integers(0, 5))
def test_every_permutation_of_a_bucket_holds_each_sample_once(pairs: list[tuple[int, int]], seed: int) -> None:
    found, seen = order(pairs, seed), Counter()
    for step in range(60):
        draw = found.at(step)
        seen.update((draw.bucket, sample, turn) for sample, turn in zip(draw.samples, draw.rounds, strict=True))
    assert set(seen.values()) == {1}
    for bucket, (count, _) in enumerate(pairs):
        turns = Counter(turn for number, _, turn in seen if number == bucket)
        assert all(turns[turn] == count for turn in range(max(turns, default=0)))  # all but the last are whole


@settings(max_examples=10, deadline=None)
@given(buckets, st.integers(0, 500))
def test_a_step_is_found_without_the_steps_before(pairs: list[tuple[int, int]], step: int) -> None:
    walked = order(pairs)
    for earlier in range(max(0, step - 20), step):
        walked.at(earlier)
    assert walked.at(step) == order(pairs).at(step)


@settings(max_examples=10, deadline=None)
@given(buckets, st.integers(1, 4), st.integers(0, 60))
def test_the_ranks_share_the_batch_whatever_their_number(
    pairs: list[tuple[int, int]], world_size: int, step: int
) -> None:
    draw = order([(count, size + world_size) for count, size in pairs]).at(step)
    shares = [draw.share(rank, world_size) for rank in range(world_size)]
    assert tuple(sample for share in shares for sample in share.samples) == draw.samples
    assert tuple(turn for share in shares for turn in share.rounds) == draw.rounds
    sizes = [len(share.samples) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_buckets_come_up_in_proportion_and_mixed() -> None:
    found = order([(300, 3), (100, 1), (60, 6)])  # 100, 100 and 10 batches an epoch
    turns = [found.at(step).bucket for step in range(210)]
    assert Counter(turns) == {0: 100, 1: 100, 2: 10}
    assert all(0 < turns[start : start + 30].count(0) < 30 for start in range(0, 210, 30))


def test_epochs_and_seeds_differ() -> None:
    found = order([(40, 4)])
    epochs = [[found.at(step).samples for step in range(start, start + 10)] for start in (0, 10)]
    assert epochs[0] != epochs[1]
    assert epochs[0] != [order([(40, 4)], seed=1).at(step).samples for step in range(10)]


def test_too_many_ranks_and_empty_buckets_are_refused() -> None:
    with pytest.raises(InvalidInput, match="world_size=3"):
        order([(9, 2)]).at(0).share(0, 3)
    with pytest.raises(InvalidInput, match="without samples"):
        order([(0, 2)])
