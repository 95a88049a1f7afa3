"""Which characters each token stands for."""

import pytest

from muybridge.text.encoder import HashEncoder
from muybridge.text.places import token_places
from muybridge.text.templates import GALLOP, RELEASED_IMAGE, RELEASED_VIDEO
from tests.text.tiny import language_tokenizer

PROMPTS = ["a red ball bounces on grass", "", "übergroß: 馬 🐎!", "  two  spaces", "{} <|eot_id|>"]


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("template", [RELEASED_VIDEO, RELEASED_IMAGE, GALLOP])
def test_tokens_cover_the_prompt_in_order_and_the_template_has_no_place(template, prompt):
    tokenizer = language_tokenizer()
    places = token_places(tokenizer, template, prompt)
    assert len(places) == len(tokenizer(template.fill(prompt))["input_ids"])
    own = [place for place in places if place[0] < place[1]]
    assert own == sorted(own) and {i for start, stop in own for i in range(start, stop)} == set(range(len(prompt)))
    first = len(tokenizer(template.prefix)["input_ids"])
    assert all(start == stop for start, stop in places[:first])


def test_words_of_the_double_are_its_tokens():
    prompt = "a  red ball"
    places = HashEncoder().places(prompt, num_frames=5)
    assert [prompt[start:stop] for start, stop in places] == ["a", "red", "ball", ""]
    assert len(places) == int(HashEncoder().encode([prompt], num_frames=5).mask.sum())
