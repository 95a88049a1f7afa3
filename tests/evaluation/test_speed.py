"""What is measured of a model's speed, on a tiny one."""

import pytest

from muybridge import Progress, Settings
from muybridge.acceleration.device import Device, unmeasured
from muybridge.evaluation.speed import MEASURED_STEPS, SPEED_PROMPT, FilmSeconds, Speed, measure_speed
from muybridge.transformer.cost import forward_flops
from muybridge.vae.cost import decode_flops
from tests.pipelines.tiny import SMALL, pipeline

STEPS = 7
MACHINE = unmeasured("cpu", memory_bytes=2**34, host_bytes=0)


def speed(*, machine: Device = MACHINE, heard: list[Progress] | None = None, **settings: object) -> Speed:
    pipe = pipeline()
    [request] = pipe.requests([SPEED_PROMPT], Settings(**{**SMALL, "seed": 0, "steps": STEPS, **settings}))
    tell = None if heard is None else heard.append
    return measure_speed(pipe, request, machine=lambda: machine, load_s=0.5, repeats=2, on_progress=tell)


def test_a_film_takes_its_text_its_steps_and_its_pixels():
    film = FilmSeconds(text=1.0, prepare=0.5, step=0.25, decode=2.0)
    assert film.total(8) == 1.0 + 0.5 + 8 * 0.25 + 2.0


def test_few_steps_stand_for_all():
    heard: list[Progress] = []
    found = speed(heard=heard)
    steps = [progress for progress in heard if progress.stage == "denoise" and progress.done]
    assert len({progress.done for progress in steps}) == 3 * MEASURED_STEPS == steps[-1].total
    assert found.work.num_steps == STEPS
    assert [progress.done for progress in steps] == sorted(progress.done for progress in steps)


def test_a_picture_of_one_step_is_measured_too():
    found = speed(frames=1, steps=1)
    assert found.usual.step > 0 and found.usual.prepare == 0


@pytest.mark.parametrize(("settings", "passes"), [({}, 1), ({"cfg": "2@0-1"}, 2), ({"sampler": "heun"}, 2)])
def test_a_step_is_so_many_evaluations(settings, passes):
    found = speed(**settings)
    assert found.evaluation_s == found.usual.step / passes


def test_operations_are_those_of_the_closed_forms():
    found = speed()
    text, config = found.model.text.num_tokens, found.model.transformer
    tokens = found.work.num_tokens(found.model)
    assert not found.settings.evicts_modulation
    assert found.network.flops == forward_flops(config, num_visual_tokens=tokens, num_text_tokens=text)
    assert found.decoding.flops == decode_flops(
        found.model.vae, num_frames=5, height_px=32, width_px=48, mode=found.settings.vae_mode
    )
    assert found.network.flops_per_s == pytest.approx(found.network.flops / found.evaluation_s)


def test_a_share_is_of_what_the_machine_reaches():
    found = speed()
    share = found.network
    assert share.of_ceiling == pytest.approx(share.flops_per_s / MACHINE.matmul["float32"][1])


def test_what_was_measured_stands_beside_what_was_predicted():
    found = speed()
    assert found.predicted.of("decode").seconds > 0 and found.predicted_evaluation_s > 0
    assert found.predicted_load_s < found.predicted.of("load").seconds
    assert found.peak_bytes > 2**20 and found.predicted_peak_bytes == found.predicted.peak_bytes
