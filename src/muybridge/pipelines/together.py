"""Films of different sizes, lengths, steps and guidance that share every pass of the network (continuous batching).

Each film's sampling runs as written, and waits wherever it asks for a velocity. When all wait, one packed pass answers
them all (`transformer.packed`). A film may join before any pass and leaves when it is done.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.acceleration.modulation import AtStep, Row, Run, Tables
from muybridge.core.coroutine import Coroutine
from muybridge.flow.samplers import Velocity
from muybridge.ops.adapted import Dials
from muybridge.pipelines.lora_use import LoraUse
from muybridge.pipelines.loras import LoraShelf
from muybridge.transformer import Conditions, Transformer
from muybridge.transformer.packed import Clip, PackedTransformer
from muybridge.weights.lora import ActiveLora

T = TypeVar("T")
HasRoom = Callable[[Sequence[Any]], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A velocity that a film waits for, and its row of the tables."""

    clip: Clip
    row: Row


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """A velocity that was computed before it was asked for."""

    x: Tensor
    sigma: Tensor
    velocity: Tensor

    def is_about(self, x: Tensor, sigma: Tensor) -> bool:
        """Whether it is the one that is asked for."""
        return torch.equal(self.sigma, sigma) and (x is self.x or torch.equal(self.x, x))


Answer = list[Tensor]  # the velocity of each that was asked for


class Seat:
    """One film's place among those that share passes. Its sampling uses it on its own thread, in its turn."""

    def __init__(self, together: "Together[Any]", ask: Callable[[list[Asked]], Answer]) -> None:
        self._together, self._ask = together, ask
        self.uses: tuple[ActiveLora, ...] = ()
        self._step = 1
        self._kept: dict[int, _Kept] = {}
        self._foresees = True

    @contextmanager
    def active(self, uses: Sequence[LoraUse]) -> Iterator[AtStep | None]:
        """As `LoraShelf.active`, for this film alone."""
        self._together.change_uses(self, uses)
        try:
            yield self._turn_dials if any(use.steps for use in uses) else None
        finally:
            self._together.change_uses(self, ())

    @contextmanager
    def prepared(
        self,
        conditions: Sequence[Conditions],
        asked: Sequence[tuple[int, Tensor]],
        *,
        about: Sequence[Sequence[int]] | None = None,
        at_step: AtStep | None = None,
    ) -> Iterator[tuple[list[Velocity], AtStep]]:
        """As `evicted_modulation`: velocities that wait for the others."""
        tables = self._together.tables
        self._turn_dials(1)
        run = tables.add(conditions, asked, about=about, at_step=at_step)
        try:
            yield (
                [self._velocity(run, index) for index in range(len(conditions))],
                lambda step: self._to_step(run, step),
            )
        finally:
            tables.forget(run)

    def _velocity(self, run: Run, index: int) -> Velocity:
        """That under the conditions of this index.

        What will be asked for at the same latents and level, such as by classifier-free guidance, comes from the same
        pass, unless it turned out before not to be asked for.
        """

        def velocity(x: Float[Tensor, "1 c t h w"], sigma: Tensor) -> Tensor:
            found = self._kept.pop(index, None)
            if found is not None and found.is_about(x, sigma):
                return found.velocity
            if found is not None or self._kept:
                self._foresees = False
                self._kept.clear()
            others = [i for i in range(len(run.conditions)) if i != index] if self._foresees else []
            indices = [index, *(i for i in others if run.find(i, sigma) is not None)]
            made = self._ask([self._asked(run, each, x, sigma) for each in indices])
            kept = zip(indices[1:], made[1:], strict=True)
            self._kept = {i: _Kept(x=x, sigma=sigma, velocity=each) for i, each in kept}
            return made[0]

        return velocity

    def _asked(self, run: Run, index: int, x: Tensor, sigma: Tensor) -> Asked:
        strengths = self._together.strengths(self.uses, self._step)
        clip = Clip(latents=x, sigma=sigma, conditions=run.conditions[index], adapters=strengths)
        return Asked(clip=clip, row=run.row(index, sigma))

    def _to_step(self, run: Run, step: int) -> None:
        self._step = step
        run.to_step(step)

    def _turn_dials(self, step: int) -> None:
        """Make the network that of this film alone in a step."""
        self._together.dials.turn_to(self._together.strengths(self.uses, step))


