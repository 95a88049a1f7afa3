"""What the report says of clips that are alike: concepts before and after balancing, copies beside what they copy."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muybridge.curation.decide import Decisions
from muybridge.curation.output.shards import repeats_of
from muybridge.curation.output.table import Table
from muybridge.curation.report.examples import Example, example, shown

MAX_CONCEPTS, MAX_PAIRS, EXAMPLES_PER_CONCEPT = 12, 12, 2


@dataclass(frozen=True, kw_only=True, slots=True)
class ConceptLine:
    """A concept: its share of the kept clips, and of a round of training."""

    name: str
    num_clips: int
    share: float
    balanced: float
    examples: tuple[Example, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Copies: some side by side, and how many there are."""

    shown: tuple[tuple[Example, Example], ...]
    num_all: int


def concept_lines(folder: Path, table: Table, decisions: Decisions) -> list[ConceptLine]:
    """The largest concepts among kept clips; none where clips were not grouped."""
    if "concept" not in table.names:
        return []
    concepts = table.numbers("concept")
    kept = np.flatnonzero(decisions.is_kept & np.isfinite(concepts))
    weights = table.values("sampling_weight") if "sampling_weight" in table.names else [None] * table.num_rows
    repeats = np.array(repeats_of([weights[row] for row in kept]), int)
    numbers, inverse = np.unique(concepts[kept], return_inverse=True)
    counts, rounds = np.bincount(inverse), np.bincount(inverse, weights=repeats)
    lines = []
    for place in np.argsort(-counts, kind="stable")[:MAX_CONCEPTS].tolist():
        some = kept[inverse == place][:EXAMPLES_PER_CONCEPT].tolist()
        lines.append(
            ConceptLine(
                name=f"{numbers[place]:.0f}",
                num_clips=int(counts[place]),
                share=float(counts[place] / len(kept)),
                balanced=float(rounds[place] / repeats.sum()),
                examples=tuple(example(folder, table, row, said="") for row in some),
            )
        )
    return lines


def duplicate_pairs(folder: Path, table: Table) -> Pairs:
    """Copies, those that are least alike first: where a mistake would be."""
    if "duplicate_of" not in table.names:
        return Pairs(shown=(), num_all=0)
    copies = np.flatnonzero(table.present("duplicate_of"))
    likeness = table.numbers("duplicate_similarity")[copies]
    places = {name: row for row, name in enumerate(table.values("id"))} if len(copies) else {}
    pairs = []
    for copy in copies[np.argsort(likeness, kind="stable")].tolist()[:MAX_PAIRS]:
        (said,) = table.rows([copy], only=("duplicate_of", "duplicate_similarity"))
        if said["duplicate_of"] in places:
            first = example(folder, table, places[said["duplicate_of"]], said="stays")
            second = example(folder, table, copy, said=f"alike {shown(said['duplicate_similarity'])}")
            pairs.append((first, second))
    return Pairs(shown=tuple(pairs), num_all=len(copies))
