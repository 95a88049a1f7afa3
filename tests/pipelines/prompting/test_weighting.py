"""Laws of weighted prompts."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from muybridge.core.errors import InvalidInput
from muybridge.pipelines.prompting.weighting import MAX_WEIGHT, Span, WeightedPrompt, weighted
from muybridge.text.encoder import HashEncoder

WORDS = some.text(alphabet="ab \\():1.é馬", max_size=12)
WEIGHTS = some.floats(0, MAX_WEIGHT, allow_nan=False)
STATES = HashEncoder().encode(["a red ball on grass"], num_frames=5)


def spans(prompt: str) -> list[tuple[str, float]]:
    return [(span.text, pytest.approx(span.weight)) for span in WeightedPrompt.parse(prompt).spans]


@given(some.lists(some.tuples(WORDS.filter(str.strip), WEIGHTS), max_size=5))
def test_a_prompt_prints_what_it_is_parsed_from(parts):
    prompt = WeightedPrompt.parse(str(WeightedPrompt(spans=tuple(Span(text=t, weight=w) for t, w in parts))))
    assert prompt.text == "".join(text for text, _ in parts)
    assert WeightedPrompt.parse(str(prompt)) == prompt


@given(some.text(max_size=40))
def test_any_text_is_a_prompt_or_refused_in_a_line(text):
    try:
        prompt = WeightedPrompt.parse(text)
    except InvalidInput as error:
        assert ";" in str(error)
    else:
        assert WeightedPrompt.parse(str(prompt)).text == prompt.text


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red ball", [("a red ball", 1)]),
        ("(a red ball:1.3) on grass", [("a red ball", 1.3), (" on grass", 1)]),
        ("(a (red:1.5) ball:1.2)", [("a ", 1.2), ("red", 1.8), (" ball", 1.2)]),
        ("a dog (brown) runs", [("a dog (brown) runs", 1)]),
        (r"\(a:1.3\) \\ b\c", [(r"(a:1.3) \ b\c", 1)]),
        ("((a):1.5)", [("(a)", 1.5)]),
        ("(a dog (b:2", [("(a dog (b:2", 1)]),
        ("a) b", [("a) b", 1)]),
        ("(a:.5)(b: 0.5 )", [("ab", 0.5)]),
        ("(a:1)", [("a", 1)]),
    ],
)
def test_weights_are_read_as_documented(prompt, expected):
    assert spans(prompt) == expected


@pytest.mark.parametrize("prompt", ["a:1.3)", "(a:5)", "(:1.3)", "( :2)", "((a:3):2)", "a :3)"])
def test_weights_that_mean_nothing_are_refused(prompt):
    with pytest.raises(InvalidInput):
        WeightedPrompt.parse(prompt)


def test_a_token_weighs_what_its_words_weigh():
    prompt = WeightedPrompt.parse("a (red ball:2) on grass")
    places = [(0, 1), (1, 5), (5, 10), (10, 13), (13, 19), (19, 19)]  # spaces belong to the word that follows
    assert prompt.token_weights(places) == [1, 2, 2, 1, 1, 1]


def test_a_token_across_a_border_weighs_the_mean_of_its_letters():
    assert WeightedPrompt.parse("foot(ball:3)").token_weights([(0, 8)]) == [2.0]


def test_weights_of_one_change_no_bit():
    assert weighted(STATES, [1.0] * 6) is STATES


def test_only_the_weighted_tokens_move_and_the_pooled_vector_does_not():
    found = weighted(STATES, [1, 2, 1, 1, 1, 1])
    assert [torch.equal(found.states[0, i], STATES.states[0, i]) for i in range(6)] == [True, False] + [True] * 4
    assert torch.equal(found.pooled, STATES.pooled) and torch.equal(found.mask, STATES.mask)


def test_a_token_of_no_weight_says_what_all_say():
    centre = STATES.states[0].mean(0)
    found = weighted(STATES, [1, 0, 3, 1, 1, 1]).states[0]
    torch.testing.assert_close(found[1], centre)
    torch.testing.assert_close(found[2] - centre, 3 * (STATES.states[0, 2] - centre))


def test_tokens_before_those_of_the_prompt_stay():
    found = weighted(STATES, [1, 2])
    assert torch.equal(found.states[0, :5], STATES.states[0, :5])
    assert not torch.equal(found.states[0, 5], STATES.states[0, 5])


def test_padding_stays_zero():
    padded = HashEncoder().encode(["a ball", "a red ball on grass"], num_frames=5)
    one = type(padded)(states=padded.states[:1], mask=padded.mask[:1], pooled=padded.pooled[:1])
    found = weighted(one, [2, 2, 2])
    assert not found.states[0, 3:].any() and found.states[0, :3].any()
