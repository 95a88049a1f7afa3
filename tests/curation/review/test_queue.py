"""Which clips are shown: by what became of them, by conditions on columns, few of them and always the same."""

import numpy as np
import pytest

from muybridge.core.errors import InvalidInput
from muybridge.curation.decide import decide
from muybridge.curation.output.table import Table
from muybridge.curation.review.queue import QueueConfig, holds, queue
from muybridge.curation.review.suggest import best_cut
from muybridge.curation.threshold_files import parse_thresholds

TABLE = Table.of_rows(
    [{"id": f"clip{place}", "technical": place / 10, "kind": "still" if place % 2 else "both"} for place in range(8)]
    + [{"id": "clip8"}],
    {"id": "text", "technical": "float", "kind": "text", "embedding": "floats"},
)
DECISIONS = decide(TABLE, parse_thresholds("[quality.technical]\nat_least = 0.5\n"))


def chosen(**words: object) -> set[str]:
    return set(queue(TABLE, DECISIONS, QueueConfig(**words), disputed={"clip1"}))  # type: ignore[arg-type]


def test_clips_are_chosen_by_what_became_of_them():
    assert chosen(only="rejected") == {f"clip{place}" for place in range(5)}
    assert chosen(only="kept") == chosen(only="tier=256p") == {"clip5", "clip6", "clip7", "clip8"}
    assert chosen(only="disputed") == {"clip1"}


def test_conditions_hold_of_values_that_are_there():
    assert chosen(where=("technical<0.25",)) == {"clip0", "clip1", "clip2"}
    assert chosen(where=("technical >= 0.6", "kind=both")) == {"clip6"}
    assert "clip8" not in chosen(where=("technical!=0.1",)) | chosen(where=("kind != still",))


def test_a_sample_is_the_same_each_time_and_part_of_a_larger_one():
    few = queue(TABLE, DECISIONS, QueueConfig(num_sampled=3), disputed=())
    assert few == queue(TABLE, DECISIONS, QueueConfig(num_sampled=5), disputed=())[:3]
    assert few != sorted(few) or len(few) == 3


@pytest.mark.parametrize("condition", ["colour<1", "technical<red", "kind<still", "embedding=1"])
def test_wrong_conditions_are_refused(condition: str):
    with pytest.raises(InvalidInput):
        holds(TABLE, condition)


@pytest.mark.parametrize(
    "words", [{"only": "some"}, {"only": "tier=1p"}, {"where": ("technical",)}, {"num_sampled": -1}]
)
def test_wrong_queues_are_refused(words: dict[str, object]):
    with pytest.raises(InvalidInput):
        QueueConfig(**words)  # type: ignore[arg-type]


def test_an_empty_queue_is_told():
    with pytest.raises(InvalidInput, match="no such clip"):
        chosen(where=("technical>9",))


def test_the_best_cut_is_the_best_of_all_cuts():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 12, 60) / 10
    is_good = rng.random(60) < 0.2 + 0.5 * (values > 0.6)
    kind, limit, accuracy = best_cut(values.tolist(), is_good.tolist())

    def balanced(is_kept: np.ndarray) -> float:
        return float((is_kept[is_good].mean() + (~is_kept[~is_good]).mean()) / 2)

    cuts = np.arange(-0.05, 1.3, 0.1)
    assert accuracy == pytest.approx(max(max(balanced(values >= cut), balanced(values <= cut)) for cut in cuts))
    assert accuracy == pytest.approx(balanced(values >= limit if kind == "at_least" else values <= limit))
