"""A plain function as a coroutine: it stops wherever it asks, until it is answered."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")
R = TypeVar("R")


class Cancelled(BaseException):
    """Raised where a function asks that is not to go on. Not an Exception, so that nothing takes it for a failure."""


class Coroutine(Generic[Q, A, R]):
    """A function on a thread of its own, of which only one is ever at work: the function or whoever answers it.

    So what it touches needs no lock, and any code can be stopped in the middle, not only generators. It does not begin
    before `resume`; once it has begun it is to be resumed until it `is_done`, or closed.
    """

    def __init__(self, function: Callable[[Callable[[Q], A]], R]) -> None:
        """`function`: is given what it asks with."""
        self._function = function
        self._answers: SimpleQueue[tuple[A | None, BaseException | None]] = SimpleQueue()
        self._turns: SimpleQueue[None] = SimpleQueue()  # one for every time that the function stops
        self._thread = threading.Thread(target=self._run, name="coroutine", daemon=True)
        self._question: Any = None
        self._result: Any = None
        self._error: BaseException | None = None
        self.is_done = False

    @property
    def question(self) -> Q:
        """What it waits for."""
        return self._question  # type: ignore[no-any-return]

    def result(self) -> R:
        """What the function gave; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[no-any-return]

    def resume(self, answer: A | None = None, *, error: BaseException | None = None) -> None:
        """Let it go on until it asks again or is done: with the answer, or by raising an error where it asked."""
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._answers.put((answer, error))
        self._turns.get()
        if self.is_done:
            self._thread.join()

    def close(self) -> None:
        """End it where it asks; returns when its thread is gone. Does nothing where it is done or has not begun."""
        while self._thread.ident is not None and self._thread.is_alive():
            self._answers.put((None, Cancelled()))
            self._thread.join(0.05)  # it may ask again on its way out, and is told again

    def _run(self) -> None:
        try:
            self._result = self._function(self._ask)
        except BaseException as error:  # whoever asks for the result is to meet it
            self._error = error
        self.is_done = True
        self._turns.put(None)

    def _ask(self, question: Q) -> A:
        self._question = question
        self._turns.put(None)
        answer, error = self._answers.get()
        if error is not None:
            raise error
        return answer  # type: ignore[return-value]
