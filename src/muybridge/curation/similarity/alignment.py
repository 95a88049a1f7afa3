"""Laying tiny films on each other exactly: each side of the place is shifted, and the stretch of time chosen anew."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.curation.similarity.contrast import directions
from muybridge.curation.similarity.parts import means_over
from muybridge.curation.similarity.placing import Placing
from muybridge.curation.similarity.signature import NUM_FRAMES, SIDE
from muybridge.curation.similarity.stretches import frames_beside, stretches

CELLS = 18  # across and down at which films are compared in the end: as many as a crop to 75 % leaves of them
ROUGH_CELLS, ROUGH_FRAMES = 12, 4
STEPS = (1 / 24, 1 / 48, 1 / 96)  # of the side, by which the place's sides are shifted
SIXTEENTHS = 16  # of a clip, in which stretches are tried
STILL = 0.05  # share of what stands below which change says little about time


def roughly(films: Float[Tensor, "n t y x"], placing: Placing) -> tuple[Placing, Float[Tensor, " p"]]:
    """After a first shift, and how much frames agree there, up to 1."""
    return _shifted(films, placing, step=STEPS[0], cells=ROUGH_CELLS, frames=ROUGH_FRAMES)


def exactly(films: Float[Tensor, "n t y x"], placing: Placing) -> Placing:
    """After the other shifts, and beside the stretch of time that suits best."""
    placing = _retimed(films, placing)
    placing, _ = _shifted(films, placing, step=STEPS[1], cells=ROUGH_CELLS, frames=NUM_FRAMES)
    placing = _retimed(films, placing)
    return _shifted(films, placing, step=STEPS[2], cells=CELLS, frames=NUM_FRAMES)[0]


def laid(films: Float[Tensor, "n t y x"], placing: Placing) -> tuple[Tensor, Tensor]:
    """(the part, what lies under it of the whole), both (p, `NUM_FRAMES`, `CELLS`, `CELLS`)."""
    part, whole = _beside(films, placing, NUM_FRAMES)
    return _laid(part, whole, placing, CELLS)


def _laid(part: Tensor, whole: Tensor, placing: Placing, cells: int) -> tuple[Tensor, Tensor]:
    rows, columns = (means_over(each, count=cells, of=SIDE) for each in (placing.rows, placing.columns))
    return _resized(part, cells), torch.einsum("pyj,ptjk,pxk->ptyx", rows, whole, columns)


def _resized(film: Float[Tensor, "p t y x"], cells: int) -> Float[Tensor, "p t v w"]:
    means = means_over(torch.tensor([0.0, 1.0]), count=cells, of=SIDE)
    return torch.einsum("vy,ptyx,wx->ptvw", means, film, means)


def _beside(films: Tensor, placing: Placing, frames: int) -> tuple[Tensor, Tensor]:
    """Both films, uncropped, over the stretches that run beside each other, the part mirrored where it is."""
    part, whole = _oriented(films, placing)
    times = (placing.part_times, placing.whole_times)
    first, second = (means_over(each, count=frames, of=NUM_FRAMES) for each in times)
    return torch.einsum("put,ptyx->puyx", first, part), torch.einsum("put,ptyx->puyx", second, whole)


def _oriented(films: Tensor, placing: Placing) -> tuple[Tensor, Tensor]:
    part = films[placing.part]
    return torch.where(placing.is_mirrored[:, None, None, None], part.flip(-1), part), films[placing.whole]


def _shifted(
    films: Tensor, placing: Placing, *, step: float, cells: int, frames: int
) -> tuple[Placing, Float[Tensor, " p"]]:
    """Upper and lower side, then left and right, moved by up to a step to where frames agree most."""
    part, whole = _beside(films, placing, frames)
    wanted = directions(_resized(part, cells))
    across = torch.einsum("pxk,ptjk->ptjx", means_over(placing.columns, count=cells, of=SIDE), whole)
    rows = _nearby(placing.rows, step)
    tried = torch.einsum("pcyj,ptjx->pctyx", means_over(rows, count=cells, of=SIDE), across)
    rows, _ = _best(rows, wanted, tried)
    down = torch.einsum("pyj,ptjk->ptyk", means_over(rows, count=cells, of=SIDE), whole)
    columns = _nearby(placing.columns, step)
    tried = torch.einsum("pcxk,ptyk->pctyx", means_over(columns, count=cells, of=SIDE), down)
    columns, agreed = _best(columns, wanted, tried)
    return replace(placing, rows=rows, columns=columns), agreed


def _nearby(span: Float[Tensor, "p 2"], step: float) -> Float[Tensor, "p c 2"]:
    """The span as it is and with either end moved either way, within the side."""
    moves = torch.tensor([0.0, -step, step])
    tried = span[:, None] + torch.cartesian_prod(moves, moves)
    return torch.stack([tried[..., 0].clamp(0, 0.5), tried[..., 1].clamp(0.5, 1)], -1)


def _best(spans: Float[Tensor, "p c 2"], wanted: Float[Tensor, "p t n"], tried: Tensor) -> tuple[Tensor, Tensor]:
    """The spans with which the films agree most, and how much."""
    agreed, place = torch.einsum("ptn,pctn->pct", wanted, directions(tried)).mean(-1).max(1)
    return spans[torch.arange(len(spans)), place], agreed


def _retimed(films: Tensor, placing: Placing) -> Placing:
    """Beside the stretch of time in which frames agree most, and what changes in them."""
    part, whole = _laid(*_oriented(films, placing), placing, ROUGH_CELLS)
    first, second = directions(part), directions(whole)
    cosines = torch.einsum("ptn,pun->ptu", first, second)
    first, second = (each - each.mean(1, keepdim=True) for each in (first, second))
    stirring = (first.square().sum((1, 2)) * second.square().sum((1, 2))).sqrt() / NUM_FRAMES
    changes = torch.einsum("ptn,pun->ptu", first, second) / (stirring + STILL)[:, None, None]
    agreed = torch.einsum("ptu,ktu->pk", cosines + changes / 2, frames_beside(SIXTEENTHS, NUM_FRAMES))
    times = stretches(SIXTEENTHS)[agreed.argmax(1)]
    return replace(placing, part_times=times[:, 0], whole_times=times[:, 1])
