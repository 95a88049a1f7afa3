import json

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from muybridge.captioning.constrained import Constraint, caption_fields, finished_texts, is_circling
from muybridge.captioning.parse import parse
from muybridge.captioning.schema import FIELDS, problems
from muybridge.captioning.vocabulary import Vocabulary
from muybridge.core.errors import InvalidInput, WeightsError
from tests.captioning.tiny_models import byte_tokenizer, piece_tokenizer

FEW = {"short": 4, "dense": 6} | dict.fromkeys(FIELDS[2:7], 2)


def written(tokenizer, *, seed=0, known=None, num_spare=3):
    """What an untrained model writes under the constraint, from embeddings: two texts, and the names cut in each."""
    torch.manual_seed(seed)
    size = len(tokenizer) + num_spare
    config = LlamaConfig(
        vocab_size=size, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=4096, initializer_range=1.0,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    fields = caption_fields(known, max_tokens=FEW)
    constraint = Constraint(Vocabulary(tokenizer, size), [fields] * 2, eos_ids=(tokenizer.eos_token_id,))
    model.generate(
        inputs_embeds=torch.randn(2, 4, 16), attention_mask=torch.ones(2, 4), logits_processor=[constraint],
        max_new_tokens=constraint.max_new_tokens, do_sample=True, top_k=0, pad_token_id=0,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return constraint.texts(), constraint.cut_fields()


@pytest.mark.parametrize("make", [byte_tokenizer, piece_tokenizer])
def test_an_untrained_model_writes_nothing_but_captions(make):
    cameras = set()
    for seed in range(2):
        texts, cuts = written(make(), seed=seed)
        for text, cut in zip(texts, cuts, strict=True):
            assert tuple(json.loads(text)) == FIELDS
            assert "\ufffd" not in text
            caption = parse(json.dumps(finished_texts(json.loads(text), cut))).caption
            assert not problems({name: getattr(caption, name) for name in FIELDS})
            cameras.add(caption.camera)
    assert len(cameras) > 1


def test_what_was_measured_is_not_asked():
    texts, _ = written(byte_tokenizer(), known={"camera": "around left", "quality": "low quality"})
    assert {json.loads(text)["camera"] for text in texts} == {"around left"}
    with pytest.raises(InvalidInput, match="none of its classes"):
        caption_fields({"camera": "follow"})


def test_token_ids_and_embeddings_are_constrained_alike():
    tokenizer = byte_tokenizer()
    vocabulary = Vocabulary(tokenizer, len(tokenizer))
    prompt = torch.tensor([tokenizer("the camera")["input_ids"]])
    allowed = []
    for ids in (prompt, prompt[:, :0]):  # generate gives no ids for embeddings
        constraint = Constraint(vocabulary, [caption_fields()], eos_ids=(0,))
        scores = constraint(ids, torch.zeros(1, len(tokenizer)))
        chosen = scores.argmax(-1, keepdim=True)
        allowed.append((scores, constraint(torch.cat([ids, chosen], 1), torch.zeros(1, len(tokenizer)))))
    assert torch.equal(allowed[0][0], allowed[1][0]) and torch.equal(allowed[0][1], allowed[1][1])


def test_scores_that_are_no_numbers_still_give_a_token():
    tokenizer = byte_tokenizer()
    constraint = Constraint(Vocabulary(tokenizer, len(tokenizer)), [caption_fields()], eos_ids=(0,))
    scores = constraint(torch.zeros(1, 0, dtype=torch.long), torch.full((1, len(tokenizer)), torch.nan))
    assert scores.isfinite().any() and not scores.isnan().any()


def test_an_answer_needs_an_end():
    tokenizer = byte_tokenizer()
    for ends in ((), (None,)):
        with pytest.raises(InvalidInput, match="ends with a token"):
            Constraint(Vocabulary(tokenizer, len(tokenizer)), [caption_fields()], eos_ids=ends)


def test_circles_are_noticed_and_refrains_are_not():
    assert is_circling([7, 1, 2, 3, 4, 1, 2, 3, 4])
    assert is_circling([5, 5, 5, 5])
    assert not is_circling([1, 2, 1, 2, 3, 4, 5, 6])


def test_a_text_that_was_cut_ends_with_a_sentence_or_a_word():
    value = {"short": "A dog runs. It jumps ov", "style": "oil pai", "dense": "Fine."}
    assert finished_texts(value, frozenset(value)) == {"short": "A dog runs.", "style": "oil", "dense": "Fine."}


def test_a_tokenizer_that_cannot_write_json_is_refused():
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE(vocab={"a": 0, "b": 1}, merges=[]))
    core.decoder = decoders.ByteLevel()
    with pytest.raises(WeightsError, match="cannot write"):
        Vocabulary(PreTrainedTokenizerFast(tokenizer_object=core), 2)


@pytest.mark.slow
def test_smollm_writes_a_caption_that_fits_the_schema():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from muybridge.core.env import cache_folder

    folder = cache_folder() / "smollm2-135m-instruct"
    if not folder.is_dir():
        pytest.skip("fetch it with `muybridge fetch`")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    asked = "<|im_start|>user\nDescribe a film of a galloping horse as JSON.<|im_end|>\n<|im_start|>assistant\n"
    constraint = Constraint(
        Vocabulary(tokenizer, model.config.vocab_size), [caption_fields(max_tokens={"short": 24, "dense": 48})],
        eos_ids=(model.config.eos_token_id,),
    )  # fmt: skip
    ids = tokenizer(asked, return_tensors="pt")["input_ids"]
    model.generate(
        ids, attention_mask=torch.ones_like(ids), logits_processor=[constraint], do_sample=False,
        max_new_tokens=constraint.max_new_tokens, pad_token_id=0,
    )  # fmt: skip
    caption = parse(constraint.texts()[0]).caption  # untaught, it writes little sense
    assert tuple(json.loads(constraint.texts()[0])) == FIELDS
    assert not problems({name: getattr(caption, name) for name in FIELDS})
