"""A held first frame against vectors of the token-replace network: weights and inputs are those of `dit_shared`."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from muybridge.transformer import Conditions, Transformer, TransformerConfig

GOLDEN = Path(__file__).parent.parent / "golden"
TOLERANCE = 5e-6  # of the output's standard deviation: float32 rounding over the depth (measured 1.2e-6)
CONFIG = TransformerConfig(
    hidden_size=64, num_heads=2, num_double_blocks=1, num_single_blocks=2, rope_axes_dim=(8, 12, 12), text_dim=48,
    pooled_dim=24,
)  # fmt: skip


@torch.inference_mode()
def test_a_frame_held_at_sigma_0_is_the_released_token_replacement():
    given = load_file(GOLDEN / "dit_shared.safetensors")
    expected = load_file(GOLDEN / "dit_token_replace.safetensors")["y"]
    model = Transformer(CONFIG).eval()
    model.load_state_dict({k.removeprefix("sd."): v for k, v in given.items() if k.startswith("sd.")}, strict=True)
    sigma = (given["t"] / 1000)[:, None].repeat(1, given["x"].shape[2])
    sigma[:, 0] = 0
    conditions = Conditions(
        text=given["text_states"],
        text_mask=given["text_mask"].bool(),
        pooled=given["text_states_2"],
        guidance=given["guidance"] / 1000,
    )
    found = model(given["x"], sigma, conditions)
    assert (found - expected).abs().max() / expected.std() < TOLERANCE
    assert (found - given["y"]).abs().max() / expected.std() > 0.05  # without it, the frame is another
