"""Tiny random models with real tokenizers and processors, saved as people get them from a hub."""

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.processing_llava import LlavaProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from muybridge.captioning.schema import CHOICES, FIELDS

TEXTS = [
    "the camera pans left over a bright meadow", "zoom in", "été à Zürich", "走马",
    "{" + ", ".join(f'"{name}": "a"' for name in FIELDS) + "}", *(word for words in CHOICES.values() for word in words),
]  # fmt: skip
VISION = ("<|vision_start|>", "<|image_pad|>", "<|video_pad|>", "<|vision_end|>")
TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}{% if part['type'] == 'image' %}IMAGE"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}{% if add_generation_prompt %}\nA:{% endif %}"
)


def byte_tokenizer(*specials: str, texts: Sequence[str] = TEXTS) -> PreTrainedTokenizerFast:
    """Byte-level BPE, as GPT-2, Llama 3 and Qwen have it, with tokens for the words of some texts."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    names = ["<eos>", "<pad>", *specials]
    core.train_from_iterator(
        [*texts] * 20, trainers.BpeTrainer(vocab_size=700, initial_alphabet=letters, special_tokens=names)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<eos>", pad_token="<pad>", additional_special_tokens=list(specials)
    )


def piece_tokenizer() -> PreTrainedTokenizerFast:
    """Pieces with bytes to fall back on, as SentencePiece of Llama 2 and LLaVA 1.5 has it."""
    letters = sorted({letter for text in TEXTS for letter in text.replace(" ", "\u2581")} | set('{}":,._'))
    longer = ["\u2581the", "zo", "zoo", '":\u2581"', ',\u2581"', *FIELDS, *CHOICES["camera"]]
    names = ["<unk>", "<eos>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters, *longer]
    vocab = {name: index for index, name in enumerate(dict.fromkeys(names))}
    core = Tokenizer(models.BPE(vocab=vocab, merges=[("z", "o"), ("zo", "o")], unk_token="<unk>", byte_fallback=True))
    core.normalizer = normalizers.Replace(" ", "\u2581")
    core.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<eos>", unk_token="<unk>")


def llava(folder: Path, *, has_template: bool = True) -> Path:
    """A LLaVA of a few thousand weights."""
    torch.manual_seed(0)
    tokenizer = byte_tokenizer("<image>")
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28,
            patch_size=14, projection_dim=16,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=4096,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"), image_seq_length=4,
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    pixels = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    LlavaProcessor(
        image_processor=pixels, tokenizer=tokenizer, patch_size=14, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, image_token="<image>",
        chat_template=TEMPLATE.replace("IMAGE", "<image>\n") if has_template else None,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def qwen(folder: Path) -> Path:
    """A Qwen2.5-VL of a few thousand weights; its processor is saved in parts, as where torchvision is absent."""
    torch.manual_seed(0)
    tokenizer = byte_tokenizer(*VISION)
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in VISION}
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 8192,
            "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
        },
        vision_config={
            "depth": 2, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 16,
            "fullatt_block_indexes": [1], "window_size": 56,
        },
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    model = Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.chat_template = TEMPLATE.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    tokenizer.save_pretrained(folder)
    Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=56 * 56).save_pretrained(folder)
    return folder
