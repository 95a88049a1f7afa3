import json
from dataclasses import asdict, replace

import pytest

from muybridge.captioning.schema import CHOICES, FIELDS, json_schema, problems, to_json, validated
from muybridge.core.errors import InvalidInput
from tests.captioning.examples import HORSE


def test_a_caption_survives_json():
    assert validated(json.loads(to_json(HORSE))) == HORSE


def test_the_schema_has_the_papers_fields_and_fourteen_movements():
    assert FIELDS == (
        "short", "dense", "background", "style", "shot_type", "lighting", "atmosphere", "camera", "source", "quality",
    )  # fmt: skip
    assert len(CHOICES["camera"]) == 14 + 1  # and unknown
    assert json_schema()["required"] == list(FIELDS)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"camera": "follow"}, "camera: 'follow' is not one of zoom in"),
        ({"short": ""}, "short: is empty"),
        ({"style": 3}, "style: is int, not text"),
        ({"dense": "a" * 2001}, "dense: has 2001 characters, at most 2000"),
        ({"lighting": "two\nlines"}, "lighting: has line breaks"),
        ({"colour": "red"}, "'colour' is no field"),
    ],
)
def test_what_is_wrong_is_named(change, complaint):
    with pytest.raises(InvalidInput, match="caption: ") as error:
        validated(asdict(HORSE) | change)
    assert complaint in str(error.value)


def test_every_field_that_is_wrong_is_named_at_once():
    assert [each.split(":")[0] for each in problems({"short": "A.", "camera": "x"})] == [*FIELDS[1:]]


def test_our_schema_says_what_our_validation_says():
    jsonschema = pytest.importorskip("jsonschema")
    checker = jsonschema.Draft202012Validator(json_schema())
    for change in ({}, {"camera": "follow"}, {"short": ""}, {"style": ""}, {"style": 3}, {"dense": "a" * 2001}):
        value = asdict(HORSE) | change
        assert checker.is_valid(value) == (not problems(value))


def test_fields_of_which_nothing_is_known_may_be_empty():
    bare = replace(HORSE, background="", style="", shot_type="", lighting="", atmosphere="", camera="unknown")
    assert validated(asdict(bare)) == bare
