"""Adaptive-norm weights put away: what they make is known before a run starts, and no token ever meets them.

A quarter of the released network (3.4 of 12.8 billion parameters) maps one vector a step to shifts, scales and gates.
Here all of them are made first, one module after the other, for every noise level that the sampler will ask for; tables
of a few megabytes stand in for the modules while the run lasts. Exact: rows are rounded alike however many are made
together (`ops.rows`). Applied from outside (DESIGN law 5), after LoRA and quantisation, before streaming.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from muybridge.acceleration.pages import give_back
from muybridge.flow.samplers import Velocity
from muybridge.ops.rows import MIN_ROWS
from muybridge.transformer import Conditions, Transformer
from muybridge.transformer.blocks import Modulation

AtStep = Callable[[int], None]  # makes the network that of a sampler step, counted from 1
Key = tuple[int, int, tuple[tuple[float, ...], ...]]  # conditions by their index, step, sigma of each clip and frame


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Row:
    """The distinct conditioning vectors of one forward pass, the clip's own last.

    frames: which of them each latent frame has; None where the clip has one vector.
    """

    key: Key
    vectors: Float[Tensor, "b u d"]
    frames: Int[Tensor, " t"] | None


class Table(nn.Module):
    """Stands where a `Modulation` was, and gives what that makes of the rows at hand."""

    def __init__(self, num_signals: int) -> None:
        super().__init__()
        self.num_signals = num_signals
        self.made: dict[Key, Float[Tensor, "b u out"]] = {}
        self.order: dict[int, Tensor | None] = {}
        self.row: Tensor = torch.empty(0)

    def turn_to(self, keys: Sequence[Key], order: dict[int, Tensor | None]) -> None:
        """What the next calls are about."""
        rows = [self.made[key] for key in keys]
        self.row, self.order = rows[0] if len(rows) == 1 else torch.cat(rows, 1), order

    def forward(self, vectors: Float[Tensor, "b g d"]) -> tuple[Float[Tensor, "b g d"], ...]:
        """As `Modulation.forward`; of the vectors only their number is read."""
        wanted = self.order[vectors.shape[1]]
        made = self.row if wanted is None else self.row.index_select(1, wanted)
        return made.chunk(self.num_signals, -1)


class Tables:
    """Inside, tables stand in the place of a network's modulation, which comes back afterwards as it was.

    Runs may come and go before and meanwhile. puts_away: as in `evicted_modulation`; else the weights stay.
    """

    def __init__(self, transformer: Transformer, *, puts_away: bool = True) -> None:
        self.transformer = transformer
        self._puts_away = puts_away
        self._modules = modulations(transformer)
        self._tables = {name: Table(module.num_signals) for name, module in self._modules.items()}
        self._num_conditions = 0

    def __enter__(self) -> Self:
        _replace(self.transformer, self._tables)
        return self

    def __exit__(self, *_: object) -> None:
        _replace(self.transformer, self._modules)

    def add(
        self,
        conditions: Sequence[Conditions],
        asked: Sequence[tuple[int, Tensor]],
        *,
        about: Sequence[Sequence[int]] | None = None,
        at_step: AtStep | None = None,
    ) -> "Run":
        """A run whose every row has been made; arguments as those of `evicted_modulation`."""
        passes = list(zip(asked, about or [range(len(conditions))] * len(asked), strict=True))
        rows = _rows(self.transformer, conditions, passes, at_step, first=self._num_conditions)
        run = Run(self, conditions, rows=rows, first=self._num_conditions, at_step=at_step)
        self._num_conditions += len(conditions)
        for name, module in self._modules.items():
            is_streamed = any(tensor.is_meta for tensor in module.parameters())
            self._tables[name].made |= _made(module, rows, at_step)
            if self._puts_away and not is_streamed:  # else it is away again as soon as another module is called
                _put_away(module)
        if at_step is not None:
            at_step(1)
        return run

    def forget(self, run: "Run") -> None:
        """Free the rows of a run that is over."""
        for table in self._tables.values():
            for key in run.keys():
                del table.made[key]

    def turn_to(self, rows: Sequence[Row]) -> None:
        """What the next pass is about: the rows of one run's pass, or of several clips that share one."""
        order = _order(rows)
        for table in self._tables.values():
            table.turn_to([row.key for row in rows], order)


