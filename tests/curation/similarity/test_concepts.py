"""Laws of concepts and their balance."""

import numpy as np
import pytest

from muybridge.core.errors import InvalidInput
from muybridge.curation.similarity.balance import balance
from muybridge.curation.similarity.concepts import cluster, num_concepts
from muybridge.curation.similarity.names import name_concepts


def _blobs(sizes, *, dim=16, spread=0.1, seed=0):
    draw = np.random.default_rng(seed)
    centres = np.linalg.qr(draw.normal(size=(dim, dim)))[0][: len(sizes)]
    rows = [centre + spread * draw.normal(size=(size, dim)) / 4 for centre, size in zip(centres, sizes, strict=True)]
    return np.concatenate(rows), np.repeat(np.arange(len(sizes)), sizes), centres


def test_groups_that_lie_apart_are_told_apart_and_numbered_by_size():
    rows, truth, _ = _blobs([10, 40, 25])
    found = cluster([f"{place:03d}" for place in range(len(rows))], rows, count=3)
    assert found.counts.tolist() == [40, 25, 10]
    assert [found.concept[truth == blob].tolist() for blob in (1, 2, 0)] == [[0] * 40, [1] * 25, [2] * 10]
    assert found.share[truth == 1][0] == 40 / 75


@pytest.mark.parametrize("count", [5, 80])
def test_order_of_rows_changes_nothing(count):
    rows = np.random.default_rng(1).normal(size=(300, 8))
    ids = [f"{place:03d}" for place in range(300)]
    straight = cluster(ids, rows, count=count)
    turn = np.random.default_rng(2).permutation(300)
    turned = cluster([ids[place] for place in turn], rows[turn], count=count)
    assert np.array_equal(turned.concept, straight.concept[turn])
    assert np.array_equal(turned.centres, straight.centres)


def test_two_levels_give_as_many_concepts_as_asked_and_nearly_as_near_ones():
    rows = np.random.default_rng(3).normal(size=(1200, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = cluster([f"{place:04d}" for place in range(1200)], rows, count=100)
    assert len(found.centres) == 100
    own = (rows * found.centres[found.concept]).sum(1).mean()
    best = (rows @ found.centres.T).max(1).mean()
    assert own > best - 0.01


def test_number_of_concepts_grows_with_the_set_up_to_the_papers():
    counts = [num_concepts(size) for size in (0, 1, 100, 10_000, 100_000, 1_000_000, 10**8)]
    assert counts == [1, 1, 10, 100, 1000, 10_000, 10_000]


def test_too_many_concepts_and_rows_without_direction_are_refused():
    with pytest.raises(InvalidInput, match="there are 2 clips"):
        cluster(["a", "b"], np.eye(2), count=3)
    with pytest.raises(InvalidInput, match="no direction"):
        cluster(["a", "b"], np.zeros((2, 4)))


def test_an_empty_set_has_no_concepts():
    assert len(cluster([], np.zeros((0, 4))).concept) == 0


def test_rarer_concepts_never_weigh_less_and_the_cap_holds():
    concept = np.repeat(np.arange(6), [1000, 300, 300, 40, 5, 1])
    found = balance(concept, most=20.0)
    weights = [found.sampling_weight[concept == number][0] for number in range(6)]
    assert weights == sorted(weights)
    assert weights[-1] / weights[0] <= 20.0 + 1e-9
    assert np.isclose(found.sampling_weight.mean(), 1)
    assert found.entropy_after > found.entropy_before


def test_balance_is_as_gentle_as_it_can_be():
    concept = np.repeat(np.arange(8), [400, 200, 100, 100, 60, 40, 30, 25])
    found = balance(concept, enough=0.95)
    assert 0.95 <= found.entropy_after < 0.9501
    assert 0 < found.power < 1
    even = balance(np.repeat(np.arange(4), 10))
    assert even.power == 0 and np.array_equal(even.sampling_weight, np.ones(40))


def test_names_follow_the_nearest_words_whatever_all_words_share():
    _, _, centres = _blobs([1, 1, 1])
    words = centres[[2, 0, 1]] + 0.9 * np.ones(16)
    assert name_concepts(centres, ["c", "a", "b"], words) == [("a",), ("b",), ("c",)]
    with pytest.raises(InvalidInput, match="each has its own"):
        name_concepts(centres, [], words)
