"""Language model states: which layer, which tokens, and that neighbours do not matter."""

import pytest
import torch
from transformers import LlamaModel

from muybridge.core.errors import InvalidInput
from muybridge.text.llm import LanguageStates
from muybridge.text.templates import RELEASED_IMAGE, RELEASED_VIDEO, Template
from tests.text import tiny

SHORT = Template(text="<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>")


@pytest.fixture(scope="module")
def model() -> LlamaModel:
    torch.manual_seed(0)
    return tiny.language_model()


@pytest.fixture(scope="module")
def language(model: LlamaModel) -> LanguageStates:
    return LanguageStates(model, tiny.language_tokenizer())


@pytest.mark.parametrize("skip_layers", [1, 2, 4])
def test_the_layers_left_out_change_nothing(model: LlamaModel, skip_layers: int) -> None:
    language = LanguageStates(model, tiny.language_tokenizer(), skip_layers=skip_layers)
    ids = torch.tensor([[0, 7, 9, 30, 1]])
    with torch.no_grad():
        whole = model(input_ids=ids, output_hidden_states=True).hidden_states[-(skip_layers + 1)]
    assert torch.equal(language.states(ids[0].tolist()), whole[0])


def test_final_norm_is_the_models_own(model: LlamaModel) -> None:
    normed = LanguageStates(model, tiny.language_tokenizer(), has_final_norm=True)
    plain = LanguageStates(model, tiny.language_tokenizer())
    with torch.no_grad():
        assert torch.equal(normed.states([0, 7, 9]), model.norm(plain.states([0, 7, 9])))


def test_the_model_is_left_as_it_was(model: LlamaModel) -> None:
    before = len(list(model.parameters()))
    LanguageStates(model, tiny.language_tokenizer())
    assert len(model.layers) == 5
    assert isinstance(model.norm.weight, torch.nn.Parameter)
    assert len(list(model.parameters())) == before


def test_skipping_no_layer_or_all_is_refused(model: LlamaModel) -> None:
    for skip_layers in (0, 5):
        with pytest.raises(InvalidInput, match=f"skip_layers={skip_layers}"):
            LanguageStates(model, tiny.language_tokenizer(), skip_layers=skip_layers)


def test_crop_counts_the_tokens_before_the_prompt(language: LanguageStates) -> None:
    assert language.crop(SHORT) == 5  # begin, header, user, header, newlines
    ids = language.token_ids(SHORT, "cats")
    assert language.tokenizer.decode(ids[language.crop(SHORT) :]) == "cats<|eot_id|>"


def test_crops_of_the_released_templates_are_the_released_numbers(language: LanguageStates) -> None:
    for template in (RELEASED_VIDEO, RELEASED_IMAGE):  # the tiny tokenizer keeps all their words whole, as Llama-3's
        assert language.crop(template) == template.released_crop


def test_a_template_that_merges_with_the_prompt_is_refused(language: LanguageStates) -> None:
    with pytest.raises(InvalidInput, match="does not split"):
        language.crop(Template(text="a video of {}"))  # the space belongs to the next word's token


def test_later_tokens_do_not_change_earlier_states(language: LanguageStates) -> None:
    short, long = language.states([0, 7, 9]), language.states([0, 7, 9, 30])
    torch.testing.assert_close(short, long[:3])
