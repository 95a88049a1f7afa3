"""Laws of the search for copies: each kind is found, what is merely alike is not, and order changes nothing."""

import numpy as np
import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.curation.similarity.agreement import compared
from muybridge.curation.similarity.duplicates import Search, find_duplicates
from muybridge.curation.similarity.signature import signature_of

from .films import film, leaves

ORIGINAL = film(0)
COPIES = {
    "noise": np.clip(ORIGINAL + np.random.default_rng(0).normal(0, 8, ORIGINAL.shape), 0, 255).astype(np.uint8),
    "crop": ORIGINAL[:, 3:42, 10:62],
    "mirror": ORIGINAL[:, :, ::-1],
    "half the speed": np.repeat(ORIGINAL, 2, 0),
    "twice the speed": ORIGINAL[::2],
    "trimmed": ORIGINAL[4:22],
    "resized": ORIGINAL[:, ::2, ::2],
    "squeezed": ORIGINAL[:, :, ::2],
    "colours": (ORIGINAL[..., ::-1] * 0.7 + 40).astype(np.uint8),
    "borders": np.pad(ORIGINAL, ((0, 0), (6, 6), (0, 0), (0, 0))),
    "mirrored part": ORIGINAL[:, 2:44, 5:62][:, :, ::-1],
}


def _lettered() -> np.ndarray:
    out = ORIGINAL.copy()
    out[:, 40:45, 10:54] = np.random.default_rng(1).integers(0, 2, (5, 44, 1)) * 255
    return out


def _found(films, *, ids=None, cosine=0.95, merit=None):
    """Duplicates of films whose vectors are alike, as those of one concept are."""
    draw = np.random.default_rng(2)
    common = np.zeros(256)
    common[0] = 1
    vectors = [cosine * common + (1 - cosine) * draw.normal(size=256) / 16 for _ in films]
    signatures = [signature_of(each) for each in films]
    ids = ids or [f"clip-{number:02d}" for number in range(len(films))]
    return find_duplicates(ids, np.stack(vectors), signatures, merit=merit)


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_found_however_it_was_made(kind):
    found = _found([ORIGINAL, COPIES[kind], film(1), film(2)])
    assert found.duplicate_of == [None, "clip-00", None, None]
    assert found.similarity[0] == found.similarity[1] > 0.7
    assert found.similarity[2] == 0


def test_lettering_does_not_hide_a_copy():
    assert _found([ORIGINAL, _lettered()]).duplicate_of == [None, "clip-00"]


def test_fine_leaves_in_the_wind_are_known_again_where_they_are_cropped_and_encoded_anew():
    first = leaves(0)
    copy = first[:, 7:87, 10:118] + np.random.default_rng(3).normal(0, 5, (24, 80, 108, 1))
    found = _found([first, copy.clip(0, 255).astype(np.uint8), leaves(1)])
    assert found.duplicate_of == [None, "clip-00", None]


def test_another_subject_in_the_same_place_is_no_copy():
    other = film(0, subject=7)
    assert _found([ORIGINAL, other]).duplicate_of == [None, None]


def test_where_nothing_is_seen_nothing_is_a_copy():
    assert _found([np.zeros_like(ORIGINAL)] * 2).duplicate_of == [None, None]


def test_a_bare_film_that_shows_the_same_in_a_corner_is_no_copy():
    full = torch.randn(1, 8, 18, 18, generator=torch.Generator().manual_seed(0)) * 9
    bare = torch.zeros_like(full)
    bare[..., :4, :4] = full[..., :4, :4]
    assert float(compared(full, full)) == 1
    assert float(compared(bare, full)) < 0.5


def test_different_films_of_one_concept_are_kept():
    assert _found([film(seed) for seed in range(12)], cosine=1.0).duplicate_of == [None] * 12


def test_the_best_of_a_group_is_kept_and_then_the_first_id():
    films = [ORIGINAL, COPIES["mirror"], COPIES["crop"]]
    assert _found(films, ids=["c", "a", "b"]).duplicate_of == ["a", None, "a"]
    assert _found(films, ids=["c", "a", "b"], merit=np.array([0.5, np.nan, 0.9])).duplicate_of == ["b", "b", None]


def test_order_of_rows_changes_nothing():
    films = [ORIGINAL, film(3), COPIES["crop"], film(4), COPIES["mirror"], film(3)[:, :, ::-1]]
    ids = ["d", "f", "a", "c", "b", "e"]
    draw = np.random.default_rng(5)
    vectors = draw.normal(size=(6, 256)) * 0.05 + 1
    signatures = [signature_of(each) for each in films]
    straight = find_duplicates(ids, vectors, signatures)
    turn = [3, 0, 5, 2, 1, 4]
    turned = find_duplicates([ids[place] for place in turn], vectors[turn], [signatures[place] for place in turn])
    assert turned.duplicate_of == [straight.duplicate_of[place] for place in turn]
    assert np.array_equal(turned.similarity, straight.similarity[turn])
    assert straight.duplicate_of == ["a", "e", None, None, "a", None]


def test_nothing_and_one_clip_have_no_copies():
    empty = find_duplicates([], np.zeros((0, 256)), [])
    assert empty.duplicate_of == []
    assert _found([ORIGINAL]).duplicate_of == [None]


def test_what_does_not_fit_is_refused():
    with pytest.raises(InvalidInput, match="given twice"):
        _found([ORIGINAL, film(1)], ids=["a", "a"])
    with pytest.raises(InvalidInput, match="4608"):
        find_duplicates(["a"], np.ones((1, 256)), ["a film"])
    with pytest.raises(InvalidInput, match="count=0"):
        Search(count=0)
