"""Text control from the call to the film, with tiny networks."""

from dataclasses import replace

import pytest
import torch

from muybridge import Settings
from muybridge.core.errors import InvalidInput
from muybridge.flow.evaluations import evaluations
from muybridge.flow.samplers import sampler
from muybridge.pipelines.cast import Plan, Prompts, num_forwards, share_seen
from muybridge.pipelines.denoise import Means, denoise
from muybridge.pipelines.planning import work_of
from muybridge.pipelines.prompting.gentle import GENTLE_GUIDANCE, GENTLE_RESCALE
from muybridge.pipelines.prompting.travel import prompts_at, travel_weights
from muybridge.text.encoder import HashEncoder
from tests.pipelines.tiny import pipeline
from tests.transformer.networks import TINY, network

FILM = {"size": "32x16", "frames": 9, "fps": 4, "steps": 4, "seed": 1, "shift": 3.0}
ENCODER = HashEncoder(text_dim=TINY.text_dim, pooled_dim=TINY.pooled_dim)
PLAN = Plan(num_steps=4, shift=3.0, sampler="euler", guidance=6.0, cfg=3.0)


def latents(prompt="a horse", **chosen) -> torch.Tensor:
    return pipeline()(prompt, **FILM | chosen).latents


def forwards(**chosen) -> tuple[int, int]:
    """Forward passes of a film: made, and said beforehand."""
    pipe, made = pipeline(), []
    pipe.components.transformer.register_forward_hook(lambda *_: made.append(1))
    [request] = pipe.requests(["a horse"], Settings.of(FILM | chosen))
    list(pipe.stream([request]))
    return len(made), num_forwards(request)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"cfg": 3.0, "rescale": 0, "guidance": 6}, {"cfg": "3@0-1", "rescale": 0, "guidance": "6"}),
        ({"guidance": 6.0}, {"guidance": "6@0-1"}),
        ({"prompt": "a horse"}, {"prompt": "(a horse:1)"}),
        ({"prompt": "a horse"}, {"prompt": {0: "a horse"}}),
        ({"prompt": "a horse. Pan left."}, {"camera": "pan_left"}),
        ({"prompt": {0: "a horse", 1.0: "fog"}}, {"prompt_at": {1.0: "fog"}}),
        ({"prompt": {0: "a horse. Zoom in.", "4": "fog. Zoom in."}}, {"prompt_at": {"1s": "fog"}, "camera": "zoom in"}),
    ],
)
def test_what_means_the_same_is_the_same_to_the_bit(one, other):
    if "cfg" in one:
        one = one | {"cfg": "3@0-1"}
    assert torch.equal(latents(**one), latents(**other))


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a (horse:1.5)"}, {"camera": "zoom_in"}, {"prompt_at": {2.0: "fog"}}, {"guidance": "1-6"},
        {"cfg": "3"}, {"cfg": "3", "cfg_zero_star": True}, {"zero_steps": 1}, {"cfg": 3, "negative": "a (horse:2)"},
    ],
)  # fmt: skip
def test_every_choice_acts_and_its_record_repeats_the_film(change):
    pipe = pipeline()
    film = pipe(**{"prompt": "a horse"} | FILM | change)
    assert not torch.equal(film.latents, latents())
    [request] = pipe.requests([film.settings["prompt"]], Settings.recorded(film.settings))
    [again] = pipe.stream([request])
    assert torch.equal(again.latents, film.latents) and again.settings == film.settings


@pytest.mark.parametrize(
    "chosen",
    [
        {}, {"cfg": 3.0}, {"cfg": "3@0.5-0.8"}, {"cfg": "3#2-3"}, {"cfg": "1-3"}, {"zero_steps": 2},
        {"cfg": "3@0-1", "sampler": "heun"}, {"prompt_at": {1.0: "fog", 2.0: "a cow"}, "cfg": "3#2"},
    ],
)  # fmt: skip
def test_the_network_is_run_as_often_as_is_planned(chosen):
    made, planned = forwards(**chosen)
    assert made == planned


def test_outside_its_interval_guidance_costs_nothing():
    every, some = forwards(cfg="3@0-1"), forwards(cfg="3#2-3")
    assert every == (8, 8) and some == (6, 6)
    [request] = pipeline().requests(["a"], Settings.of(FILM | {"cfg": "3#2-3"}))
    assert work_of(request).num_forwards == 6


def test_a_prompt_at_a_time_is_planned_as_the_frames_that_it_sees():
    pipe, seen = pipeline(), []
    pipe.components.transformer.register_forward_hook(lambda _module, given, _out: seen.append(given[0].shape[2]))
    [request] = pipe.requests(["a"], Settings.of(FILM | {"prompt_at": {1.0: "fog", 2.0: "a cow"}, "cfg": "3#2"}))
    list(pipe.stream([request]))
    assert share_seen(request) == pytest.approx(sum(seen) / (3 * len(seen))) and min(seen) < 3
    assert work_of(request).num_forwards == pytest.approx(num_forwards(request) * share_seen(request))


