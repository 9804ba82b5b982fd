"""How long work tells how far it is: to a terminal, to a log, or to nobody."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    """Told how much is done so far and, where that shows only on the way, of how much; and facts beside."""

    def __call__(self, done: int, total: int | None = None, /, **facts: int) -> None:
        """Take note."""


class Progress(Protocol):
    """Whoever wants to know."""

    def say(self, line: str) -> None:
        """Take note of one line on what happens."""

    def task(self, name: str, total: int, *, unit: str | None = None) -> AbstractContextManager[Advance]:
        """Follow a task of `total` units while the context lasts; with a `unit`, its speed is of interest."""


class Silent:
    """Nobody wants to know."""

    def say(self, line: str) -> None:
        """Drop the line."""

    @contextmanager
    def task(self, name: str, total: int, *, unit: str | None = None) -> Iterator[Advance]:  # noqa: ARG002
        """Drop the figures."""
        yield lambda _done, _total=None, /, **_facts: None
