"""How well two clips agree where the one lies on the other best: cell by cell, in what stands and what changes.

A cell agrees as far as the contrasts around it go together over all frames, whatever their size: another brightness or
colour changes little, and lettering spoils a few cells. Clips of the same place with another subject agree in what
stands and disagree in what changes.
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
WEIGHTS = (2.0, 2.0, 1.0, -1.2)  # of what stands, both, what changes, and how busy the picture is: a busy one has more
# to agree in, a bare one less that lettering leaves. Of a logistic regression over the pairs of part 0, rounded
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
    """How well films agree that lie on each other, from 0 to 1."""
    first, second = contrast(part), contrast(whole)
    stands, standing, _ = _cells(first.mean(1, keepdim=True), second.mean(1, keepdim=True))
    _, both, busy = _cells(first, second)
    changes, _, stir = _cells(part - part.mean(1, keepdim=True), whole - whole.mean(1, keepdim=True))
    changing = (stir * changes + UNCHANGED * stands) / (stir + UNCHANGED)
    parts = torch.stack([standing, both, changing, busy], 1)
    return (parts @ torch.tensor(WEIGHTS) / sum(WEIGHTS)).clamp(0, 1)


def _cells(first: Float[Tensor, "p t y x"], second: Float[Tensor, "p t y x"]) -> tuple[Tensor, Tensor, Tensor]:
    """Mean correlation of cells: of those where either shows something, and where both do; and how many of the first
    kind there are, as a share.
    """
    both, one, other = (around(each.sum(1)) for each in (first * second, first.square(), second.square()))
    least = first.shape[1] * NOISE**2
    alike = both / ((one + least) * (other + least)).sqrt()
    either, each = (size / (size + 4 * least) for size in (torch.maximum(one, other), torch.minimum(one, other)))
    means = [(weight * alike).sum((1, 2)) / (weight.sum((1, 2)) + 1e-3) for weight in (either, each)]
    return means[0], means[1], either.mean((1, 2))
