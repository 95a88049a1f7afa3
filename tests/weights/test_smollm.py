"""The converted SmolLM2 that gallop was trained on: its digest, its tokens, its states."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from muybridge.core.env import cache_folder
from muybridge.text.gallop import RawStates
from muybridge.weights.smollm import PROBE, PROBE_IDS, TENSORS_SHA256, digest

NAME = "smollm2-135m-instruct"
MAX_RELATIVE = 1e-4  # of the states' norm; other processors round the float32 sums otherwise
# Measured with transformers 5.23.0 on one core: the first dimensions of the states of "a brown horse gallops".
FIRST_TOKEN = [-9.2436, 2.0115, 18.354, 20.419, 17.649, 9.4892]
LAST_TOKEN = [-10.063, 19.525, -10.076, -7.473, 20.179, 9.6824]


@pytest.fixture(scope="module")
def folder() -> Path:
    folder = cache_folder() / NAME
    if not folder.is_dir():
        pytest.skip(f"needs `muybridge fetch {NAME}`")
    return folder


@pytest.fixture(scope="module")
def raw(folder: Path) -> Iterator[RawStates]:
    yield RawStates(folder)


def test_the_weights_are_the_ones_gallop_was_trained_on(folder: Path) -> None:
    assert digest(load_file(folder / "model.safetensors")) == TENSORS_SHA256


def test_the_tokens_are_the_ones_gallop_was_trained_on(raw: RawStates) -> None:
    assert tuple(raw.language.tokenizer(PROBE)["input_ids"]) == PROBE_IDS


def test_the_states_are_the_ones_gallop_was_trained_on(raw: RawStates) -> None:
    states = raw.one("a brown horse gallops")
    assert states.shape == (7, 576)
    scale = states.square().mean().sqrt()
    for row, expected in ((states[0], FIRST_TOKEN), (states[-1], LAST_TOKEN)):
        assert (row[: len(expected)] - torch.tensor(expected)).abs().max() <= MAX_RELATIVE * scale


def test_no_kept_token_is_an_attention_sink(raw: RawStates) -> None:
    norms = torch.cat([raw.one(prompt) for prompt in ("a brown horse gallops", "", "two cats, seen from above")]).norm(
        dim=1
    )
    assert norms.max() < 2 * norms.min()  # the sink's is 40 times the others


def test_digest_sees_names_shapes_types_and_numbers() -> None:
    zeros = torch.zeros(2, 3)
    variants = [{"a": zeros}, {"b": zeros}, {"a": zeros.T.contiguous()}, {"a": zeros.half()}, {"a": zeros + 1}]
    assert len({digest(tensors) for tensors in variants}) == len(variants)
