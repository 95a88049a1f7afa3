"""Which samples each step sees: a pure function of (seed, step), so a position in the data is one integer.

Every bucket is an endless stream of permutations of its samples, cut into its batches; a batch may begin in one
permutation and end in the next, so no sample is lost at the seam and none comes twice in a permutation. An epoch of the
whole holds from every bucket the batches that its stream completes in that time, in an order drawn anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from muybridge.core.errors import invalid
from muybridge.core.seeding import generator


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """The samples of one step, all of one bucket: their numbers in it, and how often each was seen before."""

    bucket: int
    samples: tuple[int, ...]
    rounds: tuple[int, ...]

    def share(self, rank: int, world_size: int) -> "Draw":
        """The rows of one rank: the batch is cut into `world_size` runs, the first ones longer where it must be.

        Raises InvalidInput where the batch has fewer rows than there are ranks.
        """
        if not 0 <= rank < world_size:
            raise invalid(f"rank={rank} of {world_size}", "ranks are numbered from 0", "use a smaller one")
        if len(self.samples) < world_size:
            rule = f"a batch of {len(self.samples)} cannot be shared by {world_size} ranks"
            raise invalid(f"world_size={world_size}", rule, "raise the batch size")
        base, longer = divmod(len(self.samples), world_size)
        first = rank * base + min(rank, longer)
        rows = slice(first, first + base + (rank < longer))
        return Draw(bucket=self.bucket, samples=self.samples[rows], rounds=self.rounds[rows])


class Order:
    """The draws of all steps. A batch may be larger than its bucket: its samples then come several times in it."""

    def __init__(self, counts: Sequence[int], batch_sizes: Sequence[int], *, seed: int) -> None:
        """counts and batch_sizes: samples and rows of a batch, for each bucket. Raises InvalidInput on empty ones."""
        if not counts or len(counts) != len(batch_sizes) or min(*counts, *batch_sizes) < 1:
            raise invalid("a bucket without samples or rows", "every bucket has some", "leave empty buckets out")
        self.counts = tuple(counts)
        self.batch_sizes = tuple(batch_sizes)
        self.seed = seed
        self._turns: tuple[int, list[tuple[int, int]]] | None = None  # the last epoch's order; steps ask in sequence
        self._permutations: dict[int, tuple[int, list[int]]] = {}

    def epoch(self, step: int) -> int:
        """The epoch that `step` lies in."""
        low, high = 0, 1
        while self._batches_before(high) <= step:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._batches_before(middle) <= step else (low, middle)
        return low

    def at(self, step: int) -> Draw:
        """The samples of `step`."""
        epoch = self.epoch(step)
        bucket, batch = self._epoch_turns(epoch)[step - self._batches_before(epoch)]
        size, count = self.batch_sizes[bucket], self.counts[bucket]
        positions = [divmod(position, count) for position in range(batch * size, (batch + 1) * size)]
        samples = tuple(self._permutation(bucket, turn)[place] for turn, place in positions)
        return Draw(bucket=bucket, samples=samples, rounds=tuple(turn for turn, _ in positions))

    def _completed(self, bucket: int, epochs: int) -> int:
        """Batches that a bucket's stream completes in its first `epochs` permutations."""
        return epochs * self.counts[bucket] // self.batch_sizes[bucket]

    def _batches_before(self, epoch: int) -> int:
        return sum(self._completed(bucket, epoch) for bucket in range(len(self.counts)))

    def _epoch_turns(self, epoch: int) -> list[tuple[int, int]]:
        """The bucket of each batch of an epoch, and the batch's number in that bucket's stream."""
        if self._turns is None or self._turns[0] != epoch:
            following = [self._completed(bucket, epoch) for bucket in range(len(self.counts))]
            wanted = [self._completed(bucket, epoch + 1) - first for bucket, first in enumerate(following)]
            buckets = [bucket for bucket, number in enumerate(wanted) for _ in range(number)]
            mixed = torch.randperm(len(buckets), generator=generator(self.seed, epoch, "bucket order")).tolist()
            turns = []
            for bucket in (buckets[index] for index in mixed):
                turns.append((bucket, following[bucket]))
                following[bucket] += 1
            self._turns = epoch, turns
        return self._turns[1]

    def _permutation(self, bucket: int, turn: int) -> list[int]:
        known = self._permutations.get(bucket)
        if known is None or known[0] != turn:
            draw = generator(self.seed, bucket, turn, "order")
            known = turn, torch.randperm(self.counts[bucket], generator=draw).tolist()
            self._permutations[bucket] = known
        return known[1]
