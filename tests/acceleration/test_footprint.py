"""Predicted peaks against allocations that are counted operation by operation, on tensors that are shapes only."""

import math
from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from muybridge.acceleration import footprint
from muybridge.acceleration.facts import Model, TextFacts, Work, vae_weights, weights_of
from muybridge.acceleration.settings import RunSettings
from muybridge.core.allocations import Allocations
from muybridge.transformer import Conditions, Transformer, TransformerConfig
from muybridge.vae import VAEConfig

TOLERANCE = 0.1
TEXT = 64
WIDE = replace(TransformerConfig(), num_double_blocks=1, num_single_blocks=1, num_refiner_blocks=1)
MODEL = Model(name="wide", transformer=WIDE, vae=VAEConfig(), text=TextFacts(num_parameters=0, num_tokens=TEXT))
FILM = Work(width=512, height=320, num_frames=17, num_steps=2)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def counted(work: Work, settings: RunSettings) -> int:
    """Peak of the transformer's weights and of one forward pass of it."""
    dtype, b = DTYPES[str(settings.dtype)], work.batch_size
    with FakeTensorMode(), torch.no_grad():
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        network = Transformer(WIDE)
        torch.set_default_dtype(before)
        network.chunk_tokens = settings.chunk_tokens
        given = Conditions(
            text=torch.empty(b, TEXT, WIDE.text_dim, dtype=dtype),
            pooled=torch.empty(b, WIDE.pooled_dim, dtype=dtype),
            guidance=torch.empty(b),
        )
        with Allocations() as allocations:
            network(torch.empty(b, *work.latents(MODEL)), torch.empty(b), given)
    return allocations.peak_bytes + sum(each.numel() for each in network.parameters()) * dtype.itemsize


@pytest.mark.parametrize(
    ("dtype", "change", "chunk_tokens"),
    [
        ("float32", {}, 1024),
        ("float32", {"batch_size": 2}, None),
        ("bfloat16", {"num_frames": 25}, 1024),
        ("bfloat16", {"num_frames": 25}, None),
        ("bfloat16", {"width": 128, "height": 128}, 4096),
    ],
    ids=["film", "batch", "long", "long-at-once", "small"],
)
def test_the_peak_of_denoising_is_what_is_counted(dtype, change, chunk_tokens):
    work, settings = replace(FILM, **change), RunSettings(dtype=dtype, chunk_tokens=chunk_tokens)
    resident = footprint.resident_bytes(MODEL, settings, kind="cpu")
    predicted = resident + sum(footprint.denoise(MODEL, work, settings).values())
    assert predicted == pytest.approx(counted(work, settings), rel=TOLERANCE)


def test_evicted_modulation_leaves_an_accelerator_and_what_is_mapped():
    plain = RunSettings(dtype="bfloat16")
    less = replace(plain, evicts_modulation=True)
    weights = weights_of(WIDE)
    gone = 2 * (weights.modulation + weights.final_modulation)
    for model, kind, saved in ((MODEL, "cuda", gone), (MODEL, "cpu", gone), (replace(MODEL, stored_bytes=4), "cpu", 0)):
        before, after = (footprint.resident_bytes(model, each, kind=kind) for each in (plain, less))
        assert before - after == saved


def test_streams_hold_two_blocks_while_they_compute():
    streamed, plain = RunSettings(dtype="bfloat16", weights="disk"), RunSettings(dtype="bfloat16")
    deep, none = (
        replace(MODEL, transformer=replace(TransformerConfig(), num_double_blocks=count, num_single_blocks=0))
        for count in (1, 0)
    )
    block, rest = (footprint.resident_bytes(each, plain, kind="cpu") for each in (deep, none))
    assert footprint.lane_bytes(deep, streamed) == 2 * (block - rest) and footprint.lane_bytes(deep, plain) == 0
    assert footprint.resident_bytes(deep, streamed, kind="cpu") == rest


def test_text_takes_what_is_where_it_waits():
    text = TextFacts(num_parameters=1000, num_layers=3, layer_parameters=300)
    model, plain = replace(MODEL, text=text), RunSettings(dtype="bfloat16")
    for place, kind, stays, lanes in (
        ("device", "cuda", 2000, 0),
        ("host", "cuda", 0, 0),
        ("host", "cpu", 2000, 0),
        ("disk", "cuda", 200, 1200),
    ):
        settings = replace(plain, text_weights=place)
        assert footprint.text_resident_bytes(model, settings, kind=kind) == stays
        assert footprint.text_lane_bytes(model, settings) == lanes


def test_quantised_blocks_take_their_bits():
    plain, small = (
        footprint.resident_bytes(MODEL, RunSettings(dtype="bfloat16", quantise=scheme), kind="cpu")
        for scheme in (None, "int8")
    )
    assert (plain - small) / (2 * weights_of(WIDE).blocks) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("mode", ["whole", "exact", "spill", "stream", "tiled"])
def test_longer_films_take_more_to_decode(mode):
    settings = RunSettings(dtype="float32", vae_mode=mode)
    short, long = (
        sum(footprint.decode(MODEL, replace(FILM, num_frames=n, height=720, width=1280), settings).values())
        for n in (17, 129)
    )
    assert short < long or (mode == "spill" and short == long)  # what waits elsewhere does not count


def test_the_vae_is_counted_once():
    assert vae_weights(VAEConfig()) == 246_478_803 and math.prod(FILM.latents(MODEL)) == 16 * 5 * 40 * 64