class _Member(Generic[T]):
    """A film that shares passes, or waits for room: its seat is taken when it begins."""

    def __init__(self, together: "Together[T]", sample: Callable[[Seat], T], *, size: Any) -> None:
        self.size = size
        self.future: Future[T] = Future()
        self.seat: Seat | None = None

        def begin(ask: Callable[[list[Asked]], Answer]) -> T:
            self.seat = Seat(together, ask)
            return sample(self.seat)

        self.coroutine: Coroutine[list[Asked], Answer, T] = Coroutine(begin)


class Together(Generic[T]):
    """The films that share passes now, and those that wait for room.

    `add` may be called on any thread; all else by the one that computes, which computes nothing else with this network
    meanwhile. Left by an error or an interrupt, it ends every film where it stands, and no thread remains.
    """

    def __init__(
        self, transformer: Transformer, *, loras: LoraShelf, has_room: HasRoom, puts_away: bool = True
    ) -> None:
        """has_room: whether films of these sizes, as they were given to `add`, go together.

        puts_away: modulation weights leave memory or the device (`acceleration.modulation`).
        """
        self._loras, self._has_room = loras, has_room
        self.tables = Tables(transformer, puts_away=puts_away)
        self.dials = Dials()
        self._packed = PackedTransformer(transformer, adapters=self.dials)
        self._waiting: deque[_Member[T]] = deque()
        self._running: list[_Member[T]] = []

    def __enter__(self) -> "Together[T]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, sample: Callable[[Seat], T], *, size: Any = None) -> "Future[T]":
        """Let a film share passes from the next one on that has room for it; the first come sit first.

        sample: makes it, from the seat that it gets. The future can be cancelled at any time.
        """
        member = _Member(self, sample, size=size)
        self._waiting.append(member)
        return member.future

    def wait(self, future: "Future[T]") -> T:
        """The result of a film, whose passes the others share; raises what it raised."""
        while not future.done() and self.step():
            pass
        return future.result(timeout=0)

    def step(self) -> bool:
        """One pass for all that wait for one; False when there is none left to make."""
        self._admit()
        members = list(self._running)
        if not members:
            return False
        try:
            answers = self._answers([member.coroutine.question for member in members])
        except Exception as error:
            for member in members:
                member.coroutine.resume(error=error)
        else:
            for member, answer in zip(members, answers, strict=True):
                member.coroutine.resume(answer)
        self._settle()
        return True

    def close(self) -> None:
        """End every film where it stands."""
        members = [*self._running, *self._waiting]
        self._running.clear()
        self._waiting.clear()
        for member in members:
            member.coroutine.close()
            member.future.cancel()

    def change_uses(self, seat: Seat, uses: Sequence[LoraUse]) -> None:
        """These LoRAs act on a film; those of the others stay."""
        seat.uses = tuple(map(self._loras.read, uses))
        every = [use for member in self._running if member.seat is not None for use in member.seat.uses]
        self._loras.share([*every, *seat.uses])

    def strengths(self, uses: Sequence[ActiveLora], step: int) -> tuple[tuple[Any, float], ...]:
        """What acts on a film in a step, and how strongly."""
        return tuple((self._loras.dial(use), use.strength_in(step)) for use in uses)

    def _answers(self, questions: Sequence[list[Asked]]) -> list[Answer]:
        asked = [each for question in questions for each in question]
        try:
            with self.tables:
                self.tables.turn_to([each.row for each in asked])
                made = iter(self._packed([each.clip for each in asked]))
        finally:
            self.dials.rest()
        return [[next(made) for _ in question] for question in questions]

    def _admit(self) -> None:
        """Let those begin for whom there is room, in order, and those go who were cancelled."""
        for member in [each for each in self._running if each.future.cancelled()]:
            member.coroutine.close()
            self._running.remove(member)
        while self._waiting and self._fits_beside(self._waiting[0]):
            member = self._waiting.popleft()
            if not member.future.cancelled():
                self._running.append(member)
                member.coroutine.resume()
                self._settle()

    def _fits_beside(self, member: _Member[T]) -> bool:
        """Whoever is alone fits: the planner has said so."""
        return not self._running or self._has_room([*(each.size for each in self._running), member.size])

    def _settle(self) -> None:
        """Let those go who are done."""
        for member in [each for each in self._running if each.coroutine.is_done]:
            self._running.remove(member)
            if not member.future.set_running_or_notify_cancel():
                continue
            try:
                member.future.set_result(member.coroutine.result())
            except BaseException as error:
                member.future.set_exception(error)
