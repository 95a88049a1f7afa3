"""Laws of films that are made whole through windows, and of the frequency that would make them repeat."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import muybridge
from muybridge.acceleration.settings import RunSettings
from muybridge.pipelines.long.film import LongFilm
from tests.pipelines import tiny
from tests.transformer.networks import TINY, network

PROMPT = "a horse"
FILM = {"size": "32x32", "steps": 2, "seed": 7, "frames": 33}


def test_a_context_as_long_as_the_film_changes_nothing():
    pipe = tiny.pipeline()
    assert torch.equal(pipe(PROMPT, **FILM, context=33).latents, pipe(PROMPT, **FILM).latents)
    assert not torch.equal(pipe(PROMPT, **FILM, context=17).latents, pipe(PROMPT, **FILM).latents)


@pytest.mark.parametrize("given", [{}, {"image": np.full((32, 32, 3), 99, np.uint8)}])
def test_the_network_sees_no_more_than_the_context(given):
    pipe = tiny.pipeline()
    seen = set()
    hook = pipe.components.transformer.img_in.register_forward_pre_hook(lambda _, x: seen.add(x[0].shape[2]))
    pipe(PROMPT, **FILM, context=17, **given)
    hook.remove()
    assert seen == {5}


def test_windows_of_held_frames_find_their_modulation_made_beforehand():
    """Their levels differ from window to window; the network as it is gives the same film."""
    picture = np.full((32, 32, 3), 99, np.uint8)
    pipe = tiny.pipeline()
    plain = muybridge.Pipeline(replace(pipe.components, run=RunSettings(evicts_modulation=False)))
    evicted = muybridge.Pipeline(replace(pipe.components, run=RunSettings(evicts_modulation=True)))
    films = [each(PROMPT, **FILM, context=17, image=picture).latents for each in (plain, evicted)]
    torch.testing.assert_close(*films, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("frames", "index"), [(193, 4), (293, 4), (297, 5), (497, 7), (697, 8), (2049, 8)])
def test_the_frequency_is_chosen_as_released(frames, index):
    assert LongFilm().riflex_index(frames) == index


def test_riflex_is_off_within_the_trained_length_and_in_windows():
    assert LongFilm().riflex_index(129) is None and LongFilm(riflex="off").riflex_index(401) is None
    assert LongFilm(window=129).riflex_index(401) is None and LongFilm(context=129).riflex_index(401) is None
    assert LongFilm(riflex="on").riflex_index(129) == 4


def test_riflex_bends_the_run_and_is_gone_after_it():
    pipe = tiny.pipeline()
    transformer = network(replace(TINY, rope_axes_dim=(8, 4, 4))).requires_grad_(False)
    pipe = muybridge.Pipeline(replace(pipe.components, transformer=transformer))
    before = pipe(PROMPT, **FILM).latents
    bent = pipe(PROMPT, **FILM, riflex="on").latents
    assert not torch.equal(bent, before) and torch.equal(pipe(PROMPT, **FILM).latents, before)


def test_what_was_chosen_is_recorded_and_repeats():
    pipe = tiny.pipeline()
    [made] = pipe.requests([PROMPT], muybridge.Settings(**FILM, context=17, riflex="off"))
    record = pipe.settings_of(made)
    assert (record["context"], record["riflex"]) == (17, "off") and "window" not in record
    assert pipe.requests([PROMPT], muybridge.Settings.recorded(record)) == [made]
