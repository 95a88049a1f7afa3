"""The released templates, and filling them."""

import hashlib

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.text.templates import GALLOP, RELEASED_IMAGE, RELEASED_VIDEO, Template, released_template


def test_released_templates_are_verbatim() -> None:
    digests = [hashlib.sha256(template.text.encode()).hexdigest()[:16] for template in (RELEASED_VIDEO, RELEASED_IMAGE)]
    assert digests == ["a52f68dde3637b12", "e6794c248e31c8ef"]


def test_one_frame_takes_the_image_template() -> None:
    assert released_template(1) is RELEASED_IMAGE
    assert released_template(5) is RELEASED_VIDEO


@pytest.mark.parametrize("prompt", ["", "a cat", "{}", "{0} and {name}"])
def test_filling_puts_the_prompt_in_verbatim(prompt: str) -> None:
    before, after = GALLOP.text.split("{}")
    assert GALLOP.fill(prompt) == before + prompt + after
    assert GALLOP.prefix == before


@pytest.mark.parametrize("text", ["no place", "{} and {}"])
def test_a_template_needs_exactly_one_place(text: str) -> None:
    with pytest.raises(InvalidInput, match="exactly one"):
        Template(text=text)
