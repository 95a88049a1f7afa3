"""Which evaluations to compute: the placement of every number of them that costs the least expected error."""

import math
from collections.abc import Callable, Collection, Sequence

from muybridge.acceleration.caches.calibration import Calibration
from muybridge.acceleration.caches.gaps import Gap
from muybridge.flow.evaluations import Evaluation

MAX_DISTANCE = 8  # evaluations from one computed to the next; convention: beyond, nothing known is of use
CERTAIN = (
    0.1  # first evaluations, of all: errors there grow tenfold in some films, which nobody knows before (measured)
)

Cost = Callable[[int, int], float]  # expected squared error of the finished film from the gap between two evaluations


class Placements:
    """The best ways on, from any computed evaluation, with any number of further ones; the last is always computed."""

    def __init__(self, num_evaluations: int, cost: Cost) -> None:
        """Takes num_evaluations^2 * MAX_DISTANCE elementary steps: once a run, some milliseconds."""
        last = num_evaluations - 1
        self._last = last
        self._best: list[dict[int, tuple[float, int]]] = [{last: (0.0, last)}]  # by further evaluations, then by start
        gaps = ((start, end) for start in range(last) for end in range(start + 1, min(start + MAX_DISTANCE, last) + 1))
        costs = {gap: own for gap in gaps if (own := cost(*gap)) < math.inf}
        for _ in range(last):
            before, row = self._best[-1], {}
            for (start, end), own in costs.items():
                if end in before:
                    row[start] = min(row.get(start, (float("inf"), end)), (own + before[end][0], end))
            self._best.append(row)

    def error(self, start: int, num_further: int) -> float:
        """The least expected squared error from `start` to the end; infinite where so few cannot get there."""
        return self._best[num_further].get(start, (float("inf"), start))[0]

    def next(self, start: int, num_further: int) -> int:
        """The evaluation to compute after `start` when `num_further` are left, the last one among them."""
        possible = (num for num in range(num_further, self._last + 1) if start in self._best[num])
        return self._best[next(possible)][start][1]

    def fewest(self, start: int, allowed: float) -> int:
        """The fewest further evaluations whose expected squared error is within `allowed`."""
        needed = self._last - start
        return next((num for num in range(needed) if self.error(start, num) <= allowed), needed)

    def path(self, num: int) -> tuple[int, ...]:
        """The best way to compute `num` evaluations in all; more where so few cannot get from end to end."""
        path = [0]
        while path[-1] < self._last:
            path.append(self.next(path[-1], max(num - len(path), 1)))
        return tuple(path)


def planned(run: Sequence[Evaluation], calibration: Calibration, *, starts: Collection[int] = ()) -> Placements:
    """The placements that a calibration thinks best: always the first, the last, and both sides of a change."""
    first = max(2, int(CERTAIN * len(run)))
    certain = {*range(first), *starts, *(start - 1 for start in starts)}
    gap = Gap(run)

    def cost(start: int, end: int) -> float:
        if any(start < index < end for index in certain):
            return math.inf
        ends = run[start], run[end]
        return gap.share(start, end) ** 2 * calibration.surprise(*ends) * calibration.carry(*ends)

    return Placements(len(run), cost)
