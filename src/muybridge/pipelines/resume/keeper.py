"""What a pipeline keeps of its films while it makes them, where it was given a folder for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from jaxtyping import Float
from torch import Tensor

from muybridge.pipelines.long.windows import windows_of
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.resume.folder import FilmState, Report, ResumeFolder
from muybridge.pipelines.resume.record import Replay

Sampled = tuple[Float[Tensor, "c t h w"], Report | None]  # latents, and what the step cache reports


class Keeper:
    """Finds what is known of films and keeps what is made of them; without a folder it does neither."""

    def __init__(
        self, folder: ResumeFolder | None, settings_of: Callable[[GenerationRequest], Mapping[str, Any]]
    ) -> None:
        """settings_of: all that decides a film's bits, this machine among it."""
        self._folder, self._settings_of = folder, settings_of

    def found(self, batch: Sequence[GenerationRequest]) -> list[Sampled | None]:
        """Latents of films that were through; None for each that was not."""
        return [None for _ in batch] if self._folder is None else [state.result() for state in self._states(batch)]

    @contextmanager
    def replay(self, batch: Sequence[GenerationRequest], *, run: str = "film") -> Iterator[Replay]:
        """A run of these films that continues where it was stopped; when the block ends, however, all is written.

        run: its name, where films take several, such as one a window.
        """
        with ExitStack() as stack:
            states = [] if self._folder is None else self._states(batch)
            yield Replay([stack.enter_context(state.run(run)) for state in states])

    def keep(self, batch: Sequence[GenerationRequest], made: Sequence[Sampled]) -> None:
        """The films' latents instead of how far they were."""
        if self._folder is not None:
            for state, (latents, report) in zip(self._states(batch), made, strict=True):
                state.keep(latents, report)

    def on_saved(self, request: GenerationRequest) -> Callable[[], None] | None:
        """What to do once the film is in a file: nothing of it is kept any more, nor of its windows."""
        if self._folder is None:
            return None

        def discard() -> None:
            for window in windows_of(request):
                self._states([window])[0].discard()

        return discard

    def _states(self, batch: Sequence[GenerationRequest]) -> list[FilmState]:
        assert self._folder is not None
        return [self._folder.film(self._settings_of(request)) for request in batch]
