"""Films that are denoised together: what they have in common, how many fit, their texts as one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch

from muybridge.acceleration.facts import Model
from muybridge.acceleration.settings import RunSettings
from muybridge.pipelines.denoise import Plan, Prompts
from muybridge.pipelines.fitting import SETTLED, fits, fitted
from muybridge.pipelines.request import GenerationRequest
from muybridge.text.encoder import TextStates, pad_states

Shared = tuple[Any, ...]  # what films of one batch have in common
Texts = Mapping[tuple[str, int], TextStates]  # by the prompt and `text_frames`
MAX_BATCH = 16  # convention: beyond it an accelerator is busy anyway


def shared(request: GenerationRequest) -> Shared:
    """What films of one batch have in common."""
    shape = request.width, request.height, request.num_frames
    pattern = request.conditions.pattern()
    return (*shape, request.cfg != 1, request.loras, request.budget, Plan.of(request), pattern)


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
        sizes = range(1 if self.device.type == "cpu" else MAX_BATCH, 1, -1)

        def fit(size: int) -> bool:
            return fits(self.facts, request, run, batch_size=size, device=self.device, memory=self.memory)

        return next(filter(fit, sizes), 1)


def text_frames(request: GenerationRequest) -> int:
    """Text encoders ask only whether it is a picture."""
    return min(request.num_frames, 2)


def prompts_of(batch: Sequence[GenerationRequest], texts: Texts) -> Prompts:
    """The texts of a batch's prompts and, with classifier-free guidance, of its negative prompts."""
    frames = text_frames(batch[0])
    positive = together([texts[request.prompt, frames] for request in batch])
    if batch[0].cfg == 1:
        return Prompts(positive=positive, negative=None)
    return Prompts(positive=positive, negative=together([texts[request.negative_prompt, frames] for request in batch]))


def together(texts: Sequence[TextStates]) -> TextStates:
    """Single prompts as one right-padded batch."""
    if len(texts) == 1:
        return texts[0]
    states = [text.states[0, : int(text.mask[0].sum())] for text in texts]
    return pad_states(states, [text.pooled[0] for text in texts])
