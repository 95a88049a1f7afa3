"""Numbers that tell camera movements apart, from the flow of a clip.

The camera's part of the flow is what most of the picture shares: in each pair of frames a smooth field, quadratic in
the place, found by reweighted least squares, and in each cell the median over time, which what passes by leaves alone.
A zoom is a divergence; a pan moves near things, below, faster than far ones; a tilt moves all alike and bends lines; an
orbit moves near and far things in opposite ways; a hand goes to and fro.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from muybridge.captioning.camera_flow import GRID, NUM_PAIRS, FlowFilms

NUM_TERMS = 6  # 1, x, y, xx, xy, yy
NUM_ROUNDS = 5  # of reweighting
STILL_SPEED = 0.012  # short sides per second: by less cells may always differ
NOISE = 0.02  # short sides per second: what is slower is no movement
NUM_WAVES = NUM_PAIRS // 2  # frequencies of a hand
TRUST_GRID = 4
NUM_SIZES = 11
NUM_FEATURES = NUM_TERMS * 2 * 5 + GRID * GRID * 2 + GRID * 2 * 2 + TRUST_GRID**2 + NUM_WAVES * 2 + NUM_SIZES
_RIDGE = 1e-3


def features(films: FlowFilms) -> Float[Tensor, "b k"]:
    """`NUM_FEATURES` for each clip: shapes of the flow relative to its speed, and speeds as logarithms."""
    basis, speeds, trust = _basis(films), films.speeds.flatten(2, 3), films.trust.flatten(2)
    terms = shared_terms(basis, speeds, trust)
    followed = torch.einsum("bnk,bpka->bpna", basis, terms)
    typical = followed.norm(dim=-1).mean(2).median(1).values
    unit = (typical + NOISE)[:, None]
    lasting, seen = speeds.median(1).values, trust.mean(1)
    whole = shared_terms(basis, lasting[:, None], seen[:, None])[:, 0]
    shape = torch.einsum("bnk,bka->bna", basis, whole)
    filled = seen[..., None] * lasting + (1 - seen[..., None]) * shape
    mean, spread = terms.mean(1), terms.std(1)
    steady = mean.abs() / (mean.square() + spread.square() + 1e-8).sqrt()
    to_and_fro = (terms[:, 1:] * terms[:, :-1]).mean(1) / (terms.square().mean(1) + NOISE**2 / 16)
    shares = avg_pool2d(films.trust.mean(1, keepdim=True), GRID // TRUST_GRID)
    rest = ((speeds - followed).norm(dim=-1) * trust).mean((1, 2))
    shake = followed.mean(2).std(1).norm(dim=-1)
    sizes = [typical, shake, rest, *_spreads(lasting - shape, seen), *_spreads(filled, torch.ones_like(seen))]
    parts = [
        terms.median(1).values.flatten(1) / unit, whole.flatten(1) / unit, spread.flatten(1) / unit,
        steady.flatten(1), to_and_fro.flatten(1), filled.flatten(1) / unit, *_profiles(filled / unit[..., None]),
        shares.flatten(1),
        _waves(terms[:, :, 0]), *(torch.log(size + NOISE / 4)[:, None] for size in sizes), _still(lasting, seen),
    ]  # fmt: skip
    return torch.cat(parts, dim=1)


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


def _basis(films: FlowFilms) -> Float[Tensor, "b n k"]:
    """Each cell's place from the middle, in short sides, to the second power."""
    place = (torch.arange(GRID) + 0.5) / GRID - 0.5
    row, column = (each.reshape(1, -1) for each in torch.meshgrid(place, place, indexing="ij"))
    x, y = column * films.extent[:, :1], row * films.extent[:, 1:]
    return torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y], dim=-1)


def _middle(speeds: Float[Tensor, "b p n 2"], trust: Float[Tensor, "b p n"]) -> Float[Tensor, "b p 2"]:
    """The median speed of what can be followed, in each direction alone."""
    seen = torch.where(trust[..., None] > 0.1, speeds, torch.nan)
    return seen.nanmedian(2).values.nan_to_num()


def _waves(shifts: Float[Tensor, "b p 2"]) -> Float[Tensor, "b w"]:
    """How the shift's energy is shared out among frequencies."""
    power = torch.fft.rfft(shifts - shifts.mean(1, keepdim=True), dim=1)[:, 1:].abs().square()
    whole = shifts.square().sum((1, 2))[:, None] * NUM_PAIRS + NUM_PAIRS * NOISE**2
    return (power / whole[:, None]).flatten(1)


def _spreads(speeds: Float[Tensor, "b n 2"], trust: Float[Tensor, "b n"]) -> list[Float[Tensor, " b"]]:
    """The mean speed, and how far cells are from moving alike."""
    apart = speeds - speeds.mean(1, keepdim=True)
    share = trust / (trust.sum(1, keepdim=True) + 1e-4)
    return [(speeds.norm(dim=-1) * share).sum(1), (apart.norm(dim=-1) * share).sum(1)]


def _profiles(filled: Float[Tensor, "b n 2"]) -> list[Float[Tensor, "b k"]]:
    """The median of each row, where near and far part, and how far columns on both sides are from it."""
    cells = filled.unflatten(1, (GRID, GRID))
    rows = cells.median(2).values
    return [rows.flatten(1), (cells - rows[:, :, None]).median(1).values.flatten(1)]


def _still(lasting: Float[Tensor, "b n 2"], trust: Float[Tensor, "b n"]) -> Float[Tensor, "b 4"]:
    """How much of what can be followed stands still, at two limits, of all and along both edges; how much that is."""
    size, whole = lasting.norm(dim=-1), trust.sum(1) + 1e-4
    edges = trust.unflatten(1, (GRID, GRID))[:, :, [0, -1]].flatten(1)
    at_edges = size.unflatten(1, (GRID, GRID))[:, :, [0, -1]].flatten(1)
    shares = [(trust * (size < limit)).sum(1) / whole for limit in (NOISE / 3, NOISE)]
    shares.append((edges * (at_edges < NOISE)).sum(1) / (edges.sum(1) + 1e-4))
    return torch.stack([*shares, trust.mean(1)], dim=1)
