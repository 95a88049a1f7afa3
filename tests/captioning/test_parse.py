import json
import random
from dataclasses import asdict

import pytest

from muybridge.captioning.parse import parse, shortened
from muybridge.captioning.schema import FIELDS, problems, to_json
from muybridge.core.errors import InvalidInput
from tests.captioning.examples import HORSE

WHOLE = to_json(HORSE)


def test_a_right_answer_needs_no_repair():
    parsed = parse(WHOLE)
    assert parsed.caption == HORSE
    assert not parsed.repairs
    assert parse(json.dumps(dict(reversed(asdict(HORSE).items())))) == parsed  # in any order


@pytest.mark.parametrize(
    "answer",
    [
        f"```json\n{WHOLE}\n```",
        f"Sure! Here it is:\n{WHOLE}\nI hope that helps.",
        f"<think>What {{ is }} this?</think>{WHOLE}",
        WHOLE.replace("}", ",}"),
        WHOLE.replace('"', "'"),
        WHOLE.replace('"', "\u201c"),
        WHOLE.replace('", "', '"\n "'),
        WHOLE.removesuffix("}"),
        WHOLE.replace('"camera"', "camera").replace('"short"', "short"),
        json.dumps({"caption": asdict(HORSE)}),
        json.dumps(
            {{"short": "Short Description", "camera": "cameraMovement"}.get(name, name.title()): value
             for name, value in asdict(HORSE).items()}
        ),
        WHOLE.replace("pan right", "the camera slowly trucks to the right"),
        WHOLE.replace("a green meadow", "a green\\n  meadow"),
        json.dumps(asdict(HORSE) | {"confidence": 0.9, "style": ["3D cartoon"]}),
        WHOLE.replace("{", "{ // the caption\n"),
    ],
)  # fmt: skip
def test_what_language_models_do_to_json_is_mended_and_named(answer):
    parsed = parse(answer)
    assert parsed.caption == HORSE
    assert parsed.repairs


def test_quotes_within_texts_stay():
    found = parse('{"short": "A sign says "STOP", in red.", "dense": "It\'s red."}').caption
    assert (found.short, found.dense) == ('A sign says "STOP", in red.', "It's red.")


def test_an_answer_that_was_cut_short_keeps_what_is_there():
    found = parse(WHOLE[: WHOLE.index("soft day")]).caption
    assert (found.short, found.shot_type, found.camera) == (HORSE.short, "wide shot", "unknown")


def test_lines_with_names_are_read_as_fields():
    found = parse("**Short description**: A cat.\n- Dense: A cat sits.\nMood: calm\nCamera movement: dolly in").caption
    assert (found.short, found.dense, found.atmosphere, found.camera) == ("A cat.", "A cat sits.", "calm", "zoom in")


def test_one_description_gives_the_other():
    assert parse('{"dense": "A cat sits. It purrs."}').caption.short == "A cat sits."
    assert parse('{"short": "A cat."}').caption.dense == "A cat."


def test_what_is_not_known_is_empty_rather_than_the_word():
    assert parse('{"short": "A cat.", "style": "N/A", "lighting": null}').caption.style == ""


@pytest.mark.parametrize("answer", ["", "I cannot help with that.", "{}", '{"style": "x"}', "[]", "{" * 50, "null"])
def test_an_answer_without_a_description_is_refused(answer):
    with pytest.raises(InvalidInput):
        parse(answer)


def test_long_texts_end_with_a_sentence():
    text = "One two three. " * 300
    found = parse(json.dumps({"short": "A.", "dense": text})).caption.dense
    assert len(found) <= 2000 and found.endswith("three.")
    assert shortened("one two three", 9) == "one two"


def test_damaged_answers_are_captions_or_refused():
    rng = random.Random(0)
    for _ in range(120):
        letters = list(WHOLE)
        for _ in range(rng.randrange(1, 8)):
            place = rng.randrange(len(letters))
            letters[place] = rng.choice(["", '"', "'", "{", "}", "[", "]", ",", ":", "\\", "\n", "\x00", "/*"])
        try:
            found = parse("".join(letters))
        except InvalidInput:
            continue
        assert not problems({name: getattr(found.caption, name) for name in FIELDS})
