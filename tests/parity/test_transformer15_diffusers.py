"""HunyuanVideo-1.5's transformer against diffusers', the same random weights in both, through files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from muybridge.transformer import Conditions, Transformer
from muybridge.weights.convert import convert
from muybridge.weights.load import load_transformer
from muybridge.weights.save import save_model
from muybridge.weights.target import Target
from tests.parity.peer_transformer import relative_error
from tests.transformer.networks import TINY_15, network
from tests.weights.small import same

diffusers = pytest.importorskip("diffusers")

pytestmark = pytest.mark.peer

TOLERANCE = 1e-5  # of the output's standard deviation: float32 over two blocks (measured 1e-6)
DRAWN = torch.Generator().manual_seed(3)
NOISY, SIGMA, END_SIGMA = torch.randn(2, 9, 3, 4, 6, generator=DRAWN), torch.tensor([0.9, 0.25]), torch.tensor([0.5, 0])
TEXT, GLYPHS, VISION = (torch.randn(2, *shape, generator=DRAWN) for shape in ((9, 12), (6, 8), (5, 6)))
TEXT_MASK = torch.arange(9) < torch.tensor([[9], [4]])
GLYPH_MASK = torch.arange(6) < torch.tensor([[3], [0]])


def written_peer(folder: Path, *, has_end_sigma: bool) -> tuple[Transformer, Any]:
    """Ours, and diffusers' from what we convert."""
    ours = network(replace(TINY_15, has_end_sigma=has_end_sigma))
    save_model(ours, folder / "ours.safetensors")
    convert(folder / "ours.safetensors", folder / "transformer", target=Target(layout="diffusers"))
    return ours, diffusers.HunyuanVideo15Transformer3DModel.from_pretrained(folder / "transformer")


@torch.no_grad()
def both(ours: Transformer, peer: Any, *, vision: Tensor | None) -> tuple[Tensor, Tensor]:
    """Velocities. Of text to video, diffusers is told by semantics that are zero."""
    has_end = ours.config.has_end_sigma
    expected = peer(
        NOISY, SIGMA * 1000, TEXT, TEXT_MASK, timestep_r=END_SIGMA * 1000 if has_end else None,
        encoder_hidden_states_2=GLYPHS, encoder_attention_mask_2=GLYPH_MASK,
        image_embeds=torch.zeros_like(VISION) if vision is None else vision, return_dict=False,
    )[0]  # fmt: skip
    conditions = Conditions(
        text=TEXT, text_mask=TEXT_MASK, glyphs=GLYPHS, glyph_mask=GLYPH_MASK, vision=vision,
        end_sigma=END_SIGMA if has_end else None,
    )  # fmt: skip
    return ours(NOISY, SIGMA, conditions), expected


@pytest.mark.parametrize("has_end_sigma", [False, True])
def test_our_network_converted_is_the_peers(has_end_sigma: bool, tmp_path: Path):
    ours, peer = written_peer(tmp_path, has_end_sigma=has_end_sigma)
    for vision in (None, VISION):
        assert relative_error(*both(ours, peer, vision=vision)) < TOLERANCE


def test_through_diffusers_and_back_every_bit_stays(tmp_path: Path):
    ours, peer = written_peer(tmp_path, has_end_sigma=True)
    peer.save_pretrained(tmp_path / "saved", max_shard_size="8MB")
    loaded = load_transformer(tmp_path / "saved")
    assert loaded.config == ours.config and same(loaded, ours)
    settings = [json.loads((tmp_path / name / "config.json").read_text()) for name in ("transformer", "saved")]
    said, saved = (
        {k: v for k, v in fields.items() if not k.startswith("_") or k == "_class_name"} for fields in settings
    )
    assert said.items() <= saved.items()
