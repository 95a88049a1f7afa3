"""How one clip's tiny film may lie on another's: where in its picture, beside which stretch of time, mirrored or not.

Whichever of the two shows less, the other is searched for it: a crop is a part of its original, a clip is a part of its
bordered copy.
"""

from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from muybridge.curation.similarity.contrast import directions
from muybridge.curation.similarity.parts import means_over
from muybridge.curation.similarity.signature import SIDE
from muybridge.curation.similarity.stretches import frames_beside, stretches

CELLS, FRAMES = 8, 4  # across and down, and in time, at which places are looked for
TWELFTHS, SMALLEST = 12, 9  # of a side, in which places are tried, and what a crop leaves of them at least
EIGHTHS = 8  # of a clip, in which stretches are tried


@dataclass(frozen=True, kw_only=True, slots=True)
class Placing:
    """Of each of some pairs of clips: the one that shows less, the other, and where all of the first lies in it."""

    part: Int[Tensor, " p"]
    whole: Int[Tensor, " p"]
    is_mirrored: Bool[Tensor, " p"]
    rows: Float[Tensor, "p 2"]  # of the whole, from and to, as shares of its height
    columns: Float[Tensor, "p 2"]
    part_times: Float[Tensor, "p 2"]  # the stretch of the part, as shares of its length, that runs
    whole_times: Float[Tensor, "p 2"]  # beside this stretch of the whole

    def taken(self, which: Tensor) -> "Placing":
        """Those of some numbers, or of a mask."""
        return Placing(**{field.name: getattr(self, field.name)[which] for field in fields(self)})


def likely(
    films: Float[Tensor, "n t y x"], pairs: Int[Tensor, "p 2"], *, count: int
) -> tuple[Placing, Float[Tensor, " pc"]]:
    """Of each pair `count` placings and then the films as wholes, and how much frames agree there, up to 1.

    Copies that are lettered agree better elsewhere at times: as wholes they are always looked at.
    """
    windows = _windows(films)
    ways = []
    for part, whole in (pairs.T, pairs.T.flip(0)):
        wanted = rearrange(windows[part, 0], "p t (y x) -> p t y x", y=CELLS)
        for seen in (wanted, wanted.flip(-1)):
            cosines = torch.einsum("ptd,pwud->pwtu", seen.flatten(2), windows[whole])
            ways.append(torch.einsum("pwtu,ktu->pwk", cosines, frames_beside(EIGHTHS, FRAMES)))
    agreed = torch.stack(ways, 1)
    best, place = agreed.flatten(1).topk(count, dim=1)
    as_wholes = agreed[:, :2, 0, 0].max(1, keepdim=True)
    place = torch.cat([place, as_wholes.indices * agreed[0, 0].numel()], 1).flatten()
    way, window, stretch = torch.unravel_index(place, agreed.shape[1:])
    pair, number = pairs.repeat_interleave(count + 1, 0), torch.arange(len(place))
    spans, times = _spans(), stretches(EIGHTHS)[stretch]
    placing = Placing(
        part=pair[number, way // 2], whole=pair[number, 1 - way // 2], is_mirrored=way % 2 == 1,
        rows=spans[window // len(spans)], columns=spans[window % len(spans)],
        part_times=times[:, 0], whole_times=times[:, 1],
    )  # fmt: skip
    return placing, torch.cat([best, as_wholes.values], 1).flatten()


def _windows(films: Float[Tensor, "n t y x"]) -> Float[Tensor, "n w u d"]:
    """Contrasts of every window of the films, the whole picture first."""
    means = means_over(_spans(), count=CELLS, of=SIDE)
    rows = torch.einsum("ayj,ntjk->natyk", means, rearrange(films, "n (t s) y x -> n t s y x", t=FRAMES).mean(2))
    return directions(rearrange(torch.einsum("bxk,natyk->nabtyx", means, rows), "n a b t y x -> n (a b) t y x"))


@lru_cache(maxsize=1)
def _spans() -> Float[Tensor, "w 2"]:
    """Every large part of a side, all of it first."""
    sizes = range(TWELFTHS, SMALLEST - 1, -1)
    return torch.tensor([(at, at + size) for size in sizes for at in range(TWELFTHS - size + 1)]) / TWELFTHS
