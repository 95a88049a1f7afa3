"""The checker that all tests run under refuses what annotations rule out, wherever they stand."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from jaxtyping import Float, config
from torch import Tensor

from muybridge.flow.path import velocity
from tests.shape_checker import enforced

ROW, SQUARE = torch.zeros(3), torch.zeros(3, 3)


@enforced
def doubled(row: Float[Tensor, " n"], other: Float[Tensor, " n"] | None = None) -> Float[Tensor, " n"]:
    return row if other is None else torch.cat([row, other])


@enforced
def sized(dim: int, made: int) -> Float[Tensor, " {dim}"]:
    return torch.zeros(made)


@enforced
@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    square: Float[Tensor, "n n"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: doubled(SQUARE), "row is"),
        (lambda: doubled(row=SQUARE), "row is"),
        (lambda: doubled(ROW, ROW[:2]), "other is"),
        (lambda: doubled(ROW, other=ROW), "the result is"),
        (lambda: doubled(ROW.int()), "row is torch.int32"),
        (lambda: sized(3, 4), "the result is"),
        (lambda: Held(square=ROW), "square is"),
        (lambda: velocity(SQUARE, SQUARE[:2]), "noise is torch.float32"),
    ],
)
def test_a_broken_annotation_is_an_error(call: Callable[[], object], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        call()
    config.update("jaxtyping_disable", True)  # the next test's fixture enforces them again
    if said == "row is":
        call()


def test_what_fits_passes_and_functions_without_arrays_are_left_alone() -> None:
    def plain(number: int) -> int:
        return number

    assert doubled(ROW).shape == ROW.shape and sized(4, made=4).shape == (4,) and Held(square=SQUARE)
    assert enforced(plain) is plain
