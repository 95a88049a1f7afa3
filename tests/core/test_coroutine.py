"""Functions that stop where they ask."""

import threading

import pytest

from muybridge.core.coroutine import Cancelled, Coroutine


def doubled_sum(ask):
    return ask(1) + ask(2)


def run(coroutine, answer=lambda question: 2 * question):
    coroutine.resume()
    while not coroutine.is_done:
        coroutine.resume(answer(coroutine.question))
    return coroutine.result()


def test_a_function_goes_on_with_the_answers():
    assert run(Coroutine(doubled_sum)) == 6


def test_an_error_comes_out_where_the_result_is_asked_for():
    def fails(ask):
        return 1 / ask(0)

    with pytest.raises(ZeroDivisionError):
        run(Coroutine(fails))


def test_an_error_given_for_an_answer_is_raised_where_it_asked():
    def careful(ask):
        try:
            return ask(1)
        except ValueError:
            return "mended"

    coroutine = Coroutine(careful)
    coroutine.resume()
    coroutine.resume(error=ValueError())
    assert coroutine.is_done and coroutine.result() == "mended"


def test_closing_runs_what_must_be_run_at_the_end_and_leaves_no_thread():
    ends = []

    def stubborn(ask):
        try:
            return ask(1)
        finally:
            ends.append("first")
            try:
                ask(2)
            except Cancelled:
                ends.append("second")

    before = threading.active_count()
    waiting, unborn = Coroutine(stubborn), Coroutine(stubborn)
    waiting.resume()
    assert threading.active_count() == before + 1
    waiting.close()
    waiting.close()
    unborn.close()
    assert ends == ["first", "second"] and threading.active_count() == before


def test_an_interrupt_while_the_function_works_still_lets_it_be_closed():
    """What waits for the function is cut short; the function's own turn comes later and is not taken for another."""
    coroutine = Coroutine(doubled_sum)
    coroutine._thread.start()
    coroutine.close()
    assert not coroutine._thread.is_alive()