class Run:
    """One run over one network, its tables turned to what is asked for."""

    def __init__(
        self,
        tables: Tables,
        conditions: Sequence[Conditions],
        *,
        rows: Sequence[Row],
        first: int,
        at_step: AtStep | None,
    ) -> None:
        self.conditions = conditions
        self._tables, self._first = tables, first
        self._rows = {row.key: row for row in rows}
        self._at_step, self._step = at_step, 1

    def keys(self) -> Collection[Key]:
        """Of all rows."""
        return self._rows.keys()

    def to_step(self, step: int) -> None:
        """The sampler is in this step now."""
        if self._at_step is not None:
            self._step = step
            self._at_step(step)

    def find(self, index: int, sigma: Float[Tensor, " b"] | Float[Tensor, "b t"]) -> Row | None:
        """That of a pass under the conditions of this index, if it was said beforehand."""
        return self._rows.get(_key(self._first + index, self._step, sigma))

    def row(self, index: int, sigma: Float[Tensor, " b"] | Float[Tensor, "b t"]) -> Row:
        """That of a pass under the conditions of this index. Only what was said beforehand can be asked for."""
        found = self.find(index, sigma)
        if found is None:
            raise AssertionError(f"sigma {sigma.tolist()} in step {self._step} was not made beforehand")
        return found

    def velocity(self, index: int) -> Velocity:
        """That of the network under the conditions of this index."""

        def velocity(x: Tensor, sigma: Tensor) -> Tensor:
            self._tables.turn_to([self.row(index, sigma)])
            return self._tables.transformer(x, sigma, self.conditions[index])

        return velocity


def modulations(transformer: Transformer) -> dict[str, Modulation]:
    """The modules that can be put away, by name: those of the blocks, and the final layer's."""
    return {name: module for name, module in transformer.named_modules() if isinstance(module, Modulation)}


@contextmanager
def evicted_modulation(
    transformer: Transformer,
    conditions: Sequence[Conditions],
    asked: Sequence[tuple[int, Tensor]],
    *,
    about: Sequence[Sequence[int]] | None = None,
    at_step: AtStep | None = None,
) -> Iterator[tuple[list[Velocity], AtStep]]:
    """Inside, tables stand in for the network's modulation, which comes back afterwards as it was.

    Gives the network's velocity under each of the conditions, and what is to be told of every new step.

    conditions: all that the network will be run under, such as both halves of classifier-free guidance. asked: the step
    (from 1) and the sigma, (b,) or (b, t), of every forward pass. about: which of the conditions each of these is run
    under, by their indices; all of them, if left out. at_step: where the network itself differs from step
    to step, as with a LoRA that acts in some; else the steps make no difference.
    Weights on an accelerator move to the host for good, and come for their rows one module at a time; weights mapped
    from a file leave memory.
    """
    tables = Tables(transformer)
    run = tables.add(conditions, asked, about=about, at_step=at_step)
    with tables:
        yield [run.velocity(index) for index in range(len(conditions))], run.to_step


def moved_without_modulation(transformer: Transformer, device: torch.device) -> Transformer:
    """The network on `device`, but for its modulation, which stays where it is until a run asks for its rows."""
    modules = modulations(transformer)
    _replace(transformer, dict.fromkeys(modules, nn.Identity()))
    try:
        return transformer.to(device)
    finally:
        _replace(transformer, modules)
        if device.type != "cpu":
            for module in modules.values():
                _wait(module)


def _rows(
    transformer: Transformer,
    conditions: Sequence[Conditions],
    passes: Sequence[tuple[tuple[int, Tensor], Sequence[int]]],
    at_step: AtStep | None,
    *,
    first: int,
) -> list[Row]:
    """One for each different key, steps in order; in the keys conditions are counted from `first`."""
    rows: dict[Key, Row] = {}
    for (step, sigma), indices in sorted(passes, key=lambda made: made[0][0]):
        step = step if at_step else 1
        if at_step is not None:
            at_step(step)
        for index in indices:
            key = _key(first + index, step, sigma)
            if key not in rows:
                rows[key] = _row(transformer, conditions[index], sigma, key)
    return list(rows.values())


