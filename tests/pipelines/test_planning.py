"""Models and requests as the planner sees them."""

from dataclasses import replace

import pytest
import torch

from muybridge import Settings
from muybridge.acceleration.explain import tables
from muybridge.core.errors import DoesNotFit, InvalidInput
from muybridge.pipelines.long.film import LongFilm
from muybridge.pipelines.long.windows import num_windows
from muybridge.pipelines.planning import described, planned, work_of
from muybridge.pipelines.request import GenerationRequest
from muybridge.transformer.cost import num_parameters
from muybridge.vae import VAEConfig
from tests.pipelines.tiny import FOLDER_TRANSFORMER, VAE, model_folder, pipeline

CPU = torch.device("cpu")
FILM = GenerationRequest(prompt="a", width=64, height=64, num_frames=5, num_steps=4, guidance=None)


def test_the_released_model_is_described_without_its_weights():
    model, defaults = described("hunyuanvideo")
    assert num_parameters(model.transformer) == 12_821_012_544 and model.vae == VAEConfig()
    assert (defaults.width, defaults.height, defaults.frames) == (1280, 720, 129)
    assert 7.1e9 < model.text.num_parameters < 7.3e9  # without the two layers that never compute
    assert (model.text.num_layers, model.text.layer_parameters) == (30, 218_103_808)


def test_a_folder_is_described_by_its_files(tmp_path):
    model, _ = described(model_folder(tmp_path))
    assert (model.transformer, model.vae, model.stored_bytes) == (FOLDER_TRANSFORMER, VAE, 4)
    assert model.text.num_parameters > 0


def test_models_that_do_not_run_are_refused():
    with pytest.raises(InvalidInput, match="not run yet"):
        described("gamecraft")


def test_guidance_and_samplers_cost_forwards():
    assert work_of(FILM).passes == 1
    assert work_of(GenerationRequest(prompt="a", cfg=3.0, sampler="heun")).passes == 4


def test_a_request_that_fits_is_planned_plainly(tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))  # nothing was measured
    model, _ = described("gallop")
    plan = planned(model, FILM, device=CPU, wanted={"dtype": "float32"})
    assert plan.settings.weights == "device" and not plan.chosen.changes and plan.device.is_nominal
    assert not list(tmp_path.iterdir())


def test_a_request_that_cannot_fit_is_refused_with_the_nearest():
    model, _ = described("gallop")
    with pytest.raises(DoesNotFit, match="the nearest that fits is"):
        planned(
            model,
            GenerationRequest(prompt="a", width=1280, height=720, num_frames=513, guidance=None),
            device=CPU,
            memory="4GiB",
            wanted={"dtype": "float32", "vae_mode": "whole"},
        )


LONG = replace(FILM, width=128, height=128, num_frames=401, num_steps=8)


def test_a_film_in_windows_is_planned_with_the_memory_of_one_and_the_time_of_all(monkeypatch, tmp_path):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))  # nothing was measured
    model, _ = described("gallop")
    one, many = (replace(LONG, num_frames=frames, long=LongFilm(window=17)) for frames in (17, 401))
    short, long = (planned(model, each, device=CPU, wanted={"dtype": "float32"}) for each in (one, many))
    assert long.chosen.phases.peak_bytes == short.chosen.phases.peak_bytes
    assert work_of(many).num_forwards == num_windows(many) * work_of(one).num_forwards == 50 * 8
    of_denoising = [plan.chosen.phases.of("denoise").seconds for plan in (short, long)]
    assert 40 < of_denoising[1] / of_denoising[0] <= 50
    assert long.chosen.phases.of("decode").seconds > 400 / 17 * short.chosen.phases.of("decode").seconds
    assert "50 windows of 17 frames" in str(tables(long).renderables[0])


def test_a_film_through_a_context_is_planned_by_what_is_seen_and_how_often():
    model, _ = described("gallop")
    whole, part = work_of(LONG), work_of(replace(LONG, long=LongFilm(context=17)))
    assert part.num_frames == whole.num_frames == 401 and part.num_tokens(model) == 5 * whole.num_tokens(model) // 101
    assert 101 / 4 - 1 <= part.num_forwards / whole.num_forwards <= 101 / 4 + 2  # windows of 5 that share 1
    assert work_of(replace(LONG, long=LongFilm(context=17), num_frames=17)).views == 1


@pytest.mark.parametrize("sampler", ["euler", "heun"])
def test_the_forwards_of_a_film_through_a_context_are_those_it_makes(sampler):
    pipe, passes = pipeline(), [0]
    pipe.components.transformer.register_forward_hook(lambda *_: passes.__setitem__(0, passes[0] + 1))
    [made] = pipe.requests(["a"], Settings(size="32x32", steps=3, seed=7, frames=33, context=17, sampler=sampler))
    list(pipe.stream([made]))
    assert passes[0] == round(work_of(made).num_forwards)
