"""Results that are still to come, and what is made of them."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")
Changed = TypeVar("Changed")


def then(future: "Future[Result]", change: Callable[[Result], Changed]) -> "Future[Changed]":
    """A future with what a change makes of another's result; to cancel it is to cancel that one."""
    changed: Future[Changed] = Future()

    def pass_on(done: "Future[Result]") -> None:
        if done.cancelled() or not changed.set_running_or_notify_cancel():
            return
        error = done.exception()
        if error is not None:
            changed.set_exception(error)
        else:
            changed.set_result(change(done.result()))

    future.add_done_callback(pass_on)
    changed.add_done_callback(lambda done: future.cancel() if done.cancelled() else None)
    return changed
