"""From prompts to films with tiny random networks."""

from dataclasses import replace

import pytest
import torch

from muybridge import Progress, Settings, Video
from muybridge.acceleration.settings import RunSettings
from muybridge.core.errors import DoesNotFit, InvalidInput
from muybridge.core.seeding import noise
from muybridge.flow.samplers import SAMPLERS
from muybridge.pipelines.batches import Bench
from muybridge.pipelines.settings import Defaults
from muybridge.vae import to_vae
from muybridge.vae.tiling import Tiling, decode_tiled
from tests.pipelines.tiny import SMALL, pipeline

PROMPTS = ["a horse", "a red ball bounces on a wooden floor", "fog", "two cats in the rain"]


@pytest.mark.parametrize("settings", [{}, {"cfg": 3.0, "negative": "dark and blurred"}, {"sampler": "heun"}])
def test_latents_are_identical_alone_in_a_batch_and_in_any_order(settings):
    pipe = pipeline()
    chosen = Settings(size="32x16", frames=5, steps=2, **settings)
    seeds = [7, 8, 9, 2**63 - 1]
    requests = [replace(r, seed=seed) for r, seed in zip(pipe.requests(PROMPTS, chosen), seeds, strict=True)]
    together = list(pipe.stream(requests))
    for order in ([0], [1], [2], [3], [3, 1, 0, 2]):
        for i, film in zip(order, pipe.stream([requests[i] for i in order]), strict=True):
            assert torch.equal(film.latents, together[i].latents)
            assert (film.pixels == together[i].pixels).all()


def test_the_noise_is_the_seeds_own():
    """A sampler of one step from sigma 1 to 0 gives noise - velocity, so zero networks give the noise back."""
    pipe = pipeline()
    with torch.no_grad():
        for parameter in pipe.components.transformer.final_layer.parameters():
            parameter.zero_()
    film = pipe("a", seed=5, size="48x32", frames=5, steps=1)
    assert torch.equal(film.latents, noise([5], (4, 2, 4, 6))[0])


def test_a_sentence_gives_a_film_and_a_list_gives_a_list():
    film = pipeline()("a horse", seed=1, **SMALL)
    assert isinstance(film, Video) and film.pixels.shape == (5, 32, 48, 3) and film.pixels.dtype.name == "uint8"
    [same] = pipeline()(["a horse"], seed=1, **SMALL)
    assert (same.pixels == film.pixels).all() and same.settings == film.settings


def test_one_frame_is_a_picture():
    assert pipeline()("a horse", seed=1, size="32x48", frames=1, steps=2).pixels.shape == (1, 48, 32, 3)


@pytest.mark.parametrize("change", [{"seed": 2}, {"prompt": "a cow"}, {"cfg": 3.0}, {"steps": 4}, {"shift": 2.0},
                                    {"guidance": 1.0}, {"sampler": "ab2"}])  # fmt: skip
def test_every_setting_acts(change):
    settings = {"prompt": "a horse", "seed": 1, **SMALL}
    plain, changed = pipeline()(**settings), pipeline()(**{**settings, **change})
    assert not torch.equal(plain.latents, changed.latents)


def test_steadying_touches_pixels_alone_and_is_recorded():
    plain, steady = (pipeline()(prompt="a horse", seed=1, steady=strength, **SMALL) for strength in (0.0, 0.5))
    assert torch.equal(plain.latents, steady.latents) and (plain.pixels != steady.pixels).any()
    assert (plain.settings["steady"], steady.settings["steady"]) == (0.0, 0.5)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_runs(name):
    assert torch.isfinite(pipeline()("a", seed=1, sampler=name, **SMALL).latents).all()


def test_a_seed_that_was_drawn_is_recorded_and_repeats_the_film():
    film = pipeline()("a horse", **SMALL)
    assert torch.equal(pipeline()("a horse", seed=film.seed, **SMALL).latents, film.latents)


def test_settings_say_all_that_repeats_the_film():
    settings = pipeline()("a horse", seed=3, guidance=6, cfg="2@0-1", **SMALL).settings
    expected = {
        "prompt": "a horse", "negative": "ugly", "size": "48x32", "frames": 5, "steps": 3, "shift": 17.0,
        "guidance": 6.0, "cfg": "2@0-1", "rescale": 0.7, "seed": 3, "sampler": "euler",
        "model": "tiny", "dtype": "float32",
    }  # fmt: skip
    assert expected.items() <= settings.items()
    assert set(settings["weights"]) == {"transformer", "vae"} and settings["versions"]["torch"] == torch.__version__


