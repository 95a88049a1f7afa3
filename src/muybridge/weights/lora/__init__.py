"""LoRA files of any layout read into one form, applied to a model from outside, and written back."""

from muybridge.weights.lora.describe import LoraReport, describe
from muybridge.weights.lora.form import Lora
from muybridge.weights.lora.read import is_lora, is_lora_file, read_lora
from muybridge.weights.lora.stack import ActiveLora, LoraStack
from muybridge.weights.lora.write import LORA_LAYOUTS, LoraLayout, convert_lora, save_lora

__all__ = [
    "LORA_LAYOUTS",
    "ActiveLora",
    "Lora",
    "LoraLayout",
    "LoraReport",
    "LoraStack",
    "convert_lora",
    "describe",
    "is_lora",
    "is_lora_file",
    "read_lora",
    "save_lora",
]
