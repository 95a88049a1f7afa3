from dataclasses import replace

import pytest

from muybridge.captioning.prompts import training_captions
from muybridge.captioning.scores import field_scores, made_up, mean_scores, subjects_named, word_f1
from muybridge.core.errors import InvalidInput
from tests.captioning.examples import HORSE

ANIMALS = (("horse", "pony"), ("sea lion",), ("lion",), ("dog",))


def test_the_truth_scores_one_and_nothing_scores_zero():
    assert set(field_scores(HORSE, [HORSE]).values()) == {1.0}
    assert word_f1("", "a horse") == word_f1("a horse", "") == 0.0
    assert word_f1("", "") == 1.0


def test_wording_without_meaning_does_not_count():
    assert word_f1("The brown horses galloping!", "a brown horse gallops") == 1.0
    assert word_f1("a brown horse", "a brown cow") == pytest.approx(0.5)
    assert word_f1("horse horse horse", "horse") == pytest.approx(0.5)


def test_classes_are_right_or_wrong():
    scores = field_scores(replace(HORSE, camera="pan left"), [HORSE])
    assert scores["camera"] == 0.0 and scores["quality"] == 1.0


def test_the_nearest_wording_of_the_truth_counts():
    other = replace(HORSE, lighting="evening glow")
    assert field_scores(replace(HORSE, lighting="evening glow"), [HORSE, other])["lighting"] == 1.0


def test_means_are_over_clips_and_fields():
    means = mean_scores([field_scores(HORSE, [HORSE]), field_scores(replace(HORSE, camera="static"), [HORSE])])
    assert means["camera"] == 0.5 and means["mean"] == pytest.approx(0.95)
    with pytest.raises(InvalidInput):
        mean_scores([])


def test_subjects_that_the_truth_does_not_name_are_made_up():
    said = replace(HORSE, short="A dog and two ponies.", dense="A dog runs.")
    assert made_up(said, [HORSE], subjects=ANIMALS) == 1
    assert made_up(HORSE, [HORSE], subjects=ANIMALS) == 0
    assert subjects_named("Two sea lions swim", ANIMALS) == [("sea lion",), ("lion",)]


def test_training_captions_differ_and_repeat_by_seed():
    found = training_captions(HORSE, 5, seed=3)
    assert found == training_captions(HORSE, 5, seed=3) != training_captions(HORSE, 5, seed=4)
    assert found[0] == HORSE.short and len(set(found)) == 5


def test_what_is_unknown_is_never_said():
    bare = replace(
        HORSE,
        background="",
        style="",
        shot_type="",
        lighting="",
        atmosphere="",
        camera="unknown",
        dense="A horse runs.",
    )
    said = " ".join(training_captions(bare, 8, seed=0))
    assert "unknown" not in said and "  " not in said and "is ." not in said
    assert len(training_captions(bare, 8, seed=0)) == 2  # there is no more to say
