"""The namer of camera movements learns from the flow of clips."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from muybridge.captioning.camera_flow import GRID, NUM_LONG, NUM_SHORT, CellFlow, FlowFilms
from muybridge.captioning.camera_network import CameraConfig, CameraNet
from muybridge.core.errors import InvalidInput
from muybridge.training.curating.camera import CameraTask, best_temperature
from muybridge.training.curating.camera_films import CameraFilmsConfig, NamedFilms, worn
from muybridge.worlds.movements import MOVEMENTS


def made_films(seed: int = 0) -> NamedFilms:
    """Zooms and standing cameras, from a formula."""
    rng = np.random.default_rng(seed)
    movements = torch.tensor([MOVEMENTS.index(name) for name in ("zoom in", "zoom out", "static") * 4])
    place = torch.linspace(-0.5, 0.5, GRID)
    outward = torch.stack([place.expand(GRID, GRID), place[:, None].expand(GRID, GRID)], -1)
    pace = torch.tensor([0.5, -0.5, 0.0] * 4)[:, None, None, None, None]

    def flow(num_pairs: int) -> CellFlow:
        noise = torch.from_numpy(rng.normal(0, 0.01, (12, num_pairs, GRID, GRID, 2))).float()
        ones = torch.ones(12, num_pairs, GRID, GRID)
        return CellFlow(speeds=outward * pace + noise, texture=20 * ones, likeness=ones, standing=ones)

    films = FlowFilms(short=flow(NUM_SHORT), long=flow(NUM_LONG), extent=torch.ones(12, 2))
    none = torch.zeros(12, dtype=torch.long)
    return NamedFilms(films=films, movements=movements, worlds=none, num_moving=none)


def test_a_few_steps_lower_the_loss_and_name_unseen_clips():
    task = CameraTask(made_films(), made_films(1), seed=0)
    torch.manual_seed(0)
    network = CameraNet(CameraConfig(hidden_size=16, dropout=0.0))
    losses = []
    for step in range(40):  # by hand: torch.optim takes seconds to import
        loss, _ = task.loss(network, step, batch_size=16)
        slopes = torch.autograd.grad(loss, list(network.parameters()))
        with torch.no_grad():
            for weight, slope in zip(network.parameters(), slopes, strict=True):
                weight -= 0.1 * slope
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    figures = task.validate(network)
    assert figures["macro_f1"] == 1 and 0 <= figures["calibration_error"] <= 1


def test_a_step_is_a_function_of_its_number():
    task, network = CameraTask(made_films(), made_films(1), seed=3), CameraNet(CameraConfig()).eval()
    losses = [float(task.loss(network, step, batch_size=4)[0].detach()) for step in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]


def test_the_temperature_cools_what_is_too_sure():
    truth = torch.tensor([0, 0, 0, 1])
    assert best_temperature(torch.tensor([[9.0, 0.0]]).repeat(4, 1), truth) > 1
    assert best_temperature(torch.eye(2)[truth], truth) < 1


def test_worn_clips_repeat_and_keep_their_speed_in_seconds():
    frames = np.zeros((40, 32, 48, 3), np.uint8)
    first, fps = worn(frames, 24.0, np.random.default_rng(5))
    again, same = worn(frames, 24.0, np.random.default_rng(5))
    assert np.array_equal(first, again) and fps == same and fps in (12.0, 24.0)
    assert len(first) >= 9 and first.shape[1] >= 0.8 * 32 - 1


def test_films_without_parts_are_refused():
    with pytest.raises(InvalidInput, match="num_train=0"):
        replace(CameraFilmsConfig(), num_train=0)
