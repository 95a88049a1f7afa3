"""The transformer against vectors measured on the released network."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from muybridge.transformer import Conditions, Transformer, TransformerConfig

GOLDEN = Path(__file__).parent.parent / "golden" / "dit_shared.safetensors"
TOLERANCE = 5e-6  # of the output's standard deviation: float32 rounding over the depth (measured 1e-6)


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    with safe_open(GOLDEN, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


@pytest.fixture(scope="module")
def network(golden: dict[str, Tensor]) -> Transformer:
    config = TransformerConfig(
        hidden_size=64,
        num_heads=2,
        num_double_blocks=1,
        num_single_blocks=2,
        rope_axes_dim=(8, 12, 12),
        text_dim=48,
        pooled_dim=24,
    )
    model = Transformer(config)
    model.load_state_dict({k.removeprefix("sd."): v for k, v in golden.items() if k.startswith("sd.")}, strict=True)
    return model.eval()


def run(model: Transformer, golden: dict[str, Tensor], rows: slice) -> Tensor:
    conditions = Conditions(
        text=golden["text_states"][rows],
        text_mask=golden["text_mask"][rows].bool(),
        pooled=golden["text_states_2"][rows],
        guidance=golden["guidance"][rows] / 1000,
    )
    with torch.inference_mode():
        return model(golden["x"][rows], golden["t"][rows] / 1000, conditions)


def test_released_state_dict_gives_the_released_output(network: Transformer, golden: dict[str, Tensor]) -> None:
    error = (run(network, golden, slice(None)) - golden["y"]).abs().max() / golden["y"].std()
    assert error < TOLERANCE


@pytest.mark.parametrize("row", [0, 1])
def test_one_released_sample_alone(network: Transformer, golden: dict[str, Tensor], row: int) -> None:
    rows = slice(row, row + 1)
    error = (run(network, golden, rows) - golden["y"][rows]).abs().max() / golden["y"].std()
    assert error < TOLERANCE
