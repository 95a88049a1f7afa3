"""Films of a whole pipeline that are stopped and go on, and are looked at on the way."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge import Pipeline, Progress, Settings, Video
from muybridge.core.errors import InvalidInput
from muybridge.vae.glance import REDUCTION
from tests.pipelines.tiny import SMALL, pipeline

STEPS = 12


class Stop(Exception):
    """Ctrl-C."""


def stops_at(step: int) -> Callable[[Progress], None]:
    def on_progress(progress: Progress) -> None:
        if progress.stage == "denoise" and progress.done == step:
            raise Stop

    return on_progress


def passes(pipe: Pipeline) -> list[int]:
    """How often the transformer has run since, as a list of one."""
    count = [0]
    pipe.components.transformer.register_forward_hook(lambda *_: count.__setitem__(0, count[0] + 1))
    return count


def film(pipe: Pipeline, **settings: object) -> Video:
    made = pipe("a horse", **{"seed": 1, **SMALL, "steps": STEPS, **settings})
    assert isinstance(made, Video)
    return made


@pytest.mark.parametrize(
    "settings", [{}, {"cfg": 3.0}, {"speed": "2x"}, {"sampler": "abm2", "cfg": 2.0, "speed": "1.5x"}]
)
def test_a_stopped_film_goes_on_where_it_was_and_is_the_same(tmp_path: Path, settings: dict[str, object]):
    expected = film(pipeline(), **settings)
    with pytest.raises(Stop):
        film(pipeline(), resume_dir=tmp_path, on_progress=stops_at(7), **settings)
    pipe = pipeline()
    whole, rest = passes(pipe), passes(pipe)
    film(pipe, **settings)
    num_whole, rest[0] = whole[0], 0
    resumed = film(pipe, resume_dir=tmp_path, **settings)
    assert torch.equal(resumed.latents, expected.latents) and (resumed.pixels == expected.pixels).all()
    assert resumed.settings == expected.settings
    assert 0 < rest[0] < 0.7 * num_whole


def test_the_file_is_the_same_to_the_byte_and_nothing_is_kept_once_it_is_saved(tmp_path: Path):
    film(pipeline()).save(tmp_path / "whole" / "a.mp4")
    with pytest.raises(Stop):
        film(pipeline(), resume_dir=tmp_path / "state", on_progress=stops_at(5))
    assert list((tmp_path / "state").iterdir())
    resumed = film(pipeline(), resume_dir=tmp_path / "state")
    assert list((tmp_path / "state").iterdir())  # not yet
    resumed.save(tmp_path / "resumed" / "a.mp4")
    assert not list((tmp_path / "state").iterdir())
    for name in ("a.mp4", "a.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "resumed" / name).read_bytes()


def test_films_of_a_list_that_were_through_are_not_made_again(tmp_path: Path):
    prompts, chosen = ["a", "b", "c"], {**SMALL, "seed": 3, "steps": 4}
    expected = pipeline()(prompts, **chosen)
    with pytest.raises(Stop):
        pipeline()(prompts, resume_dir=tmp_path, on_progress=stops_at(2 * 4 + 1), **chosen)
    pipe = pipeline()
    count, seen = passes(pipe), []
    resumed = pipe(prompts, resume_dir=tmp_path, on_progress=seen.append, **chosen)
    assert count[0] == 3
    for own, other in zip(resumed, expected, strict=True):
        assert torch.equal(own.latents, other.latents) and own.settings == other.settings
    done = [progress.done for progress in seen if progress.stage == "denoise"]
    assert done[-1] == 12 and done == sorted(done)


def test_a_state_of_other_settings_weights_or_threads_is_not_used(tmp_path: Path):
    with pytest.raises(Stop):
        film(pipeline(), resume_dir=tmp_path, on_progress=stops_at(7))
    for changes in ({"seed": 2}, {"sampler": "ab2"}):
        pipe = pipeline()
        count = passes(pipe)
        assert torch.equal(film(pipe, resume_dir=tmp_path, **changes).latents, film(pipeline(), **changes).latents)
        assert count[0] >= STEPS
    pipe = pipeline()
    pipe.components.weights["transformer"] = "f" * 64  # type: ignore[index]
    count = passes(pipe)
    film(pipe, resume_dir=tmp_path)
    assert count[0] == STEPS


def test_without_a_seed_the_same_call_in_the_same_folder_makes_the_same_film(tmp_path: Path):
    settings = Settings(size="32x16", frames=1, steps=1)
    seeds = [
        [request.seed for request in pipeline().requests(["a", "b"], settings, resume_dir=tmp_path / name)]
        for name in ("one", "one", "two")
    ]
    assert seeds[0] == seeds[1] != seeds[2]


def test_a_folder_that_cannot_be_is_refused_before_any_work(tmp_path: Path):
    (tmp_path / "file").write_text("")
    pipe = pipeline()
    count = passes(pipe)
    with pytest.raises(InvalidInput, match="resume_dir"):
        film(pipe, resume_dir=tmp_path / "file")
    assert count[0] == 0


def test_a_preview_is_the_film_that_the_last_velocity_points_to():
    """In the last step of Euler's rule that is the finished film."""
    previews: list[np.ndarray] = []

    def on_progress(progress: Progress) -> None:
        if progress.preview is not None:
            previews.append(progress.preview())

    pipe = pipeline()
    made = film(pipe, on_progress=on_progress)
    assert len(previews) == STEPS
    assert all(preview.shape == (5, 32 // REDUCTION, 48 // REDUCTION, 3) for preview in previews)
    assert (previews[-1] == pipe.glances.of(made.latents)).all()
    assert (previews[0] != previews[-1]).any()


def test_nobody_looking_costs_nothing():
    """The small decoder is not even fitted."""
    pipe = pipeline()
    count = [0]
    pipe.components.vae.encoder.register_forward_hook(lambda *_: count.__setitem__(0, count[0] + 1))
    film(pipe, on_progress=lambda progress: None)
    assert count[0] == 0
