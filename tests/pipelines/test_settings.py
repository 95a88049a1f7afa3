"""What is chosen, what the model says, and what is drawn."""

import json

import pytest

from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.settings import Defaults, Settings, settings_of
from muybridge.weights.catalog import CatalogueEntry, resolve

PLAIN = Defaults(negative="ugly")


def one(settings: Settings, defaults: Defaults = PLAIN) -> GenerationRequest:
    [request] = settings.requests(["a horse"], defaults)
    return request


def test_the_defaults_are_the_released_ones():
    released = Defaults.of(resolve("hunyuanvideo"), has_guidance=True, negative="ugly")
    assert one(Settings(seed=3), released) == GenerationRequest(prompt="a horse", seed=3)


def test_weights_without_guidance_get_none():
    assert one(Settings(), Defaults.of(resolve("hunyuanvideo"), has_guidance=False, negative="")).guidance is None


def test_few_steps_shift_more_as_the_paper_says():
    assert one(Settings(steps=10)).shift == 17.0 and one(Settings(steps=20)).shift == 7.0
    assert one(Settings(steps=10, shift=5.0)).shift == 5.0
    assert one(Settings(steps=10), Defaults(steps=30, shift=3.0)).shift == 3.0


def test_the_models_negative_prompt_acts_only_under_classifier_free_guidance():
    assert one(Settings()).negative_prompt == ""
    assert one(Settings(cfg=6.0)).negative_prompt == "ugly"
    assert one(Settings(cfg=6.0, negative="dark")).negative_prompt == "dark"


def test_one_seed_counts_up_and_a_list_is_taken_as_given():
    assert [r.seed for r in Settings(seed=7).requests(["a", "b", "c"], PLAIN)] == [7, 8, 9]
    assert [r.seed for r in Settings(seed=[5, 1]).requests(["a", "b"], PLAIN)] == [5, 1]


def test_seeds_not_chosen_are_drawn_anew_each_time():
    drawn = {r.seed for r in Settings().requests(["a"] * 20, PLAIN)}
    assert len(drawn) > 15


@pytest.mark.parametrize("seed", [[1], [1, 2, 3], "7", 1.5, True])
def test_seeds_that_do_not_fit_are_refused(seed):
    with pytest.raises(InvalidInput):
        Settings(seed=seed).requests(["a", "b"], PLAIN)


def test_recorded_settings_give_the_same_request():
    request = one(Settings(size="48x32", frames=5, steps=12, cfg=2.5, negative="none", seed=2**62, sampler="heun"))
    record = json.loads(json.dumps(settings_of(request) | {"model": "tiny", "versions": {"torch": "2"}}))
    assert one(Settings.recorded(record)) == request


def test_choices_stand_over_recorded_ones():
    record = Settings.recorded({"size": "48x32", "steps": 12, "seed": 4})
    merged = Settings(steps=20, aspect="1:1").over(record)
    assert (merged.steps, merged.seed, merged.size, merged.aspect) == (20, 4, None, "1:1")


@pytest.mark.parametrize("record", [{"steps": "many"}, {"seed": None, "frames": [1]}, {"cfg": "warm"}])
def test_damaged_records_are_refused(record):
    with pytest.raises(InvalidInput):
        Settings.recorded(record)


def test_a_models_own_defaults_are_checked():
    entry = CatalogueEntry(name="mine", title="", licence="", source="local", defaults={"width": 130, "height": 128})
    with pytest.raises(WeightsError, match="mine.*width=130"):
        Defaults.of(entry, has_guidance=True, negative="")
