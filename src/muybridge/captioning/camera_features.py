"""Numbers that tell camera movements apart, from the flow of a clip over short and over long times.

The camera's part of the flow is what most of the picture shares: in each pair of frames a smooth field, quadratic in
the place, found by reweighted least squares, and in each cell the median over time, which what passes by leaves alone.
A zoom is a divergence; a pan moves near things, below, faster than far ones; a tilt moves all alike and bends lines; an
orbit moves near and far things in opposite ways; a hand goes to and fro. Before a camera that stands, however much of
the picture something fills that comes nearer, the rest looks the same where it was.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from muybridge.captioning.camera_flow import GRID, NUM_LONG, NUM_SHORT, CellFlow, FlowFilms

SIDE = 8  # of the coarser grid on which fields are fitted
NUM_TERMS = 6  # 1, x, y, xx, xy, yy
NUM_ROUNDS = 4  # of reweighting
STILL_SPEED = 0.012  # short sides per second: by less cells may always differ
NOISE = 0.02  # short sides per second: what is slower is no movement
MIN_TEXTURE = 4.0  # levels, below which a cell cannot be followed, as in `Motion`; from twice that on it can
LOST, FOUND = 0.4, 0.8  # likeness after the flow, below which it is wrong, and above which it is right
TRUST_SIDE = 4
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
EDGE = 2  # cells along every side of the frame
ABOVE = 6  # rows of cells, in which mostly far things are seen
NUM_SIZES, NUM_STANDING = 7, 7 * len(QUANTILES)
_RIDGE = 1e-3


def _num_of(num_pairs: int) -> int:
    fields = NUM_TERMS * 2 * 5 + SIDE * SIDE * 2 + SIDE * 4 + TRUST_SIDE**2 + num_pairs // 2 * 2
    return fields + NUM_SIZES + NUM_STANDING


NUM_FEATURES = _num_of(NUM_SHORT) + _num_of(NUM_LONG)


def features(films: FlowFilms) -> Float[Tensor, "b k"]:
    """`NUM_FEATURES` for each clip: shapes of the flow relative to its speed, and speeds as logarithms."""
    parts = [part for flow in (films.short, films.long) for part in (*_fields(flow, films.extent), *_standing(flow))]
    return torch.cat(parts, dim=1)


def _fields(flow: CellFlow, extent: Float[Tensor, "b 2"]) -> list[Float[Tensor, "b _k"]]:
    """What the cells share, how it changes, and what is left."""
    basis, (speeds, trust) = _basis(extent), _coarse(flow)
    terms = shared_terms(basis, speeds, trust)
    followed = torch.einsum("bnk,bpka->bpna", basis, terms)
    typical = followed.norm(dim=-1).mean(2).median(1).values
    unit = (typical + NOISE)[:, None]
    lasting, seen = speeds.median(1).values, trust.mean(1)
    whole = shared_terms(basis, lasting[:, None], seen[:, None])[:, 0]
    shape = torch.einsum("bnk,bka->bna", basis, whole)
    filled = shape + seen[..., None] * (lasting - shape)
    mean, spread = terms.mean(1), terms.std(1)
    steady = mean.abs() / (mean.square() + spread.square() + 1e-8).sqrt()
    to_and_fro = (terms[:, 1:] * terms[:, :-1]).mean(1) / (terms.square().mean(1) + NOISE**2 / 16)
    rest = ((speeds - followed).norm(dim=-1) * trust).mean((1, 2))
    shake = followed.mean(2).std(1).norm(dim=-1)
    sizes = [typical, shake, rest, *_spreads(lasting - shape, seen), *_spreads(filled, torch.ones_like(seen))]
    shares = avg_pool2d(seen.unflatten(1, (1, SIDE, SIDE)), SIDE // TRUST_SIDE)
    return [
        terms.median(1).values.flatten(1) / unit, whole.flatten(1) / unit, spread.flatten(1) / unit,
        steady.flatten(1), to_and_fro.flatten(1), filled.flatten(1) / unit,
        *_profiles(filled / unit[..., None]), shares.flatten(1), _waves(terms[:, :, 0]),
        *(torch.log(size + NOISE / 4)[:, None] for size in sizes),
    ]  # fmt: skip


def shared_terms(
    basis: Float[Tensor, "b n k"], speeds: Float[Tensor, "b p n 2"], trust: Float[Tensor, "b p n"]
) -> Float[Tensor, "b p k 2"]:
    """The smooth field of each pair: least squares, reweighted after Geman and McClure 1987."""
    trust = trust + 1e-4
    ridge = _RIDGE * torch.eye(NUM_TERMS)
    followed = _middle(speeds, trust)[:, :, None].expand_as(speeds)
    terms = speeds.new_zeros(*speeds.shape[:2], NUM_TERMS, 2)
    for _ in range(NUM_ROUNDS):
        rest = (speeds - followed).norm(dim=-1)
        scale = (1.5 * rest.median(-1, keepdim=True).values).clamp_min(STILL_SPEED)
        weight = trust / (1 + (rest / scale).square()).square()
        left = torch.einsum("bnk,bpn,bnl->bpkl", basis, weight, basis) + ridge
        right = torch.einsum("bnk,bpn,bpna->bpka", basis, weight, speeds)
        terms = torch.linalg.solve(left, right)
        followed = torch.einsum("bnk,bpka->bpna", basis, terms)
    return terms


def _basis(extent: Float[Tensor, "b 2"]) -> Float[Tensor, "b n k"]:
    """Each cell's place from the middle, in short sides, to the second power."""
    place = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    row, column = (each.reshape(1, -1) for each in torch.meshgrid(place, place, indexing="ij"))
    x, y = column * extent[:, :1], row * extent[:, 1:]
    return torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y], dim=-1)


