"""Some of a layer's outputs are those of the whole layer, whatever stands in its place."""

import pytest
import torch
from torch import Tensor, nn

from muybridge.ops.adapted import Adapted, Dial, Shift
from muybridge.ops.lora import Delta, LowRank
from muybridge.ops.outputs import outputs

IN, OUT = 6, 10


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def layer() -> nn.Linear:
    plain = nn.Linear(IN, OUT, dtype=torch.float64)
    plain.load_state_dict({"weight": normal(OUT, IN), "bias": normal(OUT)})
    return plain


def adapted(*changes: Delta | Shift) -> Adapted:
    found = Adapted(layer())
    for change in changes:
        found.add(change, Dial(0.5))
    return found


def dora() -> Delta:
    return Delta(LowRank(normal(2, IN), normal(OUT, 2)), magnitude=normal(OUT, 1).abs()).bound(layer().weight.detach())


LAYERS = {
    "plain": layer,
    "without a bias": lambda: nn.Linear(IN, OUT, bias=False, dtype=torch.float64),
    "of another kind": lambda: nn.Sequential(layer(), nn.Tanh()),
    "no change": adapted,
    "a change of all": lambda: adapted(Delta(LowRank(normal(2, IN), normal(OUT, 2)))),
    "of a part": lambda: adapted(Delta(LowRank(normal(2, IN), normal(4, 2)), first_row=3)),
    "with a bias": lambda: adapted(Delta(LowRank(normal(2, IN), normal(4, 2)), first_row=3, bias=normal(4))),
    "of the bias": lambda: adapted(Delta(None, bias=normal(OUT))),
    "several": lambda: adapted(*[Delta(LowRank(normal(r, IN), normal(4, r)), first_row=r) for r in (1, 5)]),
    "DoRA": lambda: adapted(dora()),
    "shifted": lambda: adapted(Shift({"bias": normal(OUT)})),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("first, num", [(0, 10), (0, 3), (4, 6), (3, 4), (9, 1)])
@torch.no_grad()
def test_some_outputs_are_those_of_the_whole(make, first, num):
    whole, x = make(), normal(2, 3, IN)
    torch.testing.assert_close(outputs(whole, x, first=first, num=num), whole(x)[..., first : first + num])
