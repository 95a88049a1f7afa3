"""Models and requests as the planner sees them."""

import pytest
import torch

from muybridge.core.errors import DoesNotFit, InvalidInput
from muybridge.pipelines.planning import described, planned, work_of
from muybridge.pipelines.request import GenerationRequest
from muybridge.transformer.cost import num_parameters
from muybridge.vae import VAEConfig
from tests.pipelines.tiny import FOLDER_TRANSFORMER, VAE, model_folder

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