@pytest.mark.parametrize("cfg", [3.0, "3#2-3"])
@pytest.mark.parametrize("guidance", [6.0, "1-6", "6@0.5-0.9"])
def test_putting_modulation_away_changes_no_bit_under_a_schedule(cfg, guidance):
    model, plan = network(), replace(PLAN, cfg=cfg, guidance=guidance, sampler="heun")
    weights = travel_weights(prompts_at({1.0: "b"}), num_frames=9, fps=4)
    texts = [ENCODER.encode([words], num_frames=5) for words in ("a horse", "fog and rain", "a red cow")]
    prompts = Prompts(positive=texts[0], later=(texts[1],), weights=weights, negative=texts[2])
    films = [
        denoise(model, prompts, plan=plan, seeds=[1], shape=(4, 3, 4, 4), means=Means(evicts_modulation=evicts))
        for evicts in (True, False)
    ]
    assert torch.equal(*films)


def test_a_batch_with_prompts_at_times_agrees_with_its_films():
    model = network()
    weights = travel_weights(prompts_at({1.0: "b"}), num_frames=9, fps=4)

    def made(words, seeds):
        begins, then, negative = (ENCODER.encode(each, num_frames=5) for each in words)
        prompts = Prompts(positive=begins, later=(then,), weights=weights, negative=negative)
        return denoise(model, prompts, plan=replace(PLAN, rescale=0.5), seeds=seeds, shape=(4, 3, 4, 4))

    both = made([["a", "b"], ["c", "d"], ["e", "f"]], [1, 2])
    for i, words in enumerate(([["a"], ["c"], ["e"]], [["b"], ["d"], ["f"]])):
        torch.testing.assert_close(made(words, [1 + i])[0], both[i], rtol=1e-4, atol=1e-4)


def test_true_guidance_on_weights_that_embed_one_is_gentle_unless_it_is_said():
    pipe = pipeline()
    [plain] = pipe.requests(["a"], Settings.of(FILM))
    assert (plain.guidance, plain.cfg, plain.rescale) == (6.0, 1.0, 0.0)
    [gentle] = pipe.requests(["a"], Settings.of(FILM | {"cfg": 3}))
    assert (gentle.guidance, gentle.cfg, gentle.rescale) == (GENTLE_GUIDANCE, "3@0.2-0.9", GENTLE_RESCALE)
    [said] = pipe.requests(["a"], Settings.of(FILM | {"cfg": "3@0-1", "guidance": 6, "rescale": 0}))
    assert (said.guidance, said.cfg, said.rescale) == (6.0, "3@0-1", 0.0)


def test_guidance_added_to_a_repeated_film_is_gentle_too():
    pipe = pipeline()
    record = Settings.recorded(pipe("a", **FILM).settings)
    [request] = pipe.requests(["a"], Settings.of({"cfg": 3}).over(record))
    assert request.guidance == GENTLE_GUIDANCE and request.rescale == GENTLE_RESCALE


def test_weights_without_an_embedded_scale_are_guided_as_said():
    [request] = pipeline(has_guidance=False).requests(["a"], Settings.of(FILM | {"cfg": 3}))
    assert (request.guidance, request.cfg, request.rescale) == (None, 3.0, 0.0)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"cfg": "six"}, "SCALE"), ({"cfg": "6#3-9"}, "the sampler takes 4 steps"), ({"cfg": "0-3"}, "must be 1"),
        ({"guidance": "-1"}, "SCALE"), ({"rescale": 2.0}, "lies within 0"), ({"camera": "dolly"}, "zoom_in, zoom_out"),
        ({"zero_steps": 4}, "no step to make"), ({"prompt_at": {9: "b"}}, "the film ends with frame 8"),
        ({"prompt_at": {1.0: "(b:9)"}}, "weight"), ({"negative": "a:1.3)", "cfg": 2}, "weight"),
        ({"frames": 1, "prompt_at": {1: "b"}}, "a picture has none"), ({"zero_steps": -1}, "number of steps"),
        ({"cfg": 3, "cfg_zero_star": "yes"}, "on or off"), ({"prompt_at": {1: "b", 2: "c"}}, "acts nowhere"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_the_work_starts(chosen, message):
    with pytest.raises(InvalidInput, match=message):
        pipeline().requests(["a"], Settings.of(FILM | chosen))


@pytest.mark.parametrize("prompt", [{1: "a"}, {1.0: "a", 0: "b"}, {}, {0: "a", "0s": "b"}])
def test_prompts_at_times_begin_at_zero(prompt):
    with pytest.raises(InvalidInput, match="the first one is at 0"):
        pipeline()(prompt, **FILM)


def test_half_of_a_heun_step_outside_the_interval_is_not_guided():
    [request] = pipeline().requests(["a"], Settings.of(FILM | {"cfg": "3#1", "sampler": "heun"}))
    run = evaluations(sampler("heun"), request.sigmas)
    assert num_forwards(request) == len(run) + 1
