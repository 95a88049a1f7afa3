"""The verb `convert`, typed."""

from pathlib import Path

import pytest
import torch

from muybridge.cli.convert import DtypeName
from muybridge.weights.save import save_tensors
from muybridge.weights.target import DTYPES

NAME = "diffusion_model.double_blocks.0.img_attn_proj"
TEXT = "lora_te1_text_model_encoder_layers_0_mlp_fc1"


@pytest.fixture
def lora(folder: Path) -> str:
    """A LoRA that changes a text encoder too."""
    tensors = {
        f"{NAME}.lora_A.weight": torch.ones(2, 8), f"{NAME}.lora_B.weight": torch.ones(8, 2),
        f"{TEXT}.lora_down.weight": torch.ones(2, 4), f"{TEXT}.lora_up.weight": torch.ones(4, 2),
    }  # fmt: skip
    save_tensors(tensors, folder / "lora.safetensors")
    return "lora.safetensors"


def test_every_dtype_that_is_offered_can_be_written():
    assert [*map(str, DtypeName)] == list(DTYPES)


def test_a_dry_run_of_a_lora_writes_nothing(run, folder, lora):
    outcome = run("convert", lora, "new.safetensors", "--layout", "kohya", "--ignore-lora-text", "--dry-run")
    assert outcome.code == 0 and "would write new.safetensors" in outcome.out
    assert [path.name for path in folder.iterdir()] == [lora]


def test_what_a_lora_changes_in_a_text_encoder_is_left_aside_only_when_told(run, folder, lora):
    outcome = run("convert", lora, "new.safetensors", "--layout", "kohya")
    assert outcome.code == 2 and "--ignore-lora-text" in outcome.err and not (folder / "new.safetensors").exists()
    outcome = run("convert", lora, "new.safetensors", "--layout", "kohya", "--ignore-lora-text")
    assert outcome.code == 0 and "wrote new.safetensors" in outcome.out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("new.pt", "no .pt is written; name new.safetensors"),
        ("new.gguf", "is for transformers, not for a vae; use .safetensors"),
        ("file/new.safetensors", "cannot be written"),
        ("/dev/null/new", "cannot be written"),
    ],
)
def test_a_destination_that_cannot_be_is_refused_at_once(run, folder, model, name, said):
    (folder / "file").write_text("not a folder")
    outcome = run("convert", model, name, "--part", "vae")
    assert outcome.code == 2 and said in outcome.err and outcome.err.count("\n") == 1


def test_a_model_s_name_is_a_source(run, folder):
    outcome = run("convert", "gallop", "vae.safetensors", "--part", "vae", "--dry-run")
    assert outcome.code == 0 and "vae: 7,431,904 parameters" in outcome.out
    outcome = run("convert", "galop", "vae.safetensors")
    assert outcome.code == 2 and "did you mean gallop?" in outcome.err
    outcome = run("convert", "gallop", "vae.safetensors", "--part", "audio")
    assert outcome.code == 2 and "part=audio: is no part of it; use one of transformer, vae" in outcome.err
