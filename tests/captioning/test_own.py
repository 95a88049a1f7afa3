"""Laws of our own captioner, with networks of a few thousand weights."""

from dataclasses import asdict, replace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from muybridge.captioning.constrained import Constraint, caption_fields
from muybridge.captioning.opened import open_captioner
from muybridge.captioning.own.answers import answer
from muybridge.captioning.own.captioner import FOREIGN, SIGHT_FILE, WRITER_FILE, OwnCaptioner, OwnParts
from muybridge.captioning.own.reading import Reading
from muybridge.captioning.own.scene_answers import physics_answers, staged_answers
from muybridge.captioning.own.sight import DEPTHS, Sight, SightConfig, Trunk
from muybridge.captioning.own.slots import NOTHING, SLOTS, phrases_of, plain_words, seen
from muybridge.captioning.own.wordings import told
from muybridge.captioning.own.writer import Language, Writer, WriterConfig, mixture
from muybridge.captioning.schema import problems
from muybridge.captioning.tags import TagCaptioner
from muybridge.captioning.vocabulary import Vocabulary
from muybridge.core.errors import InvalidInput
from muybridge.vae.efficientnet import EfficientNetFeatures
from muybridge.weights.small import load_small
from tests.captioning.examples import CAST, HORSE, rolling, staged, view
from tests.captioning.tiny_models import byte_tokenizer

WIDTH = 16
SCENES = [staged_answers(staged("cow", "horse"), CAST), physics_answers(rolling())]
PHRASES, READINGS = phrases_of(SCENES), [Reading(seen=scene, doubtful={}) for scene in SCENES]
TINY = WriterConfig(first_block=1, num_blocks=2, rank=2, hidden_size=WIDTH, value_size=8)


def language() -> Language:
    torch.manual_seed(0)
    tokenizer = byte_tokenizer(texts=[str(asdict(caption)) for reading in READINGS for caption in told(reading)])
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=4096,
        eos_token_id=tokenizer.convert_tokens_to_ids("<eos>"),  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval().requires_grad_(False)
    return Language(model=model, tokenizer=tokenizer, vocabulary=Vocabulary(tokenizer, len(tokenizer)))


def captioner(*, reach: float = 1e6) -> OwnCaptioner:
    spoken = language()  # seeds what follows, too
    sight = Sight(SightConfig(phrases=PHRASES, width=16, still_px=32, film_px=32)).eval()
    sight.whitening.fill_diagonal_(1.0)
    sight.reach.fill_(reach)
    trunk = Trunk(*(EfficientNetFeatures(depths).eval() for depths in DEPTHS))
    return OwnCaptioner(parts=OwnParts(sight=sight, writer=Writer(TINY), trunk=trunk, language=spoken), batch_size=2)


def test_random_weights_write_captions_that_fit_the_schema_and_hold_for_the_clip_alone():
    views = [view("b", num_frames=1), view("c", camera="pan up", camera_confidence=0.9, technical=0.1)]
    results = captioner().caption(views)
    first, second = (result.caption for result in results)
    assert first and second and not problems(asdict(first)) and not problems(asdict(second))
    assert first.source == "still picture" and not results[0].repairs
    assert (second.camera, second.quality) == ("pan up", "low quality")
    assert captioner().caption(views[1:]) == results[1:]


def test_a_clip_unlike_all_of_the_worlds_is_told_by_its_measurements_and_says_so():
    result = captioner(reach=1e-6).caption([view("a")])[0]
    assert result == replace(TagCaptioner().caption([view("a")])[0], repairs=(FOREIGN,))


def test_answers_are_what_constrained_decoding_can_write():
    spoken = language()
    known = {"camera": HORSE.camera, "source": HORSE.source, "quality": HORSE.quality}
    constraint = Constraint(spoken.vocabulary, [caption_fields(known)], eos_ids=(spoken.eos_id,))
    taught = answer(asdict(HORSE), spoken.tokenizer, spoken.vocabulary)
    for length, (index, is_chosen) in enumerate(zip(taught.ids.tolist(), taught.is_chosen.tolist(), strict=True)):
        allowed = constraint(taught.ids[None, :length], torch.zeros(1, len(spoken.vocabulary.pieces))).isfinite()[0]
        assert allowed[index]
        assert is_chosen or int(allowed.sum()) == 1


def test_changes_act_within_the_block_alone_and_begin_at_nothing():
    spoken, writer = language(), Writer(TINY)
    ids = torch.arange(5)[None]
    plain = spoken.model(ids).logits
    with torch.no_grad(), writer.changing(spoken.model):
        assert torch.equal(spoken.model(ids).logits, plain)
        for up in writer.up.values():
            up.fill_(1.0)
        assert not torch.allclose(spoken.model(ids).logits, plain)
    assert torch.equal(spoken.model(ids).logits, plain)


def test_a_sure_answer_is_its_own_words_and_nothing_is_zero():
    spoken = language()
    vectors = spoken.phrase_vectors(PHRASES)
    place = SLOTS.index("place")
    shares = [torch.eye(len(phrases))[:1] for phrases in PHRASES]
    words = spoken.tokenizer(f" {plain_words(PHRASES[place][0])}", add_special_tokens=False)["input_ids"]
    table = spoken.model.model.embed_tokens.weight
    assert torch.equal(mixture(shares, vectors)[place][0, : len(words)], table[words])
    assert not vectors[SLOTS.index("who2")][PHRASES[SLOTS.index("who2")].index(NOTHING)].any()


def test_unknown_slots_and_sizes_are_refused():
    with pytest.raises(InvalidInput, match="weather"):
        seen({"weather": "rain"})
    with pytest.raises(InvalidInput):
        SightConfig(phrases=PHRASES[:3])
    with pytest.raises(InvalidInput):
        WriterConfig(first_block=30)


def test_the_shipped_networks_fit_each_other():
    sight, writer = load_small(SIGHT_FILE, SightConfig, Sight), load_small(WRITER_FILE, WriterConfig, Writer)
    assert len(sight.config.phrases) == len(writer.marks)
    assert open_captioner("small").name == "small"
