"""A request refuses, by name and with a remedy, everything that could not be made."""

import json
import math
from dataclasses import replace

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.core.seeding import MAX_SEED
from muybridge.pipelines.request import GenerationRequest

WRONG = [
    ("prompt", ""), ("prompt", " \n\t"), ("prompt", 7), ("prompt", "a" * 4097), ("prompt", "a\udcff"),
    ("prompt", "a\0b"),
    ("negative_prompt", None), ("negative_prompt", "blurred"),
    ("width", 130), ("width", 0), ("width", -16), ("width", 128.0), ("width", True), ("width", 9000 * 16),
    ("height", 24), ("height", "128"),
    ("num_frames", 128), ("num_frames", 0), ("num_frames", -3), ("num_frames", 5.0), ("num_frames", 4 * 10**6 + 1),
    ("fps", 0), ("fps", 241), ("fps", True),
    ("num_steps", 0), ("num_steps", 1001), ("num_steps", 2.5),
    ("shift", 0.0), ("shift", -1), ("shift", math.inf), ("shift", math.nan), ("shift", "7"),
    ("guidance", math.nan), ("guidance", -0.5), ("guidance", math.inf), ("guidance", True),
    ("cfg", math.nan), ("cfg", 0.5), ("cfg", math.inf),
    ("seed", -1), ("seed", MAX_SEED + 1), ("seed", 1.0), ("seed", False),
    ("sampler", "eular"), ("sampler", ""), ("sampler", None), ("steady", -0.1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_refused_in_one_line_that_names_it(name, value):
    with pytest.raises(InvalidInput) as caught:
        GenerationRequest(**{"prompt": "a horse", name: value})
    message = str(caught.value)
    assert name.split("_")[0] in message and ";" in message and message.endswith(".")
    assert "\n" not in message and len(message) < 5000


def test_the_edges_of_every_range_are_taken():
    GenerationRequest(
        prompt="a",
        num_frames=1,
        width=16,
        height=16,
        seed=MAX_SEED,
        num_steps=1,
        fps=240,
        guidance=0,
        cfg=1,
        shift=1e-3,
    )
    GenerationRequest(prompt="Ein Pferd 🐎 galoppiert", seed=0, num_steps=1000, fps=1, guidance=None)


def test_a_negative_prompt_is_taken_where_it_acts():
    assert GenerationRequest(prompt="a", negative_prompt="blurred", cfg=1.5).negative_prompt == "blurred"


def test_a_request_survives_json():
    request = GenerationRequest(prompt="a horse", negative_prompt="none", cfg=2, guidance=None, seed=MAX_SEED)
    assert GenerationRequest.from_dict(json.loads(json.dumps(request.to_dict()))) == request


def test_an_unknown_field_is_refused_with_the_nearest():
    with pytest.raises(InvalidInput, match="did you mean num_frames"):
        GenerationRequest.from_dict({"prompt": "a", "num_frame": 5})


def test_one_frame_is_a_picture():
    request = GenerationRequest(prompt="a", num_frames=1)
    assert request.is_picture and not replace(request, num_frames=5).is_picture
