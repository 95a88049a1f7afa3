"""Pictures and films through a whole pipeline with random weights."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from muybridge import Settings, load
from muybridge.core.errors import InvalidInput, MediaError
from muybridge.media.frames import from_uint8, to_uint8
from muybridge.pipelines.batches import Bench
from muybridge.pipelines.coding import encoded
from muybridge.pipelines.conditions.starting import start_of
from muybridge.pipelines.settings import Defaults
from muybridge.vae.steady import steadied
from tests.pipelines.conditions.pictures import film, gradient, mask, moving, picture
from tests.pipelines.tiny import pipeline

SMALL = {"size": "48x32", "frames": 9, "steps": 2, "seed": 1}


@pytest.fixture(scope="module")
def pipe():
    return pipeline()


def given(pipe, frames: np.ndarray) -> torch.Tensor:
    return encoded(pipe.components, frames)


def start(pipe, **settings):
    [request] = pipe.requests(["a"], Settings.of({**SMALL, **settings}))
    return start_of(request, pipe.components)


def test_an_image_is_the_first_latent_to_the_bit(pipe):
    made = pipe("a", image=gradient(), **SMALL)
    assert torch.equal(made.latents[:, :1], given(pipe, gradient()[None]))
    assert not torch.equal(made.latents, pipe("a", **SMALL).latents)


def test_both_ends_and_keyframes_are_held_where_they_belong(pipe):
    latents = pipe("a", **{**SMALL, "frames": 17}, image=gradient(), last_image=gradient(), keyframes={8: gradient()})
    still = given(pipe, np.repeat(gradient()[None], 9, axis=0))[:, -1]
    assert torch.equal(latents.latents[:, 0], given(pipe, gradient()[None])[:, 0])
    assert torch.equal(latents.latents[:, 2], still) and torch.equal(latents.latents[:, 4], still)


def test_a_film_at_full_strength_is_text_to_video(pipe):
    plain = pipe("a", **SMALL)
    assert torch.equal(pipe("a", video=moving(9), strength=1.0, **SMALL).latents, plain.latents)


def test_less_strength_keeps_more_of_the_film(pipe):
    base = given(pipe, moving(9))
    far = [
        (pipe("a", **{**SMALL, "steps": 10}, video=moving(9), strength=s).latents - base).abs().mean()
        for s in (1.0, 0.5, 0.01)
    ]
    assert far == sorted(far, reverse=True) and far[-1] < 0.2 * far[0]


def test_a_picture_is_made_anew_as_a_film_is(pipe):
    made = pipe("a", **{**SMALL, "frames": 1}, video=gradient(), strength=0.5)
    assert made.pixels.shape == (1, 32, 48, 3)


def test_what_is_black_in_the_mask_stays_to_the_bit(pipe, tmp_path):
    left = mask(tmp_path / "mask.png", white=(0, 0, 20, 32))
    made, base = pipe("a", video=moving(9), mask=left, **SMALL).latents, given(pipe, moving(9))
    assert torch.equal(made[..., 3:], base[..., 3:])  # 20 px of white reach into the third cell
    assert (made - base)[..., :3].abs().mean() > 0.1


def test_a_picture_and_a_mask_keep_the_rest_standing_still(pipe, tmp_path):
    right = mask(tmp_path / "mask.png", white=(24, 0, 48, 32))
    made = pipe("a", image=gradient(), mask=right, **SMALL).latents
    assert torch.equal(made[..., :3], given(pipe, np.repeat(gradient()[None], 9, axis=0))[..., :3])


def test_a_mask_that_moves_frees_frames_as_a_whole(pipe):
    white = np.zeros((9, 32, 48, 3), np.uint8)
    white[5:] = 255
    found = start(pipe, video=moving(9), mask=white)
    assert found.held.tolist() == [True, True, False] and found.made is None


@pytest.mark.parametrize(("overlap", "held"), [(1, 1), (5, 2)])
def test_a_film_goes_on_from_its_last_frames(pipe, overlap, held):
    before = moving(17)
    made = pipe("a", extend=before, overlap=overlap, **SMALL)
    assert made.num_frames == 17 + 9 - overlap
    assert (made.pixels[: 17 - overlap] == before[: 17 - overlap]).all()
    assert torch.equal(made.latents[:, :held], given(pipe, before[-overlap:]))


def test_a_film_is_led_up_to_from_before(pipe):
    after = moving(17)
    made = pipe("a", extend=after, overlap=5, direction="backwards", **SMALL)
    assert made.num_frames == 17 + 9 - 5 and (made.pixels[-12:] == after[5:]).all()
    assert torch.equal(made.latents[:, -1:], given(pipe, after[:5])[:, 1:])


def test_an_overlap_passes_evenly_from_one_film_to_the_other(pipe):
    before = moving(9)
    made = pipe("a", extend=before, overlap=5, **SMALL)
    decoded = pipe.decode(made.latents[None])[0, :, :5]
    weight = torch.arange(1, 6)[:, None, None] / 6
    expected = (1 - weight) * from_uint8(before[-5:]) + weight * decoded.clamp(-1, 1)
    mixed = from_uint8(made.pixels[4:9])
    torch.testing.assert_close(mixed, expected, rtol=0, atol=1.01 / 127.5)  # two roundings to levels


def test_films_in_a_list_are_those_alone_to_the_bit(pipe):
    prompts = ["a", "a cow", "fog"]
    together = pipe(prompts, image=gradient(), **SMALL)
    for index, prompt in enumerate(prompts):
        alone = pipe(prompt, image=gradient(), **{**SMALL, "seed": 1 + index})
        assert torch.equal(alone.latents, together[index].latents)


def test_a_batch_as_an_accelerator_has_it_agrees_with_its_films(pipe, monkeypatch):
    requests = pipe.requests(["a", "a cow"], Settings.of({"image": gradient(), **SMALL}))
    other = Settings.of({"image": gradient()[::-1].copy(), **SMALL})
    requests = [requests[0], replace(requests[1], conditions=pipe.requests(["b"], other)[0].conditions)]
    alone = [next(iter(pipe.stream([request]))) for request in requests]
    monkeypatch.setattr(Bench, "batch_size", lambda *_: 2)
    bench = pipe.bench()
    assert [len(batch) for batch in bench.batches(requests, bench.runs(requests))] == [2]
    for one, both in zip(alone, pipe.stream(requests), strict=True):
        torch.testing.assert_close(one.latents, both.latents, rtol=1e-3, atol=1e-3)
        assert torch.equal(one.latents[:, :1], both.latents[:, :1])


def test_a_record_repeats_the_film_from_its_files(pipe, tmp_path):
    settings = {
        "image": picture(tmp_path / "a.png"), "last_image": picture(tmp_path / "b.png", gradient()[::-1].copy()),
        **SMALL,
    }  # fmt: skip
    made = pipe("a", **settings)
    record = json.loads(json.dumps(made.settings))
    [request] = pipe.requests(["a"], Settings.recorded(record))
    [again] = pipe.stream([request])
    assert torch.equal(again.latents, made.latents) and again.settings == made.settings
    picture(tmp_path / "a.png", gradient()[:, ::-1].copy())
    with pytest.raises(InvalidInput, match="bring the file back"):
        pipe.requests(["a"], Settings.recorded(record))


@pytest.mark.parametrize("settings", [
    {"keyframes": {"0.1s": gradient()}}, {"video": moving(9), "strength": 0.5}, {"extend": moving(9), "overlap": 1},
    {"loop": True},
])  # fmt: skip
def test_a_request_survives_its_record(pipe, settings):
    [request] = pipe.requests(["a"], Settings.of({**SMALL, **settings}))
    values = json.loads(json.dumps(request.to_dict()))
    assert type(request).from_dict(values) == request


def test_a_picture_picks_the_size_where_nothing_else_does():
    pipe = pipeline(defaults=Defaults(width=64, height=64, frames=5, steps=1))

    def size(**settings):
        [request] = pipe.requests(["a"], Settings.of(settings))
        return request.width, request.height

    assert size(image=gradient(200, 100)) == (96, 48)  # the default's area, at 2:1
    assert size(video=moving(9)) == (48, 32)  # a size that the model takes as it is
    assert size(image=gradient(200, 100), size="32x32") == (32, 32)
    assert size(image=gradient(200, 100), aspect="1:1") == (64, 64) == size()
    assert size(image=gradient(1000, 1)) == (208, 16)  # within 10:1


def never(progress) -> None:
    raise AssertionError("work has started")


@pytest.mark.parametrize(("settings", "says"), [
    ({"video": moving(5)}, "video of 5 frames at 24 fps: is shorter than the film of 9; use frames=5"),
    ({"video": moving(9), "mask": moving(5)}, "mask of 5 frames"),
    ({"video": moving(9), "mask": np.zeros((32, 48, 3), np.uint8)}, "is black everywhere: nothing is to be made"),
    ({"extend": moving(3), "overlap": 5}, "has 3 frames at 24 fps, shorter than the overlap of 5; use overlap=1"),
    ({"image": "missing.png"}, "image missing.png: no such file"),
    ({"image": "."}, "image .: is a folder"),
    ({"keyframes": {9: gradient()}}, "keyframe at 9: the film's last frame is 8"),
])  # fmt: skip
def test_what_cannot_be_made_is_refused_before_the_work_starts(pipe, settings, says):
    with pytest.raises(InvalidInput, match=says.replace(".", r"\.")):
        pipe("a", on_progress=never, **{**SMALL, **settings})


def test_damaged_files_are_refused_before_the_work_starts(pipe, tmp_path):
    cut = film(tmp_path / "a.mp4", 9)
    cut.write_bytes(cut.read_bytes()[:900])
    (tmp_path / "a.png").write_bytes(b"no picture")
    for settings in ({"extend": cut, "overlap": 1}, {"video": cut}, {"image": tmp_path / "a.png"}):
        with pytest.raises(MediaError):
            pipe("a", on_progress=never, **{**SMALL, **settings})


def test_a_loop_has_one_frame_less_and_sees_its_end_before_its_beginning_and_its_beginning_after_its_end(pipe):
    steady = {**SMALL, "frames": 17, "steady": 0.2}  # averages with the frame after
    loop = pipe("a", loop=True, **steady)
    assert loop.num_frames == 16 and loop.latents.shape[1] == 4
    twice = torch.cat([loop.latents[:, -2:], loop.latents, loop.latents[:, :1]], 1)
    whole = to_uint8(steadied(pipe.decode(twice[None]), 0.2)[0])
    once = whole[5:21]
    steps = np.abs(once.astype(float) - np.roll(once, 1, axis=0)).mean((1, 2, 3))
    assert (loop.pixels == np.roll(once, -int(steps.argmin()), axis=0)).all()  # it begins where the least moves


def test_a_loop_of_10_bits_begins_where_that_of_8_does(pipe):
    loop = pipe("a", loop=True, bits=10, **{**SMALL, "frames": 17})
    assert loop.fine is not None and np.abs(loop.fine / 257.0 - loop.pixels).max() <= 0.51


def test_a_loop_through_context_windows_is_turned_as_a_whole(pipe):
    """A window around the whole circle sees it as the network does without windows; smaller ones make another film."""
    plain, wide, narrow = (
        pipe("a", loop=True, **{**SMALL, "frames": 33}, context=context).latents for context in (0, 29, 17)
    )
    assert torch.equal(plain, wide) and not torch.allclose(plain, narrow)


def test_prompts_over_time_on_a_circle_are_refused(pipe):
    with pytest.raises(InvalidInput, match="prompt_at with loop"):
        pipe("a", loop=True, prompt_at={4: "b"}, **SMALL)


def test_a_picture_is_held_in_a_loop_as_the_still_that_it_is(pipe):
    loop = pipe("a", loop=True, image=gradient(), **{**SMALL, "frames": 17})
    assert torch.equal(loop.latents[:, 0], given(pipe, np.repeat(gradient()[None], 9, axis=0))[:, -1])


@pytest.mark.slow
def test_the_end_of_a_loop_meets_its_beginning_as_other_frames_meet():
    """With gallop: mean |last - first| is at most the mean of all other neighbours, and those do move."""
    loop = load("gallop")("a brown horse gallops over green grass", seed=3, size="96x96", steps=8, loop=True).pixels
    steps = np.abs(np.diff(loop.astype(float), axis=0)).mean((1, 2, 3))
    assert np.abs(loop[-1].astype(float) - loop[0]).mean() <= steps.mean() and steps.min() > 0.3
