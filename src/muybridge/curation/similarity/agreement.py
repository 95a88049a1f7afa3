"""How well two clips agree where the one lies on the other best: cell by cell, in what stands and what changes.

A cell agrees as far as the contrasts around it go together over all frames, whatever their size: another brightness or
colour changes little, and lettering, which shows something in a few cells where the other film is bare, is forgiven.
Clips of the same place with another subject agree in what stands and disagree in what changes. Fine leaves in the wind
never lie on each other exactly, nor does what little moves in a still picture outlast encoding: so the measure is how
well each film agrees with itself, slightly beside.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from muybridge.curation.similarity.alignment import exactly, laid, roughly
from muybridge.curation.similarity.contrast import around, contrast
from muybridge.curation.similarity.placing import likely
from muybridge.curation.similarity.signature import films_of

PLACINGS = 2  # that are looked at closely, beside the films as wholes
LIKELY, PROMISING = 0.3, 0.45  # agreement of frames from which a placing is shifted, and then laid exactly; of copies
# the least is 0.60 (part 0 of benchmarks/duplicates.py)
NOISE = 0.35  # levels: contrast of that size means little
UNCHANGED = 0.03  # share of the picture that changes in which what stands counts as much
WEIGHTS = (0.4, 0.4, 0.2)  # of what stands, all there is, and what changes; convention
BESIDE = 0.25  # of a cell, beside which a film is compared with itself: what laying films on each other leaves of error
LEAST = 0.2  # agreement with itself below which a film is noise to us
LETTERED = 0.25  # of agreement that may be lost in cells where only one of the films shows something
PAIRS = 32  # at a time; 40 MB


def agreement(signatures: Sequence[str], pairs: Int[Tensor, "p 2"]) -> Float[Tensor, " p"]:
    """How well the two clips of each pair agree: about 1 for copies, 0 where nothing promising was found."""
    agreed = torch.zeros(len(pairs))
    for start in range(0, len(pairs), PAIRS):
        named, places = pairs[start : start + PAIRS].unique(return_inverse=True)
        films = films_of([signatures[int(place)] for place in named]).float()
        agreed[start : start + PAIRS] = _agreement(films, places)
    return agreed


def _agreement(films: Float[Tensor, "n t y x"], pairs: Int[Tensor, "p 2"]) -> Float[Tensor, " p"]:
    found = torch.zeros(len(pairs) * (PLACINGS + 1))
    placing, seen = likely(films, pairs, count=PLACINGS)
    number = (seen >= LIKELY).nonzero()[:, 0]
    placing, seen = roughly(films, placing.taken(number))
    is_promising = seen >= PROMISING
    number, placing = number[is_promising], placing.taken(is_promising)
    found[number] = compared(*laid(films, exactly(films, placing)))
    return found.view(len(pairs), -1).amax(1)


def compared(part: Float[Tensor, "p t y x"], whole: Float[Tensor, "p t y x"]) -> Float[Tensor, " p"]:
    """How well films agree that lie on each other, from 0 to 1, where 1 is as well as they agree with themselves a
    quarter of a cell beside.
    """
    agreed, stir = _alike(part, whole)
    most = torch.minimum(*(_alike(film, _beside(film))[0] for film in (part, whole)))
    standing, all_there_is, changes = (agreed / most.clamp(min=LEAST)).unbind(1)
    changing = (stir * changes[:, :1] + UNCHANGED * standing) / (stir + UNCHANGED)
    parts = torch.stack([standing, all_there_is, changing], -1) @ torch.tensor(WEIGHTS)
    where_either, where_both = parts.unbind(1)
    return torch.minimum(where_both, where_either + LETTERED).clamp(0, 1)


def _beside(film: Float[Tensor, "p t y x"]) -> Float[Tensor, "p t y x"]:
    """The film shifted down and right by `BESIDE`."""
    for axis in (2, 3):
        film = film.lerp(torch.cat([film.narrow(axis, 0, 1), film.narrow(axis, 0, film.shape[axis] - 1)], axis), BESIDE)
    return film


def _alike(first: Float[Tensor, "p t y x"], second: Float[Tensor, "p t y x"]) -> tuple[Tensor, Tensor]:
    """Of each pair how far what stands, all there is and what changes go together (p, 3, 2), where either shows
    something and where both do; and how much changes (p, 1).
    """
    one, other = contrast(first), contrast(second)
    standing, _ = _cells(one.mean(1, keepdim=True), other.mean(1, keepdim=True))
    all_there_is, _ = _cells(one, other)
    changes, stir = _cells(first - first.mean(1, keepdim=True), second - second.mean(1, keepdim=True))
    return torch.stack([standing, all_there_is, changes], 1), stir


def _cells(first: Float[Tensor, "p t y x"], second: Float[Tensor, "p t y x"]) -> tuple[Tensor, Tensor]:
    """Mean correlation of cells where either shows something, and where both do (p, 2); the share of the former."""
    both, one, other = (around(each.sum(1)) for each in (first * second, first.square(), second.square()))
    least = first.shape[1] * NOISE**2
    alike = both / ((one + least) * (other + least)).sqrt()
    sizes = torch.stack([torch.maximum(one, other), torch.minimum(one, other)], 1)
    shown = sizes / (sizes + 4 * least)
    correlation = (shown * alike[:, None]).sum((2, 3)) / (shown.sum((2, 3)) + 1e-3)
    return correlation, shown[:, :1].mean((2, 3))
