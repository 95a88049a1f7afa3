"""What is drawn during training: held frames come back as given, every shape is shown, memory stays below a step's."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from muybridge.training.tasks.showing import GUIDANCE_SCALE, Showing, leading
from muybridge.transformer import Transformer
from tests.data.small import small_vae
from tests.training.test_flow_matching import TEXT, Rows, model, task


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads hold buffers of their own, which would count."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def showing(**changes: object) -> Showing:
    fixed = {
        "empty": TEXT.encode([""], num_frames=1),
        "shift_of": lambda _: 2.0,
        "guidance_scale": GUIDANCE_SCALE,
        "gives_frames": True,
    }
    return Showing(**fixed | {"seed": 3, "num_steps": 2} | changes)  # type: ignore[arg-type]


def test_every_shape_is_shown_beside_what_was_held_out() -> None:
    films = showing().films(model(), task().held_out, small_vae)
    assert [name.split(maxsplit=1)[1] for name in films if name.startswith("1 ")] == [
        "held out", "drawn", "drawn from its first frame",
    ]  # fmt: skip
    assert {name[0] for name in films} == {"1", "2", "3"}
    assert [name for name in films if name.startswith("2 ")] == ["2 held out", "2 drawn"]  # a picture has no next frame
    assert films["1 drawn"].shape == (1, 9, 32, 32, 3) and films["2 drawn"].shape == (1, 1, 32, 32, 3)
    assert (films["1 drawn"] != films["1 held out"]).any()


def test_the_first_frame_that_is_given_stays_and_the_caption_is_heard() -> None:
    network = model()
    sample, other = leading((Rows().batch(0, batch_size=2, seed=1),), 2)
    drawn = showing().draw(network, sample, num_held=1)
    assert torch.equal(drawn[:, :, 0], sample.latents[:, :, 0]) and not torch.equal(drawn, sample.latents)
    assert torch.equal(drawn, showing().draw(network, sample, num_held=1))
    same_noise = replace(other, latents=sample.latents)
    assert not torch.equal(showing().draw(network, same_noise, num_held=1), drawn)


def test_samples_take_less_memory_than_a_step_of_training() -> None:
    network, flow = model(), task()

    def step() -> None:
        flow.loss(network, 1, batch_size=12)[0].backward()
        network.zero_grad()

    assert peak_bytes(lambda: showing().films(network, flow.held_out, small_vae)) < peak_bytes(step)


def test_without_a_vae_nothing_is_drawn() -> None:
    class Unused(Transformer):
        def forward(self, *_: object) -> torch.Tensor:
            raise AssertionError

    assert task().samples(Unused(model().config)) == {}


def peak_bytes(work: Callable[[], object]) -> int:
    """The most that tensors held at once while `work` ran, beyond what was there before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    results = profiled.profiler
    assert results is not None and results.kineto_results is not None
    changes = [event for event in results.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for change in sorted(changes, key=lambda event: event.start_ns()):
        held += change.nbytes()  # type: ignore[attr-defined]
        peak = max(peak, held)
    return peak
