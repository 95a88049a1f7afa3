"""Factors say what they multiply by, learn, and act beside layers whose weight cannot be seen."""

import pytest
import torch
from torch import Tensor, nn

from muybridge.ops.adapted import IDENTITY_ROWS, Adapted, Dial, dense_weight
from muybridge.ops.lora import Delta, Dense, Factors, Hadamard, Kronecker, LowRank

TOLERANCE = {"rtol": 0, "atol": 1e-12}


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


FACTORS = {
    "LowRank": lambda: LowRank(draw(3, 8), draw(12, 3)),
    "Hadamard, thin": lambda: Hadamard(draw(12, 2), draw(2, 8), draw(12, 2), draw(2, 8)),
    "Hadamard, wide": lambda: Hadamard(draw(12, 5), draw(5, 8), draw(12, 5), draw(5, 8)),
    "Dense": lambda: Dense(draw(12, 8)),
    "Kronecker, strided": lambda: Kronecker(Dense(draw(2, 4).T), Dense(draw(4, 3).T)),
    "Kronecker": lambda: Kronecker(Dense(draw(4, 2)), LowRank(draw(2, 4), draw(3, 2))),
}


class Sealed(nn.Module):
    """A layer whose weight is kept in integers, as quantised ones do."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("packed", torch.randint(-8, 8, (12, 8), dtype=torch.int8))
        self.offset = nn.Parameter(torch.randn(12))

    def forward(self, x: Tensor) -> Tensor:
        return x @ (self.packed.to(x.dtype) / 8).T + self.offset.to(x.dtype)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", FACTORS)
def test_factors_multiply_as_their_matrix(name: str):
    factors: Factors = FACTORS[name]()
    x = draw(2, 5, 8)
    torch.testing.assert_close(factors(x), x @ factors.matrix().T, **TOLERANCE)
    assert factors.shape == factors.matrix().shape == (12, 8)


def test_both_forms_of_hadamard_are_met():
    assert [f.rank**2 * 20 >= 96 for f in (FACTORS["Hadamard, thin"](), FACTORS["Hadamard, wide"]())] == [False, True]


@pytest.mark.parametrize("magnitude", [None, "rows", "columns"])
def test_a_layer_that_hides_its_weight_is_changed_through_its_output(magnitude: str | None):
    layer = Sealed()
    weight = dense_weight(layer, 8)
    torch.testing.assert_close(weight, layer.packed.float() / 8)
    lengths = {None: None, "rows": torch.rand(12, 1) + 1, "columns": torch.rand(1, 8) + 1}[magnitude]
    delta = Delta(LowRank(torch.randn(3, 8), torch.randn(12, 3)), scale=0.5, magnitude=lengths).bound(weight)
    adapted = Adapted(layer)
    adapted.add(delta, Dial(0.7))
    x = torch.randn(2, 5, 8)
    expected = x @ (weight + 0.7 * delta.merged(weight)).T + layer.offset
    torch.testing.assert_close(adapted(x), expected, rtol=0, atol=1e-5)


def test_factors_that_come_as_parameters_learn_and_the_layer_does_not():
    layer = nn.Linear(8, 12).requires_grad_(False)
    factors = LowRank(nn.Parameter(torch.randn(3, 8) / 8**0.5), nn.Parameter(torch.zeros(12, 3)))
    adapted = Adapted(layer)
    adapted.add(Delta(factors), Dial(1.0))
    target = torch.randn(12, 8) * 0.1
    optimizer = torch.optim.Adam([p for p in adapted.parameters() if p.requires_grad], lr=0.05)
    x = torch.randn(64, 8)
    losses = []
    for _ in range(60):
        loss = (adapted(x) - layer(x) - x @ target.T).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.75 * losses[0]  # rank 3 of a matrix of rank 8
    assert layer.weight.grad is None and list(adapted.state_dict()) == ["weight", "bias"]


def test_a_dial_at_zero_leaves_the_bits_alone():
    layer = nn.Linear(8, 12)
    adapted = Adapted(layer)
    adapted.add(Delta(LowRank(torch.randn(3, 8), torch.randn(12, 3))), Dial(0.0))
    x = torch.randn(4, 8)
    assert torch.equal(adapted(x), layer(x))


def test_a_hidden_weight_is_read_in_pieces_of_the_identity():
    linear = nn.Linear(IDENTITY_ROWS + 7, 3)
    found = dense_weight(nn.Sequential(linear), IDENTITY_ROWS + 7)
    torch.testing.assert_close(found, linear.weight.detach(), atol=1e-6, rtol=0)
