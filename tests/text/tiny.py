"""Tiny random language models and tokenizers, built here: no network."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaModel,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from muybridge.media.frames import Picture
from muybridge.text.templates import PICTURE, PICTURED_VIDEO, RELEASED_IMAGE, RELEASED_VIDEO

LLAMA3_SPLIT = (  # how Llama-3 cuts text into words before merging bytes: newlines stay together
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CORPUS = ("a red ball bounces on a wooden floor", RELEASED_VIDEO.text, RELEASED_IMAGE.text)


def language_tokenizer(*, sees_pictures: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level BPE in the manner of Llama-3: begin token added, header tokens whole, right padding.

    sees_pictures: with LLaVA's token for a picture.
    """
    special = ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|pad|>", "{}"]
    special += [PICTURE] if sees_pictures else []
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((*CORPUS, PICTURED_VIDEO.text) if sees_pictures else CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=special[0],
        eos_token=special[1],
        pad_token=special[4],
        padding_side="right",
    )


def word_tokenizer(special: dict[str, int]) -> PreTrainedTokenizerFast:
    """Words and punctuation marks, none of them known, around special tokens of given numbers."""
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, **special}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(list(special))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def clip_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE with begin and end tokens, padded with the end token, as CLIP's is."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|startoftext|>", "<|endoftext|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS[:1], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>", special_tokens=[("<|startoftext|>", 0), ("<|endoftext|>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=special[0], eos_token=special[1], pad_token=special[1]
    )


def language_model(num_layers: int = 5) -> LlamaModel:
    """A Llama of width 32, weights large enough that its states differ from token to token."""
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=num_layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.2,
    )
    return LlamaModel(config).eval()


def llava() -> LlavaForConditionalGeneration:
    """The language model of `language_model` behind a vision tower that makes 36 vectors of a picture."""
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, image_size=84, patch_size=14
    )
    ids = language_tokenizer(sees_pictures=True)
    config = LlavaConfig(
        vision_config=vision.to_dict(),
        text_config=language_model().config.to_dict(),
        image_token_index=ids.convert_tokens_to_ids(PICTURE),
        pad_token_id=ids.pad_token_id,
    )
    model = LlavaForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape)) if "language" not in name else None
        model.model.language_model.load_state_dict(language_model().state_dict())
    return model


def picture_processor() -> CLIPImageProcessorPil:
    """What transformers does to a picture for `llava`."""
    return CLIPImageProcessorPil(size={"shortest_edge": 84}, crop_size={"height": 84, "width": 84})


def picture(width: int = 60, height: int = 40) -> Picture:
    """Colours that differ everywhere."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def gallop_language(folder: Path, *, corpus: Sequence[str] = ()) -> Path:
    """`folder`, filled as SmolLM2's is: a model of width 32, a tokenizer of letters and of the words of `corpus`."""
    torch.manual_seed(0)
    model = language_model()
    model.config.save_pretrained(folder)
    save_file({name: tensor.bfloat16() for name, tensor in model.state_dict().items()}, folder / "model.safetensors")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=500, initial_alphabet=letters, show_progress=False)
    )
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def clip_model() -> CLIPTextModel:
    """A CLIP text model of width 16."""
    config = CLIPTextConfig(
        vocab_size=300,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    model = CLIPTextModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return model
