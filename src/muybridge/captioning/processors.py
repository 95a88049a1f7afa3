"""A vision-language model's processor from its folder: chat template, tokenizer, and what makes pixels of pictures.

Processors that can also read films ask for torchvision, which CPU machines lack; clips are shown as pictures, so there
they are made without that part.
"""

from pathlib import Path
from typing import Any

import transformers
from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.image_processing_auto import AutoImageProcessor
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES, AutoProcessor
from transformers.models.auto.tokenization_auto import AutoTokenizer
from transformers.processing_utils import ProcessorMixin

from muybridge.core.errors import WeightsError


def open_processor(folder: Path) -> Any:
    """The processor in `folder`, its tokenizer padding on the left. Raises WeightsError."""
    try:
        processor = _processor(folder)
    except Exception as error:  # tokenizers and image processors raise nearly anything on damaged files
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        remedy = "give the whole folder of the model, with its tokenizer, processor and chat template"
        raise WeightsError(f"{folder}: has no processor that can be read ({reason}); {remedy}.") from None
    if not isinstance(processor, ProcessorMixin):
        raise WeightsError(f"{folder}: reads text alone; give a model that reads pictures.")
    if not (processor.chat_template or processor.tokenizer.chat_template):
        raise WeightsError(f"{folder}: has no chat template; add the model's chat_template.jinja.")
    processor.tokenizer.padding_side = "left"
    return processor


def _processor(folder: Path) -> Any:
    try:
        return AutoProcessor.from_pretrained(folder, local_files_only=True)
    except ImportError as error:
        if "torchvision" not in str(error).lower():
            raise
    model_type = AutoConfig.from_pretrained(folder, local_files_only=True).model_type
    kind = _without_films(getattr(transformers, str(PROCESSOR_MAPPING_NAMES[model_type])))
    parts = {
        "image_processor": AutoImageProcessor.from_pretrained(folder, local_files_only=True),
        "tokenizer": AutoTokenizer.from_pretrained(folder, local_files_only=True),
    }
    said, _ = kind.get_processor_dict(folder, local_files_only=True)
    return kind.from_args_and_dict([parts.get(name) for name in kind.get_attributes()], said)


def _without_films(kind: type[ProcessorMixin]) -> Any:
    """The class, with parts that may be absent."""

    def check(self: ProcessorMixin, name: str, part: Any) -> Any:
        return None if part is None else ProcessorMixin.check_argument_for_proper_class(self, name, part)

    return type(kind.__name__, (kind,), {"check_argument_for_proper_class": check})