def _row(transformer: Transformer, conditions: Conditions, sigma: Tensor, key: Key) -> Row:
    frames, clip, _ = transformer.signal_vectors(sigma, conditions)
    if frames.shape[1] == 1:
        return Row(key=key, vectors=clip, frames=None)
    columns = list(zip(*key[2], strict=True))  # frames at the same levels, in every clip, have the same vector
    distinct = list(dict.fromkeys(columns))
    first = torch.tensor([columns.index(column) for column in distinct], device=frames.device)
    place = torch.tensor([distinct.index(column) for column in columns], device=frames.device)
    return Row(key=key, vectors=torch.cat([frames.index_select(1, first), clip], 1), frames=place)


def _order(rows: Sequence[Row]) -> dict[int, Tensor | None]:
    """Which vectors of the rows, one after the other, a module is asked for, by their number.

    Those of the clips, those of the frames, or all of these.
    """
    if all(row.frames is None for row in rows):
        return {len(rows): None}
    clips, frames, start = [], [], 0
    for row in rows:
        own = row.vectors.new_zeros(1, dtype=torch.long) if row.frames is None else row.frames
        frames.append(own + start)
        start += row.vectors.shape[1]
        clips.append(torch.full_like(own[:1], start - 1))
    of_clips, of_frames = torch.cat(clips), torch.cat(frames)
    return {
        len(of_clips): of_clips,
        len(of_frames): of_frames,
        len(of_frames) + len(of_clips): torch.cat([of_frames, of_clips]),
    }


def _key(index: int, step: int, sigma: Tensor) -> Key:
    """Reads sigma, which waits for the device only where it is not on the host."""
    levels = sigma.float() if sigma.ndim == 2 else sigma.float()[:, None]
    return index, step, tuple(map(tuple, levels.tolist()))


def _made(module: Modulation, rows: Sequence[Row], at_step: AtStep | None) -> dict[Key, Tensor]:
    """What the module makes of every row, the rows of a step together."""
    made: dict[Key, Tensor] = {}
    for step, group in groupby(rows, key=lambda row: row.key[1]):
        if at_step is not None:
            at_step(step)
        own = list(group)
        flat = torch.cat([row.vectors.flatten(0, 1) for row in own])
        parts = [torch.cat(_called(module, part[None]), -1)[0] for part in flat.split(MIN_ROWS)]
        results = torch.cat(parts).split([row.vectors.shape[:2].numel() for row in own])
        for row, result in zip(own, results, strict=True):
            made[row.key] = result.unflatten(0, row.vectors.shape[:2])
    return made


def _called(module: Modulation, vectors: Float[Tensor, "1 r d"]) -> tuple[Tensor, ...]:
    """The module's output where the vectors are; weights that wait on the host come along for this call alone."""
    away = {
        name: tensor.to(vectors.device, non_blocking=True)
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]
        if tensor.device != vectors.device and not tensor.is_meta  # what is streamed comes by itself
    }
    return functional_call(module, away, (vectors,)) if away else module(vectors)


def _put_away(module: Modulation) -> None:
    tensors = [*module.parameters(), *module.buffers()]
    if all(tensor.device.type == "cpu" for tensor in tensors):
        for tensor in tensors:
            give_back(tensor)
    else:
        module.to("cpu")
        _wait(module)


def _wait(module: Modulation) -> None:
    """Whoever calls the module outside of a run has it come to the device, and stay."""

    def come(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        if next(module.parameters()).device != given[0].device:  # not so within `_called`
            handle.remove()
            module.to(given[0].device)

    handle = module.register_forward_pre_hook(come)


def _replace(transformer: Transformer, modules: Mapping[str, nn.Module]) -> None:
    for name, module in modules.items():
        transformer.set_submodule(name, module)
