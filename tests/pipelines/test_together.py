"""Films that share every pass of the network: each as alone, whoever comes and goes."""

import threading
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from muybridge import LoraUse, Settings
from muybridge.pipelines.denoise import Means, Plan, Prompts, denoise
from muybridge.pipelines.loras import LoraShelf
from muybridge.pipelines.together import Together
from muybridge.text.encoder import HashEncoder
from muybridge.transformer import Transformer
from tests.pipelines.test_loras import lora_file
from tests.pipelines.tiny import pipeline
from tests.transformer.networks import TINY, network

ENCODER = HashEncoder(text_dim=TINY.text_dim, pooled_dim=TINY.pooled_dim)
MIXED: tuple[dict[str, Any], ...] = (  # 48 to 120 tokens: from 32 on, kernels round alike
    {"size": "96x64", "frames": 5, "steps": 3},
    {"size": "80x128", "frames": 1, "steps": 5, "sampler": "heun"},
    {"size": "96x64", "frames": 17, "steps": 2, "cfg": 3.0},
    {"size": "128x80", "frames": 5, "steps": 4, "sampler": "ab2", "guidance": 2.0, "shift": 3.0},
    {"size": "96x64", "frames": 5, "steps": 4, "cfg": 4.0, "negative": "dark"},
)


def requests_of(pipe, changes=MIXED):
    made = []
    for seed, choices in enumerate(changes):
        made += pipe.requests([f"film number {seed}"], Settings(seed=seed, **choices))
    return made


def films(pipe, requests, **options):
    return [film.latents for film in pipe.stream(requests, **options)]


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 2, 0)])
def test_mixed_films_are_as_alone_to_the_bit_on_a_cpu(order):
    pipe = pipeline()
    requests = [requests_of(pipe)[i] for i in order]
    alone = [film for request in requests for film in films(pipe, [request], together=False)]
    for film, expected in zip(films(pipe, requests, together=True), alone, strict=True):
        assert torch.equal(film, expected)


def test_small_films_share_passes_by_themselves_and_tiny_or_compiled_ones_do_not():
    pipe = pipeline()
    passes = count_passes(pipe.components.transformer)
    requests = requests_of(pipe, [MIXED[0], MIXED[0]])
    films(pipe, requests)
    assert passes() == 3
    films(pipe, requests, together=False)
    assert passes() == 6
    films(pipe, requests_of(pipe, [{"size": "32x32", "frames": 1, "steps": 2}] * 2), together=True)
    assert passes() == 4


def test_both_halves_of_guidance_are_one_pass():
    pipe = pipeline()
    passes = count_passes(pipe.components.transformer)
    films(pipe, requests_of(pipe, [MIXED[2], MIXED[2]]))
    assert passes() == 2


def test_loras_differ_from_film_to_film(tmp_path: Path):
    pipe = pipeline()
    first, second = (LoraUse(file=lora_file(tmp_path, pipe, seed)) for seed in (1, 2))
    uses = [(first,), (), (replace(first, weight=-0.5), second), (replace(second, steps=(2, 3)),), (first,)]
    requests = [replace(r, loras=own) for r, own in zip(requests_of(pipe), uses, strict=True)]
    alone = [film for request in requests for film in films(pipe, [request])]
    for film, expected in zip(films(pipe, requests, together=True), alone, strict=True):
        torch.testing.assert_close(film, expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(films(pipe, requests[1:2])[0], alone[1])


def test_what_raises_in_one_film_ends_all_and_leaves_no_thread():
    pipe = pipeline()

    def stop(progress):
        if progress.stage == "denoise" and progress.done == 4:
            raise ZeroDivisionError

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        films(pipe, requests_of(pipe), together=True, on_progress=stop)
    assert threading.active_count() == before
    assert all(type(module).__name__ != "Table" for module in pipe.components.transformer.modules())


def count_passes(model: Transformer):
    calls = []
    model.double_blocks[0].register_forward_hook(lambda *_: calls.append(1))

    def since() -> int:
        number = len(calls)
        calls.clear()
        return number

    return since


def sampled(model: Transformer, prompt: str, *, frames: int = 3, steps: int = 3):
    """What `Together.add` takes."""

    def sample(seat):
        prompts = Prompts(positive=ENCODER.encode([prompt], num_frames=5), negative=None)
        plan = Plan(num_steps=steps, shift=7.0, sampler="euler", guidance=6.0, cfg=1.0)
        means = Means() if seat is None else Means(prepare=seat.prepared)
        return denoise(model, prompts, plan=plan, seeds=[frames], shape=(4, frames, 8, 8), means=means)

    return sample


def running(model: Transformer, **changes: Any) -> Together:
    return Together(model, loras=LoraShelf(model), **{"has_room": lambda _films: True, **changes})


def test_a_film_joins_between_passes_and_leaves_when_it_is_done():
    model = network()
    passes = count_passes(model)
    with running(model) as together:
        first = together.add(sampled(model, "a horse", steps=4))
        together.step(), together.step()
        second = together.add(sampled(model, "a red ball", frames=5, steps=1))
        assert torch.equal(together.wait(second), sampled_alone(model, "a red ball", frames=5, steps=1))
        assert not first.done() and torch.equal(together.wait(first), sampled_alone(model, "a horse", steps=4))
        assert not together.step()
    assert passes() == 4 + 1 + 4  # the two alone count too


def sampled_alone(model: Transformer, prompt: str, **changes: int):
    return sampled(model, prompt, **changes)(None)


def test_those_wait_for_whom_there_is_no_room():
    model = network()
    most = []

    def has_room(sizes):
        most.append(len(sizes))
        return len(sizes) <= 2

    with running(model, has_room=has_room) as together:
        made = [together.add(sampled(model, "fog", frames=frames), size=frames) for frames in (2, 3, 4)]
        together.step()
        assert max(most) == 3 and len(together._running) == 2
        for frames, film in zip((2, 3, 4), made, strict=True):
            assert torch.equal(together.wait(film), sampled_alone(model, "fog", frames=frames))


def test_a_film_that_fails_or_is_cancelled_leaves_the_others_alone():
    model, before = network(), threading.active_count()
    with running(model) as together:
        fails = together.add(lambda _seat: 1 / 0)
        cancelled = together.add(sampled(model, "a cow"))
        stays = together.add(sampled(model, "a horse"))
        together.step()
        cancelled.cancel()
        assert torch.equal(together.wait(stays), sampled_alone(model, "a horse"))
        with pytest.raises(ZeroDivisionError):
            together.wait(fails)
        with pytest.raises(CancelledError):
            together.wait(cancelled)
    assert threading.active_count() == before


def test_an_error_of_the_network_comes_to_every_film():
    model = network()
    hook = model.single_blocks[0].register_forward_pre_hook(lambda *_: 1 / 0)
    with running(model) as together:
        made = [together.add(sampled(model, "fog")) for _ in range(2)]
        for film in made:
            with pytest.raises(ZeroDivisionError):
                together.wait(film)
        hook.remove()
        assert torch.equal(together.wait(together.add(sampled(model, "fog"))), sampled_alone(model, "fog"))