def test_progress_counts_every_stage_to_its_end():
    seen: list[Progress] = []
    pipeline()(["a", "b"], seed=1, on_progress=seen.append, **SMALL)
    for stage, total in (("text", 2), ("denoise", 6), ("decode", 2)):
        counts = [progress.done for progress in seen if progress.stage == stage]
        assert counts == sorted(counts) and counts[-1] == total and counts[0] == 0


def test_a_callback_that_raises_stops_the_work():
    def stop(progress: Progress) -> None:
        if progress.stage == "denoise" and progress.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline()("a", seed=1, on_progress=stop, **SMALL)


def test_films_arrive_one_by_one():
    pipe = pipeline()
    counts: list[int] = []
    requests = pipe.requests(["a", "b"], Settings(seed=1, **SMALL))
    stream = pipe.stream(requests, on_progress=lambda p: counts.append(p.done) if p.stage == "decode" else None)
    next(stream)
    assert counts[-1] == 1


def test_tiled_decoding_is_used_where_it_is_asked_for():
    tiling = Tiling(sample_px=32, sample_frames=16)
    pipe = pipeline(tiling=tiling)
    pipe.components = replace(pipe.components, run=RunSettings(vae_mode="tiled"))
    film = pipe("a", seed=1, size="64x64", frames=5, steps=1)
    decoded = decode_tiled(pipe.components.vae, to_vae(film.latents[None], pipe.components.vae.config), tiling)
    assert torch.equal(pipe.decode(film.latents[None]), decoded)
    assert not torch.equal(pipeline().decode(film.latents[None]), decoded)


def test_guidance_is_refused_where_the_weights_have_none():
    with pytest.raises(InvalidInput, match="guidance=6.*no guidance embedding"):
        pipeline(has_guidance=False)("a", guidance=6.0, **SMALL)
    assert pipeline(has_guidance=False)("a", seed=1, **SMALL).settings["guidance"] is None


def test_more_than_memory_holds_is_refused_before_the_work_starts():
    def never(progress: Progress) -> None:
        raise AssertionError("work has started")

    with pytest.raises(DoesNotFit, match=r"2048x2048 with 65 frames: needs about .* GiB .*nearest that fits is"):
        pipeline()("a", size="2048x2048", frames=65, memory="2GiB", on_progress=never)


@pytest.mark.parametrize("prompt", [[], "", ["a", " "], 7, None])
def test_prompts_that_say_nothing_are_refused(prompt):
    with pytest.raises(InvalidInput):
        pipeline()(prompt, **SMALL)


def test_other_weights_are_noticed():
    pipe = pipeline()
    settings = pipe("a", seed=1, **SMALL).settings
    pipe.check_same_weights(settings)
    with pytest.raises(InvalidInput, match="vae of tiny"):
        pipe.check_same_weights({**settings, "weights": {"vae": "f" * 64}})


def test_the_text_encoder_is_loaded_once_and_can_be_given_up():
    pipe = pipeline()
    loads: list[int] = []
    original = pipe.components.text._load
    pipe.components.text._load = lambda: (loads.append(1), original())[1]
    pipe("a", seed=1, **SMALL)
    pipe("b", seed=1, **SMALL)
    assert len(loads) == 1
    pipe.components = replace(pipe.components, run=RunSettings(keeps_text=False))
    pipe("c", seed=1, **SMALL)
    pipe("d", seed=1, **SMALL)
    assert len(loads) == 2  # for both: it was given up after the first


def test_defaults_of_the_model_are_used():
    pipe = pipeline(defaults=Defaults(width=32, height=32, frames=1, steps=2, shift=3.0, fps=12))
    film = pipe("a", seed=1)
    assert film.pixels.shape == (1, 32, 32, 3) and film.fps == 12 and film.settings["shift"] == 3.0


def test_a_batch_on_an_accelerator_holds_films_that_differ_in_prompt_and_seed_only(monkeypatch):
    """The batching an accelerator gets, driven here on the CPU."""
    pipe = pipeline()
    monkeypatch.setattr(Bench, "batch_size", lambda *_: 2)
    requests = pipe.requests(["a", "a cow in the rain", "fog"], Settings(seed=1, **SMALL))
    requests.append(replace(requests[0], num_steps=2))
    bench = pipe.bench()
    assert [len(batch) for batch in bench.batches(requests, bench.runs(requests))] == [2, 1, 1]
    together = list(pipe.stream(requests))
    monkeypatch.undo()
    for request, film in zip(requests, together, strict=True):
        [alone] = pipe.stream([request])
        torch.testing.assert_close(film.latents, alone.latents, rtol=1e-3, atol=1e-3)
        assert film.settings == alone.settings