def _coarse(flow: CellFlow) -> tuple[Float[Tensor, "b p n 2"], Float[Tensor, "b p n"]]:
    """Speeds on the coarser grid, mostly of the cells that the flow explains; and how far they can be trusted."""
    weight = (flow.texture + MIN_TEXTURE / 16) * (flow.likeness - 0.3).clamp(0.02, 0.6)
    speeds = torch.stack([_halved(part * weight) / _halved(weight) for part in flow.speeds.unbind(-1)], dim=-1)
    texture = flow.texture + MIN_TEXTURE / 16
    likeness = _halved(flow.likeness * texture) / _halved(texture)
    trust = _textured(_halved(flow.texture)) * ((likeness - LOST) / (FOUND - LOST)).clamp(0, 1)
    return speeds.flatten(2, 3), trust.flatten(2)


def _halved(cells: Float[Tensor, "b p grid grid"]) -> Float[Tensor, "b p side side"]:
    return avg_pool2d(cells, GRID // SIDE)


def _textured(texture: Tensor) -> Tensor:
    """0 where there is nothing to follow, 1 where there is enough."""
    return (texture / MIN_TEXTURE - 1).clamp(0, 1)


def _middle(speeds: Float[Tensor, "b p n 2"], trust: Float[Tensor, "b p n"]) -> Float[Tensor, "b p 2"]:
    """The median speed of what can be followed, in each direction alone."""
    seen = torch.where(trust[..., None] > 0.1, speeds, torch.nan)
    return seen.nanmedian(2).values.nan_to_num()


def _waves(shifts: Float[Tensor, "b p 2"]) -> Float[Tensor, "b w"]:
    """How the shift's energy is shared out among frequencies."""
    num_pairs = shifts.shape[1]
    power = torch.fft.rfft(shifts - shifts.mean(1, keepdim=True), dim=1)[:, 1:].abs().square()
    whole = shifts.square().sum((1, 2))[:, None] * num_pairs + num_pairs * NOISE**2
    return (power / whole[:, None]).flatten(1)


def _spreads(speeds: Float[Tensor, "b n 2"], trust: Float[Tensor, "b n"]) -> list[Float[Tensor, " b"]]:
    """The mean speed, and how far cells are from moving alike."""
    apart = speeds - speeds.mean(1, keepdim=True)
    share = trust / (trust.sum(1, keepdim=True) + 1e-4)
    return [(speeds.norm(dim=-1) * share).sum(1), (apart.norm(dim=-1) * share).sum(1)]


def _profiles(filled: Float[Tensor, "b n 2"]) -> list[Float[Tensor, "b k"]]:
    """The median of each row, where near and far part, and how far columns on both sides are from it."""
    cells = filled.unflatten(1, (SIDE, SIDE))
    rows = cells.median(2).values
    return [rows.flatten(1), (cells - rows[:, :, None]).median(1).values.flatten(1)]


def _standing(flow: CellFlow) -> list[Float[Tensor, "b q"]]:
    """How alike cells stay where they are, and how fast they are: over the frame, along its edges, and above."""
    sure = _textured(flow.texture).mean(1)
    alike, speed = flow.standing.mean(1), torch.log(flow.speeds.norm(dim=-1).mean(1) + NOISE / 4)
    edges, above = torch.ones(GRID, GRID), torch.zeros(GRID, GRID)
    edges[EDGE:-EDGE, EDGE:-EDGE], above[:ABOVE] = 0, 1
    return [
        _quantiles(alike, sure), _quantiles(flow.standing.amin(1), sure),
        _quantiles(alike - flow.likeness.mean(1), sure), _quantiles(speed, sure),
        _quantiles(alike, sure * edges), _quantiles(speed, sure * edges), _quantiles(speed, sure * above),
    ]  # fmt: skip


def _quantiles(values: Float[Tensor, "b grid grid"], weight: Float[Tensor, "b grid grid"]) -> Float[Tensor, "b q"]:
    """`QUANTILES` of the cells of each clip, each counted by its weight."""
    values, order = values.flatten(1).sort(dim=1)
    share = (weight.flatten(1) + 1e-5).gather(1, order).cumsum(1)
    at = share.new_tensor(QUANTILES).expand(len(share), -1) * share[:, -1:]
    return values.gather(1, torch.searchsorted(share, at.contiguous()).clamp_max(values.shape[1] - 1))
