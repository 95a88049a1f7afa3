"""Running a language model under a `Constraint`, and what it wrote as results."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers.generation.configuration_utils import GenerationConfig

from muybridge.captioning.captioner import CaptionResult
from muybridge.captioning.constrained import Constraint, finished_texts
from muybridge.captioning.parse import parse
from muybridge.core.errors import RunFailed


def written(
    model: Any, inputs: Mapping[str, torch.Tensor], constraint: Constraint, *, eos_ids: Sequence[int]
) -> list[CaptionResult]:
    """What the model writes after `inputs`, greedily: a caption for each row. Raises RunFailed without memory."""
    config = GenerationConfig(
        max_new_tokens=constraint.max_new_tokens, do_sample=False, eos_token_id=list(eos_ids), pad_token_id=eos_ids[0]
    )
    try:
        model.generate(**inputs, generation_config=config, logits_processor=[constraint])
    except torch.OutOfMemoryError:
        rule = "the device's memory is too small for this batch"
        raise RunFailed(f"captioning: {rule}; use a smaller batch, fewer frames or a smaller side.") from None
    rows = zip(constraint.texts(), constraint.cut_fields(), constraint.num_tokens(), strict=True)
    return [
        CaptionResult(
            caption=parse(json.dumps(finished_texts(json.loads(text), cut))).caption,
            repairs=tuple(f"{name}: was cut at its limit" for name in sorted(cut)), num_tokens=num_tokens,
        )
        for text, cut, num_tokens in rows
    ]  # fmt: skip
