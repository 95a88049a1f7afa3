"""The fastest setting that fits, and what is said where none does."""

from dataclasses import replace

import pytest

from muybridge.acceleration.device import nominal, unmeasured
from muybridge.acceleration.estimate import estimate
from muybridge.acceleration.facts import Model, TextFacts, Work, weights_of
from muybridge.acceleration.memory import GIB
from muybridge.acceleration.plan import Limits, alternatives, choose
from muybridge.acceleration.settings import RunSettings
from muybridge.core.errors import DoesNotFit, InvalidInput
from muybridge.transformer import TransformerConfig
from muybridge.transformer.cost import num_parameters
from muybridge.vae import VAEConfig

MODEL = Model(
    name="released", transformer=TransformerConfig(), vae=VAEConfig(), text=TextFacts(num_parameters=7_600_000_000)
)
LAYERED = TextFacts(num_parameters=7_190_000_000, num_layers=30, layer_parameters=218_103_808)
FILM = Work(width=1280, height=720, num_frames=129, num_steps=50)
CARD = nominal("4090")
PLAIN = RunSettings(dtype="bfloat16")
AMPLE = Limits(device_bytes=2**50, host_bytes=2**50)


def limits(gib: float) -> Limits:
    return Limits(device_bytes=int(gib * GIB), host_bytes=64 * GIB)


def test_weights_add_up_to_the_network():
    for config in (TransformerConfig(), TransformerConfig(num_single_blocks=0), TransformerConfig(num_double_blocks=3)):
        assert weights_of(config).total == num_parameters(config)


@pytest.mark.parametrize("gib", [8, 24, 80])
def test_what_is_chosen_fits_and_nothing_exact_that_fits_is_faster(gib):
    plan = choose(MODEL, FILM, CARD, limits=limits(gib))
    assert plan.chosen.fits(plan.limits) and not plan.chosen.changes
    rivals = [each for each in plan.candidates if each.fits(plan.limits) and not each.changes]
    assert plan.chosen.phases.seconds <= 1.03 * min(each.phases.seconds for each in rivals)


def test_with_room_for_everything_nothing_is_put_away():
    settings = choose(MODEL, FILM, CARD, limits=AMPLE).settings
    assert (settings.weights, settings.quantise, settings.vae_mode, settings.keeps_text) == (
        "device",
        None,
        "whole",
        True,
    )


def test_more_memory_is_never_slower():
    seconds = [choose(MODEL, FILM, CARD, limits=limits(gib)).chosen.phases.seconds for gib in (8, 24, 80)]
    assert all(after <= 1.03 * before for before, after in zip(seconds, seconds[1:], strict=False))


@pytest.mark.parametrize("wanted", [{"weights": "disk"}, {"vae_mode": "tiled"}, {"chunk_tokens": 512}])
def test_what_is_wanted_is_kept(wanted):
    settings = choose(MODEL, FILM, CARD, limits=AMPLE, wanted=wanted).settings
    assert all(getattr(settings, name) == value for name, value in wanted.items())


def test_changed_results_are_named():
    plan = choose(MODEL, FILM, CARD, limits=AMPLE, wanted={"vae_mode": "tiled"})
    assert any("tiles" in each for each in plan.chosen.changes)


def test_streams_of_frame_norms_are_exact():
    model = replace(MODEL, vae=VAEConfig(norm="frame"))
    assert not choose(model, FILM, CARD, limits=AMPLE, wanted={"vae_mode": "stream"}).chosen.changes
    assert choose(MODEL, FILM, CARD, limits=AMPLE, wanted={"vae_mode": "stream"}).chosen.changes


def test_what_is_named_as_nearest_fits():
    limit = limits(4.5)
    with pytest.raises(DoesNotFit) as caught:
        choose(MODEL, replace(FILM, num_frames=257), CARD, limits=limit)
    message = str(caught.value)
    assert message.startswith("1280x720 with 257 frames: needs about") and message.count("\n") == 0
    for text in message.split("the nearest that fits is ")[1].removesuffix(".").split(" or "):
        size, frames = text.removesuffix(" frames").split(" with ")
        width, height = map(int, size.split("x"))
        choose(MODEL, replace(FILM, width=width, height=height, num_frames=int(frames)), CARD, limits=limit)


def test_too_little_for_anything_is_said():
    with pytest.raises(DoesNotFit, match="use a machine with more memory"):
        choose(MODEL, FILM, CARD, limits=limits(1))


def test_alternatives_hold_what_they_say():
    plan = choose(MODEL, FILM, CARD, limits=limits(24))
    found = list(alternatives(plan))
    assert {name for name, _, _ in found} >= {"weights", "vae_mode", "evicts_modulation", "keeps_text"}
    for name, value, candidate in found:
        assert getattr(candidate.settings, name) == value != getattr(plan.settings, name)


@pytest.mark.parametrize(
    "less", [{"weights": "disk"}, {"evicts_modulation": True}, {"keeps_text": False}, {"vae_mode": "spill"}]
)
def test_each_saving_takes_less(less):
    plain, saving = (estimate(MODEL, FILM, each, CARD) for each in (PLAIN, replace(PLAIN, **less)))
    assert sum(phase.num_bytes for phase in saving.phases) < sum(phase.num_bytes for phase in plain.phases)


def test_the_text_encoder_waits_on_the_disk_where_nothing_else_fits():
    model, cpu = replace(MODEL, text=LAYERED), unmeasured("cpu", memory_bytes=16 * GIB, host_bytes=0)
    film = replace(FILM, width=960, height=544)
    settings = choose(model, film, cpu, limits=limits(12), wanted={"dtype": "bfloat16"}).settings
    assert (settings.weights, settings.text_weights) == ("disk", "disk")
    with pytest.raises(DoesNotFit):
        choose(MODEL, film, cpu, limits=limits(12), wanted={"dtype": "bfloat16"})


def test_streams_are_there_while_they_compute():
    settings = replace(PLAIN, weights="disk", text_weights="disk")
    phases = estimate(replace(MODEL, text=LAYERED), FILM, settings, CARD)
    ways = {name: {part for part in phases.of(name).parts if "way" in part} for name in ("load", "text", "decode")}
    assert ways == {"load": set(), "text": {"layers on their way"}, "decode": set()}
    assert phases.of("denoise").parts["blocks on their way"] > 0


def test_a_speed_makes_so_many_forwards_fewer():
    plain, cached = (estimate(MODEL, replace(FILM, budget=each), PLAIN, CARD) for each in (None, "speed=2x"))
    assert cached.of("denoise").seconds == plain.of("denoise").seconds / 2
    plan = choose(MODEL, replace(FILM, budget="speed=2x"), CARD, limits=AMPLE)
    assert plan.chosen.changes == ("steps are predicted, speed=2x",)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"weights": "disk", "quantise": "int8"}, "quantise=int8 with weights=disk"),
        ({"text_weights": "disk"}, "text_weights=disk: this model's text encoder is small and read whole"),
    ],
)
def test_what_cannot_be_is_said(wanted, message):
    with pytest.raises(InvalidInput, match=message):
        choose(MODEL, FILM, CARD, limits=AMPLE, wanted=wanted)


def test_blocks_that_wait_on_the_host_are_counted_there():
    waiting = estimate(MODEL, FILM, replace(PLAIN, weights="host"), CARD).host_bytes
    here = estimate(MODEL, FILM, PLAIN, CARD).host_bytes
    weights = weights_of(MODEL.transformer)
    assert waiting - here == 2 * (weights.blocks + weights.modulation)
