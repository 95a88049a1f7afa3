"""Films that are denoised together: what they have in common, how many fit, their texts as one."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch

from muybridge.acceleration.facts import Model
from muybridge.acceleration.settings import RunSettings
from muybridge.ops.pieces import CHUNK_TOKENS
from muybridge.ops.rows import MIN_ROWS
from muybridge.pipelines.denoise import Plan, Prompts
from muybridge.pipelines.fitting import SETTLED, fits, fitted
from muybridge.pipelines.planning import work_of
from muybridge.pipelines.prompting.encoding import FilmTexts
from muybridge.pipelines.prompting.travel import travel_weights
from muybridge.pipelines.request import GenerationRequest
from muybridge.text.encoder import TextStates, pad_states

Shared = tuple[Any, ...]  # what films of one batch have in common
Texts = Mapping[GenerationRequest, FilmTexts]
MOST_TOKENS = {"cpu": 400, "cuda": 2048}  # of a film that gains from sharing (cpu measured: benchmarks/packing.py)
MOST_PACKED_TOKENS = {"cpu": 2048, "cuda": CHUNK_TOKENS}  # of a pass; on a CPU more of them leave its cache (measured)
MAX_BATCH = 16  # convention: beyond it an accelerator is busy anyway


def shared(request: GenerationRequest) -> Shared:
    """What films of one batch have in common."""
    shape = request.width, request.height, request.num_frames
    pattern = request.conditions.pattern()
    times = tuple(each.time for each in request.prompting.prompt_at)
    return (*shape, request.long, request.is_guided, request.loras, request.budget, Plan.of(request), pattern, times)


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Neighbours that are denoised together: as one batch, or by passes that they share (`pipelines.together`)."""

    requests: Sequence[GenerationRequest]
    run: RunSettings
    is_packed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """Where films are made: what is loaded there, how it is run where that fits, and the most memory to use."""

    facts: Model
    plain: RunSettings
    device: torch.device
    memory: str

    def runs(self, requests: Sequence[GenerationRequest]) -> dict[Shared, RunSettings]:
        """How requests are run, by what they share; raises DoesNotFit where one cannot be."""
        return {
            key: fitted(self.facts, request, self.plain, settled=SETTLED, device=self.device, memory=self.memory)
            for key, request in {shared(request): request for request in requests}.items()
        }

    def groups(
        self,
        requests: Sequence[GenerationRequest],
        runs: Mapping[Shared, RunSettings],
        *,
        shares: Callable[[GenerationRequest], bool],
    ) -> Iterator[Group]:
        """Films in order: neighbours that share passes, and batches of the others. shares: which films do so."""

        def lane(request: GenerationRequest) -> RunSettings | None:
            return runs[shared(request)] if shares(request) else None

        for run, neighbours in groupby(requests, key=lane):
            own = list(neighbours)
            if run is not None and len(own) > 1:
                yield Group(requests=own, run=run, is_packed=True)
            else:
                for batch in self.batches(own, runs):
                    yield Group(requests=batch, run=runs[shared(batch[0])], is_packed=False)

    def gains(self, request: GenerationRequest, run: RunSettings) -> bool:
        """Whether a film is made faster when it shares passes: small ones are, and all where weights come from afar."""
        most = math.inf if run.is_streamed else MOST_TOKENS[self.device.type]
        return work_of(request).num_tokens(self.facts) <= most

    def can_share(self, request: GenerationRequest, run: RunSettings) -> bool:
        """Not where blocks are compiled, nor a film of so few tokens that kernels would round otherwise."""
        return not run.compiles and work_of(request).num_tokens(self.facts) >= MIN_ROWS

    def has_room(self, requests: Sequence[GenerationRequest], run: RunSettings) -> bool:
        """Whether these films fit into passes that they share: as many of the largest as have the tokens of all."""
        num_tokens = [work_of(request).num_tokens(self.facts) * (2 if request.is_guided else 1) for request in requests]
        most = max(num_tokens)
        limit = math.inf if run.is_streamed else MOST_PACKED_TOKENS[self.device.type]
        if sum(num_tokens) > limit:
            return False
        largest = requests[num_tokens.index(most)]
        size = math.ceil(sum(num_tokens) / most)
        return fits(self.facts, largest, run, batch_size=size, device=self.device, memory=self.memory)

    def batches(
        self, requests: Sequence[GenerationRequest], runs: Mapping[Shared, RunSettings]
    ) -> Iterator[list[GenerationRequest]]:
        """Neighbours that share what they must, together on an accelerator; each alone on a CPU.

        Alone, because kernels round differently at other batch sizes, and a film must not depend on its neighbours. It
        costs nothing there: the processor is as busy with one film as with four (benchmarks/film.py).
        """
        for key, group in groupby(requests, key=shared):
            alike = list(group)
            size = self.batch_size(alike[0], runs[key])
            yield from (alike[start : start + size] for start in range(0, len(alike), size))

    def batch_size(self, request: GenerationRequest, run: RunSettings) -> int:
        """The largest batch of films that are run as one would be; 1 on a CPU."""
        sizes = range(1 if self.device.type == "cpu" or request.is_streamed else MAX_BATCH, 1, -1)

        def fit(size: int) -> bool:
            return fits(self.facts, request, run, batch_size=size, device=self.device, memory=self.memory)

        return next(filter(fit, sizes), 1)


def prompts_of(batch: Sequence[GenerationRequest], texts: Texts) -> Prompts:
    """The texts of a batch's prompts, at the times of their films, and with guidance of its negative prompts."""
    films, first = [texts[request] for request in batch], batch[0]
    positive, *later = (together(alike) for alike in zip(*(film.prompts for film in films), strict=True))
    negatives = [film.negative for film in films if film.negative is not None]
    weights = None
    if later:
        weights = travel_weights(first.prompting.prompt_at, num_frames=first.num_frames, fps=first.fps)
    return Prompts(
        positive=positive, negative=together(negatives) if negatives else None, later=tuple(later), weights=weights
    )


def together(texts: Sequence[TextStates]) -> TextStates:
    """Single prompts as one right-padded batch."""
    if len(texts) == 1:
        return texts[0]
    states = [text.states[0, : int(text.mask[0].sum())] for text in texts]
    return pad_states(states, [text.pooled[0] for text in texts])
