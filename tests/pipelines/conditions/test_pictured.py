"""What weights that were made for pictures do with one, and what they refuse; the text double sees none."""

from dataclasses import replace

import pytest
import torch

from muybridge import Pipeline
from muybridge.core.errors import InvalidInput
from muybridge.pipelines.conditions.pictured import STEADYING_SHARE
from muybridge.pipelines.conditions.starting import start_of
from muybridge.pipelines.settings import Settings
from muybridge.pipelines.start import Start
from muybridge.weights.picture_use import LATENT_CONCAT, TOKEN_REPLACE, PictureUse
from tests.pipelines import tiny
from tests.text.tiny import picture
from tests.transformer.networks import TINY, network

CALL = {**tiny.SMALL, "frames": 9, "seed": 1}
CHANNELS = {TOKEN_REPLACE: TINY.in_channels, LATENT_CONCAT: 2 * TINY.in_channels + 1}
KINDS = pytest.mark.parametrize("use", CHANNELS, ids=lambda use: use.name)


def pipeline(use: PictureUse) -> Pipeline:
    """A tiny one of this kind, in memory."""
    config = replace(TINY, in_channels=CHANNELS[use], out_channels=TINY.in_channels)
    made = replace(tiny.pipeline().components, transformer=network(config).requires_grad_(False), picture_use=use)
    return Pipeline(made)


def start(use: PictureUse, **given) -> Start:
    pipe = pipeline(use)
    [request] = pipe.requests(["a"], Settings.of({**CALL, **given}))
    found = start_of(request, pipe.components)
    assert found is not None
    return found


@KINDS
def test_a_film_begins_with_the_picture(use: PictureUse):
    film = pipeline(use)("a red ball", image=picture(48, 32), **CALL)
    assert len(film.pixels) == 9
    other = pipeline(use)("a red ball", image=picture(48, 32)[::-1].copy(), **CALL)
    assert not torch.equal(film.latents, other.latents)
    first = start(use, image=picture(48, 32)).given[:, 0]
    assert torch.equal(film.latents[:, 0], first) is not use.stands_beside


def test_the_picture_is_held_or_stands_beside():
    held, beside = (start(use, image=picture()) for use in CHANNELS)
    assert held.held.tolist() == [True, False, False] and held.beside is None
    assert beside.held.tolist() == [False] * 3 and beside.beside is not None
    latents, mask = beside.beside[:-1], beside.beside[-1]
    assert torch.equal(latents[:, 0], beside.given[:, 0]) and not latents[:, 1:].any()
    assert mask[0].all() and not mask[1:].any()


@KINDS
def test_the_noise_has_a_little_of_the_picture_unless_the_film_is_dynamic(use: PictureUse):
    calm, dynamic = (start(use, image=picture(), dynamic=dynamic) for dynamic in (False, True))
    assert (calm.noise_mix, dynamic.noise_mix) == (STEADYING_SHARE, 0)
    assert torch.equal(calm.given, calm.given[:, :1].expand_as(calm.given))


@KINDS
def test_the_same_request_repeats_and_dynamic_is_recorded(use: PictureUse):
    pipe = pipeline(use)
    first = pipe("a", image=picture(), dynamic=True, **CALL)
    again = pipe("a", image=picture(), **{**CALL, "dynamic": first.settings["dynamic"], "shift": 17.0})
    assert torch.equal(first.latents, again.latents) and first.settings["shift"] == 17.0


@KINDS
@pytest.mark.parametrize("given", [{}, {"last_image": picture()}])
def test_a_film_that_begins_with_nothing_is_refused(use: PictureUse, given: dict):
    with pytest.raises(InvalidInput, match="no image: the weights of tiny make films that begin with a picture"):
        pipeline(use)("a", **{**CALL, **given})


def test_only_weights_made_for_pictures_are_dynamic():
    with pytest.raises(InvalidInput, match="dynamic: acts on weights that were made for pictures"):
        tiny.pipeline()("a", image=picture(), dynamic=True, **CALL)
