"""Progress on standard error: one bar for each stage, with the time that is left."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

from muybridge.core.files import OnBytes

if TYPE_CHECKING:
    from muybridge import Progress

LINE_EVERY_S = 60.0  # where there is no terminal to draw a bar on
WITH_PICTURES_PER_S = 2  # refreshes: pictures are sent anew with each, also over slow lines
_SHOWN = {
    "loss": "loss {:.4f}",
    "tokens_per_s": "{:,.0f} tokens/s",
    "frames_per_s": "{:,.1f} frames/s",
    "mfu": "MFU {:.1%}",
    "clips_per_s": "{:,.1f} clips/s",
}
Above = Callable[[RenderableType], RenderableType]
_WORDS = {"text": "reading", "denoise": "denoising", "decode": "decoding"}


class _Below(Bars):
    """Bars that something may stand above."""

    def __init__(self, above: Above | None, *columns: ProgressColumn, **options: Any) -> None:
        self._above = above
        super().__init__(*columns, **options)

    def get_renderable(self) -> RenderableType:
        """For rich, at each refresh."""
        bars = super().get_renderable()
        return bars if self._above is None else self._above(bars)


class _TimedBars:
    """A context manager with named bars on a console; nothing is drawn where there is no terminal."""

    def __init__(self, console: Console, *, note: str, is_transient: bool, above: Above | None = None) -> None:
        """`note`: what stands at each bar's end; "{task.fields[figure]}" is filled in by the bar's own."""
        self._bars = _Below(
            above,
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn(note, style="dim"),
            console=console,
            transient=is_transient,
            disable=not console.is_terminal,
            refresh_per_second=10 if above is None else WITH_PICTURES_PER_S,
            speed_estimate_period=3600.0,  # a shard of latents takes minutes; rich's 30 s would know no rate
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()


class ByteBars:
    """A context manager whose `show` draws one bar a stage with the bytes done, their rate and the time left.

    Where there is no terminal, a line a minute.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Bars(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last_line_s = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def of_file(self, file: Path) -> OnBytes:
        """What to tell of the bytes of a file, as they are read, to see its bar grow."""
        done, total = 0, file.stat().st_size

        def on_bytes(count: int) -> None:
            nonlocal done
            done += count
            self.show(file.name, done, total)

        return on_bytes

    def show(self, stage: str, done: int, total: int) -> None:
        """Draw the stage's bar at its new length."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)
        if not self._console.is_terminal and time.monotonic() - self._last_line_s >= LINE_EVERY_S:
            self._last_line_s = time.monotonic()
            left = self._bars.tasks[self._tasks[stage]].time_remaining
            ending = "" if left is None else f", {duration(left)} left"
            self._console.print(f"{stage} {amount(done)} of {amount(total)}{ending}", highlight=False)


class StageBars(_TimedBars):
    """Bars whose `show` is the `on_progress` of a pipeline."""

    def __init__(self, console: Console, *, num_films: int, above: Above | None = None) -> None:
        """above: gives the bars with something above them, each time that they are drawn."""
        noun = "film" if num_films == 1 else f"{num_films} films"
        super().__init__(console, note=noun, is_transient=True, above=above)

    def show(self, progress: "Progress") -> None:
        """Draw the stage's bar at its new length."""
        if progress.stage not in self._tasks:
            self._tasks[progress.stage] = self._bars.add_task(_WORDS[progress.stage], total=progress.total)
        if progress.is_found:  # at once, whatever the steps to come will take
            self._bars.reset(self._tasks[progress.stage], completed=progress.done)
        self._bars.update(self._tasks[progress.stage], completed=progress.done)


class StepBars(_TimedBars):
    """Bars whose `show` draws one a training stage, with its loss, its speed and the time that is left."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, note="{task.fields[figure]}", is_transient=False)
        self._console = console
        self._last_line_s = time.monotonic()
        self._figures: dict[str, dict[str, float]] = {}

    def show(self, stage: str, done: int, total: int, figures: dict[str, float]) -> None:
        """Draw the stage's bar at its new length."""
        known = self._figures.setdefault(stage, {})
        known |= figures  # speed comes only now and then
        figure = ", ".join(words.format(known[name]) for name, words in _SHOWN.items() if name in known)
        if stage not in self._tasks:  # at its present length, which is not this call's work
            self._tasks[stage] = self._bars.add_task(stage, total=total, completed=done, figure=figure)
        self._bars.update(self._tasks[stage], completed=done, total=total, figure=figure)
        if not self._console.is_terminal:
            self._write_line(self._tasks[stage])

    def _write_line(self, task: TaskID) -> None:
        """A line now and then, for logs."""
        now, bar = time.monotonic(), self._bars.tasks[task]
        if now - self._last_line_s < LINE_EVERY_S and not bar.finished:
            return
        self._last_line_s = now
        left = "" if bar.time_remaining is None or bar.finished else f"{duration(bar.time_remaining)} left"
        line = f"{bar.description} {bar.completed:.0f}/{bar.total:.0f} {bar.fields['figure']} {left}"
        self._console.print(" ".join(line.split()), highlight=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """In words: "40 s", "12 min", "3 h 20 min", "1,200 days"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds > 72 * 3600:
        return f"{seconds / 86400:,.0f} days"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def amount(num_bytes: int) -> str:
    """Bytes as people read them: GiB, or MiB where that is below a tenth."""
    return f"{num_bytes / 2**30:,.2f} GiB" if num_bytes >= 2**30 // 10 else f"{num_bytes / 2**20:,.2f} MiB"
