"""The seam between stored latents and what trains on them, and reading ahead."""

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from muybridge.data.cache import LatentBatch


class LatentSource(Protocol):
    """Captioned latents whose batches are pure functions of (seed, step), each of one shape."""

    def batch(self, step: int, *, batch_size: int, seed: int) -> LatentBatch:
        """The samples of `step`: `batch_size` of them where all have one shape. Where they do not, the source gives
        each shape its own number, so take it from the latents.
        """
        ...


class ReadAhead:
    """A `LatentSource` that fetches the following steps in a thread; what it gives is the same, only sooner."""

    def __init__(self, source: LatentSource, *, num_steps: int = 2) -> None:
        """num_steps: how far ahead; a batch of each is held in memory."""
        self._source = source
        self._num_steps = num_steps
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")  # one: steps are fetched in order
        self._waiting: OrderedDict[tuple[int, int, int], Future[LatentBatch]] = OrderedDict()

    def batch(self, step: int, *, batch_size: int, seed: int) -> LatentBatch:
        """As the source's; an error of a step is raised when that step is asked for."""
        for ahead in range(step, step + self._num_steps + 1):
            self._fetch(ahead, batch_size, seed)
        wanted = self._waiting.pop((step, batch_size, seed))
        kept = {(ahead, batch_size, seed) for ahead in range(step + 1, step + self._num_steps + 1)}
        for key in [key for key in self._waiting if key not in kept]:
            self._waiting.pop(key).cancel()
        return wanted.result()

    def close(self) -> None:
        """Stop reading ahead."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _fetch(self, step: int, batch_size: int, seed: int) -> None:
        key = (step, batch_size, seed)
        if key not in self._waiting:
            self._waiting[key] = self._thread.submit(self._source.batch, step, batch_size=batch_size, seed=seed)
