"""Quality falls as damage grows; the heuristic of beauty prefers what each of its terms names."""

import numpy as np
import pytest
import torch

from muybridge.curation.measures.aesthetic import WEIGHTS, aesthetic, terms
from muybridge.curation.measures.looks import grey
from muybridge.curation.measures.natural import _gammas, brisque_features, texture
from muybridge.curation.measures.niqe import niqe, pristine
from muybridge.curation.measures.quality import QUALITY_FILE, Quality
from muybridge.curation.measures.technical import NUM_TRACES, QualityConfig, QualityNet, pristine_of
from muybridge.curation.measures.traces import traces
from muybridge.training.curating.ladders import LADDERS, damaged, quality
from muybridge.training.curating.pictures import texture as clouds
from muybridge.training.curating.quality import carry_statistics, rank_correlation
from muybridge.weights.small import accuracy_of
from tests.curation.measures.films import clip_of

MAX_BYTES = 60 * 1024
MIN_HELD_OUT = 0.6  # of single pictures' ladders on the mean; measured 0.68 (overexposure of pale rooms) to 1.0
LEVELS = (0.0, 0.3, 0.6, 0.9)


@pytest.fixture(scope="module")
def stage() -> Quality:
    made = Quality()
    made.prepare()
    made.setup()
    return made


@pytest.mark.parametrize("family", sorted(LADDERS))
def test_strength_nothing_leaves_a_picture_and_more_changes_it_more(family: str):
    picture = clouds(np.random.default_rng(4))[:64, :64]
    assert damaged(picture, family, 0.0, seed=1) is picture
    apart = [np.abs(damaged(picture, family, level, seed=1).astype(int) - picture).mean() for level in LEVELS]
    assert apart == sorted(apart) and apart[1] > 0


def test_qualities_of_damages_multiply():
    assert quality([]) == 1 and quality([0.5, 0.5]) == 0.25


@pytest.mark.parametrize("family", ["blur", "noise", "upscaling", "combing"])
def test_technical_falls_along_a_ladder(stage: Quality, family: str):
    picture = clouds(np.random.default_rng([8, 8]))
    found = [stage.measure(clip_of(damaged(picture, family, level, seed=2)[None]))["technical"] for level in LEVELS]
    assert rank_correlation([float(each) for each in found if isinstance(each, float)], LEVELS) < -0.9


def test_the_shipped_network_is_small_and_says_how_good_it_is():
    assert QUALITY_FILE.stat().st_size <= MAX_BYTES
    accuracy = accuracy_of(QUALITY_FILE)
    assert min(accuracy[f"{family}_each"] for family in LADDERS) >= MIN_HELD_OUT


def test_tiny_pictures_have_no_value_where_none_can_be_told(stage: Quality):
    found = stage.measure(clip_of(np.full((1, 24, 24, 3), 120, np.uint8)))
    assert found["technical"] is None and found["niqe"] is None and found["brisque"] is None
    assert isinstance(found["aesthetic"], float)


def test_traces_are_finite_on_plain_and_clipped_pictures():
    for level in (0, 128, 255):
        found = traces(np.full((40, 48, 3), level, np.uint8))
        assert found.shape == (NUM_TRACES,) and np.isfinite(found).all()


def test_a_gaussian_has_shape_two():
    exponents, ratios, _, _ = _gammas()
    assert np.interp(2 / np.pi, ratios, exponents) == pytest.approx(2, abs=0.01)


def test_niqe_grows_with_damage():
    mean, covariance = pristine([grey(clouds(np.random.default_rng(k))) for k in range(6)])
    picture = clouds(np.random.default_rng(50))
    found = [niqe([grey(damaged(picture, "blur", level, seed=0))], mean, covariance) for level in LEVELS]
    values = [value or 0.0 for value in found]
    assert values[:-1] == sorted(values[:-1])  # the last blur leaves nothing whose naturalness could be told
    assert values[-1] > 1.5 * values[0]


def test_pristine_statistics_survive_the_network(tmp_path):
    network = QualityNet(QualityConfig(hidden_size=8))
    wanted = np.cov(np.random.default_rng(0).normal(size=(36, 200))), np.arange(36.0)
    carry_statistics(network, wanted[1], wanted[0])
    mean, covariance = pristine_of(network)
    assert np.allclose(mean, wanted[1]) and np.allclose(covariance, wanted[0], atol=1e-4)


def test_patches_side_by_side_are_those_of_their_parts():
    picture = grey(clouds(np.random.default_rng(1)))
    found = texture(picture)
    assert found is not None and found.square.shape == (4, 10)
    whole = texture(picture, patch_px=None)
    assert whole is not None and np.allclose(found.square.mean(0), whole.square[0], rtol=1e-6)
    assert brisque_features(whole).shape == (36,)


def test_every_term_of_beauty_prefers_what_it_names():
    lively = clouds(np.random.default_rng(12))
    dull = (lively * 0.1 + 110).astype(np.uint8)
    assert terms(lively)["contrast"] > terms(dull)["contrast"]
    assert terms(lively)["colourfulness"] > terms(grey(lively)[..., None].repeat(3, 2))["colourfulness"]
    assert terms(lively)["exposure"] > terms((lively * 0.2).astype(np.uint8))["exposure"]
    assert aesthetic(lively) > aesthetic(dull)
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_a_sharp_subject_at_a_third_is_better_than_all_over_or_in_the_corner():
    rng, plain = np.random.default_rng(2), np.full((96, 96, 3), 120, np.uint8)
    patch = rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)
    third, corner = plain.copy(), plain.copy()
    third[22:42, 22:42], corner[:20, 76:] = patch, patch
    everywhere = rng.integers(0, 255, plain.shape, dtype=np.uint8)
    assert terms(third)["composition"] > terms(corner)["composition"] + 0.2
    assert terms(third)["focus"] > terms(everywhere)["focus"] + 0.2


@torch.no_grad()
def test_a_network_reads_traces_in_their_own_spread():
    network = QualityNet(QualityConfig(hidden_size=4)).eval()
    values = torch.randn(3, NUM_TRACES)
    before = network(values)
    network.traces_mean.fill_(5.0)
    network.traces_deviation.fill_(2.0)
    assert torch.allclose(network(values * 2 + 5), before, atol=1e-5)
