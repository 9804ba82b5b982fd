"""How long work tells how far it is: to a terminal, to a log, or to nobody."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    """Told how much is done so far and, where that shows only on the way, of how much."""

    def __call__(self, done: int, total: int | None = None, /) -> None:
        """Take note."""


class Progress(Protocol):
    """Whoever wants to know."""

    def say(self, line: str) -> None:
        """Take note of one line on what happens."""

    def task(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """Follow a task of `total` units while the context lasts."""


class Silent:
    """Nobody wants to know."""

    def say(self, line: str) -> None:
        """Drop the line."""

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Advance]:  # noqa: ARG002 - the protocol's signature
        """Drop the figures."""
        yield lambda _done, _total=None: None
