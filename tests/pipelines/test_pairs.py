"""Ways to run change no film beyond rounding, whatever else is asked for: every two options together at least once.

Two kinds of option: what a film is made of (`MEANING`), and how it is run (`MEANS`). A film made by any means is that
of the plain means; where the transformer computes in bfloat16, within what a different order of sums makes of it.
"""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allpairspy import AllPairs

import muybridge
from muybridge.acceleration.settings import RunSettings
from muybridge.pipelines.result import Video
from tests.pipelines.test_loras import lora_file
from tests.pipelines.tiny import model_folder

MEANING: dict[str, list[Any]] = {
    "dtype": ["float32", "bfloat16"],
    "quantise": [None, "int8", "int8-weights", "fp8-weights"],
    "pattern": [None, "sliding-tile:1x1x1,tile=1x2x2,first-frame"],
    "sampler": ["euler", "heun", "abm2"],
    "cfg": [1.0, 3.0],
    "speed": [None, "2x"],
    "lora": [None, "", "#2-7"],  # of which steps
    "steady": [0.0, 0.2],
}
MEANS: dict[str, list[Any]] = {
    "weights": ["device", "disk"],
    "evicts_modulation": [False, True],
    "chunk_tokens": [4096, 5, None],
    "vae_mode": ["whole", "exact", "spill"],
    "text_weights": ["device", "disk"],
    "keeps_text": [True, False],
    "attention": ["auto", "math", "reference"],
}
OPTIONS = MEANING | MEANS
PLAIN = {name: values[0] for name, values in MEANS.items()}
EXACT, ROUNDED = 1e-5, 0.03  # root mean square of latents over their deviation; 13 steps add roundings up
LEVELS = {"float32": 1, "bfloat16": 4}  # of 255, where the latents are the same: the VAE computes in that dtype too


def can_be(values: list[Any]) -> bool:
    """False for the pair that is refused: blocks are quantised in memory, and streamed as their file has them."""
    row = dict(zip(OPTIONS, values, strict=False))
    return row.get("quantise") is None or row.get("weights") != "disk"


def pairs_of(row: dict[str, Any]) -> set[frozenset[tuple[str, Any]]]:
    return {frozenset(pair) for pair in combinations(row.items(), 2)}


def rows() -> list[dict[str, Any]]:
    """Few of them; the pairs that the generator leaves out where some are refused stand in rows of their own."""
    made = [dict(zip(OPTIONS, row, strict=True)) for row in AllPairs([*OPTIONS.values()], filter_func=can_be)]
    values = [(name, value) for name, known in OPTIONS.items() for value in known]
    first = {name: known[0] for name, known in OPTIONS.items()}
    for one, other in combinations(values, 2):
        row = first | {one[0]: one[1], other[0]: other[1]}
        if one[0] != other[0] and can_be([*row.values()]) and not any({one, other} <= set(r.items()) for r in made):
            made.append(row)
    return made


ROWS = rows()
USUAL_EVERY = 3  # rows that the default suite runs; `make test-slow` runs all


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A folder with a whole small model, and a LoRA for it."""

    folder: Path
    lora: str


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = model_folder(tmp_path_factory.mktemp("model"))
    return Model(folder=folder, lora=lora_file(tmp_path_factory.mktemp("lora"), muybridge.load(folder)))


def film(model: Model, row: dict[str, Any]) -> Video:
    means = {name: row[name] for name in MEANS}
    attention = means.pop("attention") if row["pattern"] is None else row["pattern"]
    means.pop("attention", None)
    run = RunSettings(dtype=row["dtype"], quantise=row["quantise"], attention=attention, **means)
    made = muybridge.load(model.folder, dtype=row["dtype"], run=run)(
        "a red ball",
        size="48x32",
        frames=5,
        steps=13,
        seed=1,
        sampler=row["sampler"],
        cfg=row["cfg"],
        speed=row["speed"],
        steady=row["steady"],
        loras=None if row["lora"] is None else [f"{model.lora}:0.1{row['lora']}"],
    )
    assert isinstance(made, Video)
    return made


def test_every_two_values_of_different_options_meet():
    possible = sum(len(one) * len(other) for one, other in combinations(OPTIONS.values(), 2))
    refused = len(OPTIONS["quantise"]) - 1
    assert len(set().union(*map(pairs_of, ROWS))) == possible - refused


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=str(number), marks=() if number % USUAL_EVERY == 0 else pytest.mark.slow)
        for number, row in enumerate(ROWS)
    ],
)
def test_means_change_no_film(model: Model, row: dict[str, Any]):
    made, plain = film(model, row), film(model, row | PLAIN)
    assert made.latents.isfinite().all()
    error = (made.latents - plain.latents).square().mean().sqrt() / plain.latents.std()
    is_rounded = row["dtype"] == "bfloat16" or row["quantise"] == "int8"  # tokens too, so that an ulp can be a step
    assert error <= (ROUNDED if is_rounded else EXACT)
    if torch.equal(made.latents, plain.latents) and not row["steady"]:  # which chooses between blocks that are alike
        assert np.abs(made.pixels.astype(int) - plain.pixels).max() <= LEVELS[row["dtype"]]
