"""A budget of evaluations in the pipeline."""

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.pipelines.lora_use import LoraUse
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.settings import Settings
from muybridge.pipelines.step_cache import _changes
from tests.pipelines.tiny import SMALL, pipeline

FILM = SMALL | {"steps": 16, "seed": 3}


def test_a_speed_computes_so_many_fewer_evaluations_and_says_so():
    pipe = pipeline()
    calls: list[int] = []
    pipe.components.transformer.register_forward_pre_hook(lambda *_: calls.append(1))
    film = pipe("a", **FILM, speed="2x")
    assert len(calls) == film.settings["cache"]["computed"] == 8
    assert film.settings["speed"] == "2x" and film.settings["cache"]["evaluations"] == 16


def test_without_a_budget_nothing_is_predicted_or_reported():
    film = pipeline()("a", **FILM)
    assert "cache" not in film.settings and "speed" not in film.settings


def test_films_of_a_list_are_predicted_as_if_alone():
    pipe = pipeline()
    together = pipe(["a", "a dog"], **FILM, speed="2x")
    alone = pipe("a dog", **FILM | {"seed": 4}, speed="2x")
    assert torch.equal(together[1].latents, alone.latents)


def test_a_budget_that_cannot_be_kept_is_refused_before_the_work():
    with pytest.raises(InvalidInput, match="at least 12"):
        pipeline()("a", **SMALL, speed="2x")
    with pytest.raises(InvalidInput, match="not been calibrated"):
        pipeline()("a", **FILM, quality="psnr>=32")
    with pytest.raises(InvalidInput, match="only one can be asked for"):
        pipeline()("a", **FILM, quality="psnr>=32", speed="2x")


def test_nothing_is_predicted_across_the_steps_where_a_lora_begins_or_ends():
    uses = LoraUse(file="a", steps=(3, 6)), LoraUse(file="b", steps=(5, None)), LoraUse(file="c")
    assert _changes(GenerationRequest(prompt="a", loras=uses)) == {2, 6, 4}


def test_another_budget_replaces_the_recorded_one():
    pipe = pipeline()
    recorded = Settings.recorded({"quality": "psnr>=30", "steps": 16})
    [request] = pipe.requests(["a"], Settings(speed="2x").over(recorded))
    assert pipe.settings_of(request)["speed"] == "2x" and "quality" not in pipe.settings_of(request)
    [repeated] = pipe.requests(["a"], Settings().over(recorded))
    assert repeated.budget == "psnr>=30"
