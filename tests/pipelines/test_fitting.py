"""How a request is run: plainly, or as memory allows."""

from dataclasses import replace

import pytest
import torch

from muybridge.acceleration.facts import Model, TextFacts
from muybridge.core.errors import DoesNotFit, InvalidInput
from muybridge.pipelines.fitting import SETTLED, RunChoice, fits, fitted, plain_run, unusual, work_bytes
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.settings import Defaults, Settings
from muybridge.transformer import TransformerConfig
from muybridge.vae import VAEConfig
from tests.pipelines.tiny import SMALL, pipeline

CPU = torch.device("cpu")
FILM = GenerationRequest(prompt="a")
RELEASED = Model(
    name="released", transformer=TransformerConfig(), vae=VAEConfig(), text=TextFacts(num_parameters=7_600_000_000)
)
PLAIN = plain_run(dtype="bfloat16", device=CPU)


@pytest.fixture(autouse=True)
def nothing_is_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))


def test_what_fits_is_run_plainly():
    assert fitted(RELEASED, FILM, PLAIN, settled=SETTLED, device=CPU, memory="500GiB") is PLAIN


def test_what_does_not_fit_is_run_another_way_that_does():
    run = fitted(RELEASED, FILM, PLAIN, settled=("dtype",), device=CPU, memory="24GiB")
    assert run.weights == "disk" and run.quantise is None
    assert fits(RELEASED, FILM, run, device=CPU, memory="24GiB")
    assert "blocks wait on the disk and come one by one" in unusual(run, device=CPU)


def test_what_was_asked_for_is_said_in_words():
    asked = replace(PLAIN, attention="radial:0.5", compiles=True, quantise="int8")
    assert unusual(asked, device=CPU) == ["weights in int8", "attention by radial:0.5", "blocks are compiled"]


def test_what_was_settled_stays():
    with pytest.raises(DoesNotFit, match="use a machine with more memory"):
        fitted(RELEASED, FILM, PLAIN, settled=SETTLED, device=CPU, memory="24GiB")


def test_a_choice_is_made_for_the_films_it_is_told_of():
    small = RunChoice(films=Settings(size="256x256", frames=5), memory="60GiB")
    large = RunChoice(films=Settings(size="1280x720", frames=129), memory="60GiB")
    runs = [choice.settle(RELEASED, Defaults(), dtype="bfloat16", device=CPU) for choice in (small, large)]
    assert runs[0] == PLAIN and runs[1] != PLAIN


def test_values_that_are_none_are_refused():
    for wanted in ({"quantise": "int3"}, {"weights": "cloud"}, {"vae_mode": "blurred"}):
        with pytest.raises(InvalidInput, match="known are"):
            RunChoice(wanted=wanted).settle(RELEASED, Defaults(), dtype="bfloat16", device=CPU)
    with pytest.raises(InvalidInput, match="weights=host: on a CPU .* use device, or disk"):
        RunChoice(wanted={"weights": "host"}).settle(RELEASED, Defaults(), dtype="bfloat16", device=CPU)
    with pytest.raises(InvalidInput, match="amount of memory"):
        RunChoice(memory="plenty").settle(RELEASED, Defaults(), dtype="bfloat16", device=CPU)


def test_more_pixels_need_more_beside_the_weights():
    sizes = [replace(FILM, num_frames=frames) for frames in (1, 65, 129)]
    needs = [work_bytes(RELEASED, film, PLAIN) for film in sizes]
    assert needs == sorted(needs) and needs[0] < needs[1] < needs[2]


def test_a_call_with_little_memory_is_refused_before_the_work():
    with pytest.raises(DoesNotFit, match="nearest that fits|more memory"):
        pipeline()("a", **SMALL, memory="1MiB")


def test_memory_changes_how_and_not_what():
    pipe = pipeline()
    plain = pipe("a", **SMALL, seed=1)
    run = replace(pipe.components.run, vae_mode="spill", evicts_modulation=True, chunk_tokens=4, keeps_text=False)
    pipe.components = replace(pipe.components, run=run)
    other = pipe("a", **SMALL, seed=1)
    assert torch.allclose(plain.latents, other.latents, atol=1e-5)
    assert abs(plain.pixels.astype(int) - other.pixels).max() <= 1
