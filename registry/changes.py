"""Noticing that the catalogue has changed: at once where notifications arrive, within a second where they do not.

Poolers in transaction mode keep notifications back, so a counter is looked at besides. It grows while the change is
being made, so a look may come too early to see what it announces; that is known from who is writing at that moment.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from registry.database import Connection, Database
from registry.errors import AutosortError
from registry.queries import load_queries

_SQL = load_queries("changes")


@dataclass(frozen=True)
class Mark:
    """The counter of changes at a moment, and the transactions that were writing to the catalogue just after it."""

    counter: int
    writing: frozenset[str]


class Noticed:
    """What one reader of the catalogue may not have seen yet. Pure: a function of the marks it is shown, in order."""

    def __init__(self) -> None:
        self._known: Mark | None = None

    def changed(self, mark: Mark) -> bool:
        """Whether there may be something new to read, for a reader that reads after this mark was taken each time."""
        known, self._known = self._known, mark
        if known is None or mark.counter != known.counter:
            return True
        # What they wrote was counted then and could not be seen; now it can, if it was committed.
        return bool(known.writing - mark.writing)


class ChangeFeed:
    """Waits for changes of the catalogue; made by `follow_changes`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def wait(self, seconds: float) -> Mark:
        """Wait for a notification, `seconds` at most, then take a mark."""
        for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            pass
        # In this order: whoever has counted and not committed yet is seen writing.
        counter = self._connection.execute(_SQL["counter"]).fetchone() or {"counter": 0}
        writing = self._connection.execute(_SQL["writing"])
        return Mark(counter["counter"], frozenset(row["transaction"] for row in writing))


@contextmanager
def follow_changes(database: Database) -> Iterator[ChangeFeed]:
    """A feed on a connection of its own.

    Raises:
        DatabaseUnavailable: the database went away; follow it anew.
    """
    with database.autocommit() as connection:
        with suppress(AutosortError):
            connection.execute(_SQL["listen"])
        try:
            yield ChangeFeed(connection)
        finally:
            if not connection.closed:
                connection.execute("UNLISTEN *")
