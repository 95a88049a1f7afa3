"""Numbers that tell camera movements apart, from the flow of a clip.

The camera's part of the flow is what most of the picture shares: in each pair of frames a smooth field, quadratic in
the place, found by reweighted least squares, and in each cell the median over time, which what passes by leaves alone.
A zoom is a divergence; a pan moves near things, below, faster than far ones; a tilt moves all alike and bends lines; an
orbit moves near and far things in opposite ways; a hand goes to and fro.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.captioning.camera_flow import GRID, NUM_PAIRS, FlowFilms
from muybridge.curation.measures.motion import STILL_SPEED

NUM_TERMS = 6  # 1, x, y, xx, xy, yy
NUM_ROUNDS = 6  # of reweighting
NOISE = 0.02  # short sides per second: what is slower is no movement
NUM_WAVES = NUM_PAIRS // 2  # frequencies of a hand
NUM_FEATURES = NUM_TERMS * 2 * 4 + GRID * GRID * 2 + NUM_WAVES * 2 + 8
_RIDGE = 1e-3


def features(films: FlowFilms) -> Float[Tensor, "b k"]:
    """`NUM_FEATURES` for each clip: shapes of the flow relative to its speed, and speeds as logarithms."""
    basis = _basis(films)
    terms = shared_terms(films, basis)
    followed = torch.einsum("bnk,bpka->bpna", basis, terms)
    trust = films.trust.flatten(2)[..., None]
    filled = trust * films.speeds.flatten(2, 3) + (1 - trust) * followed
    lasting = filled.median(1).values
    typical = followed.norm(dim=-1).mean(2).median(1).values
    unit = (typical + NOISE)[:, None]
    mean = terms.mean(1)
    spread = terms.std(1)
    steady = mean.abs() / (mean.square() + spread.square() + 1e-8).sqrt()
    to_and_fro = (terms[:, 1:] * terms[:, :-1]).mean(1) / (terms.square().mean(1) + NOISE**2 / 16)
    parts = [
        terms.median(1).values.flatten(1) / unit, spread.flatten(1) / unit, steady.flatten(1), to_and_fro.flatten(1),
        lasting.flatten(1) / unit, _waves(terms[:, :, 0]), _sizes(films, followed, lasting, typical),
    ]  # fmt: skip
    return torch.cat(parts, dim=1)


def shared_terms(films: FlowFilms, basis: Float[Tensor, "b n k"]) -> Float[Tensor, "b p k 2"]:
    """The smooth field of each pair: least squares, reweighted after Geman and McClure 1987."""
    speeds, trust = films.speeds.flatten(2, 3), films.trust.flatten(2) + 1e-4
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


def _sizes(films: FlowFilms, followed: Tensor, lasting: Tensor, typical: Tensor) -> Float[Tensor, "b 8"]:
    """Speeds as logarithms, shares of what is still, and how far the flow can be trusted."""
    speeds, trust = films.speeds.flatten(2, 3), films.trust.flatten(2)
    rest = (speeds - followed).norm(dim=-1) * trust
    shake = followed.mean(2).std(1).norm(dim=-1)
    slow = (lasting.norm(dim=-1) < NOISE).float()
    apart = (lasting - lasting.mean(1, keepdim=True)).norm(dim=-1).mean(1)
    logs = [typical, shake, lasting.norm(dim=-1).mean(1), apart, rest.mean((1, 2))]
    shares = [slow.mean(1), slow.unflatten(1, (GRID, GRID))[:, :, [0, -1]].mean((1, 2)), trust.mean((1, 2))]
    return torch.stack([*(torch.log(each + NOISE / 4) for each in logs), *shares], dim=1)
