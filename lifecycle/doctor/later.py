"""Work in threads of its own, which nobody has to wait for: what hangs must neither hold up the rest nor the end."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from lifecycle.doctor.check import NotLookedAt

Result = TypeVar("Result")

_NEED_SECONDS = 7.0


def begin(work: Callable[[], Result]) -> "Future[Result]":
    """Begin work in a thread that does not keep the process alive; what comes of it, an exception included."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - raised again where the result is asked for
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def needed(future: "Future[Result]", name: str) -> Result:
    """What a check needs of another one.

    Raises:
        NotLookedAt: there is no such thing, or not in time; the other check says why.
    """
    try:
        return future.result(_NEED_SECONDS)
    except NotLookedAt:
        raise
    except Exception:  # noqa: BLE001 - told in the line of that name
        raise NotLookedAt(f"Not looked at, because of the {name}.") from None
