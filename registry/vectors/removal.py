"""Freeing the disk of a version's vectors while others are read: detached without a lock on readers, then dropped.

Killed at any moment, the same call goes on where it stopped.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql

from registry.database import Connection, Database
from registry.errors import AlreadyRunning, DatabaseBusy
from registry.queries import load_queries
from registry.vectors.vector_set import VectorSet

_SQL = load_queries("removal")

_PATIENCE_SECONDS = 5.0
_LOOKS = 4

_OUT_OF_PATIENCE = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)

_OVERTAKEN = (psycopg.errors.UndefinedTable, psycopg.errors.ObjectNotInPrerequisiteState)
"""What Postgres says of a detachment that was finished meanwhile: by its server process, whose client was killed."""


def drop(database: Database, vectors: VectorSet) -> None:
    """Drop a version's tables and forget its books and its quarantine; safe to repeat.

    Readers of other versions wait for nothing. Transactions that may read the version's vectors are waited for, some
    seconds each at most.

    Raises:
        DatabaseBusy: a transaction did not end in that time; it goes on undisturbed.
        AlreadyRunning: another process has been freeing vectors for all that time.
    """
    with database.transaction() as turn:
        _wait_turn(turn)
        with database.autocommit() as connection:
            try:
                _detach(connection, vectors.names["songs"], vectors.names["version_songs"])
                _detach(connection, vectors.names["playlists"], vectors.names["version_playlists"])
                _drop(connection, vectors)
            except _OUT_OF_PATIENCE as error:
                raise _in_the_way(connection, vectors) from error


def _wait_turn(connection: Connection) -> None:
    _limit_waiting(connection)
    try:
        connection.execute(_SQL["wait_turn"])
    except psycopg.errors.LockNotAvailable:
        raise AlreadyRunning(
            f"Another command has been freeing a version's vectors for over {_PATIENCE_SECONDS:.0f} s.",
            "Run the same command again when it is done.",
        ) from None


def _detach(connection: Connection, parent: str, child: str) -> None:
    """Detach a table, after finishing detachments that were interrupted: Postgres allows one at a time.

    At first whoever has read the parent in a transaction still open is waited for. If one does not end, finishing waits
    only for those that may still see the table: not for a session that somebody left open.
    """
    trouble: Exception | None = None
    for _ in range(_LOOKS):
        step = _next_step(connection, parent, child)
        if step is None:
            return
        query, table = step
        try:
            with _cancelled_in_time(connection):
                connection.execute(_SQL[query].format(parent=sql.Identifier(parent), child=sql.Identifier(table)))
        except _OVERTAKEN as error:
            trouble = error
        except _OUT_OF_PATIENCE as error:
            if query == "finalize_detach":
                raise
            trouble = error
    if trouble:
        raise trouble


def _next_step(connection: Connection, parent: str, child: str) -> tuple[str, str] | None:
    """The query that comes next, and the table that it is about; `None` if the child is detached."""
    pending = connection.execute(_SQL["pending_detachments"], {"parent": parent}).fetchone()
    if pending:
        return "finalize_detach", pending["child"]
    attached = connection.execute(_SQL["attachment"], {"parent": parent, "child": child}).fetchone()
    return None if attached is None else ("detach", child)


def _drop(connection: Connection, vectors: VectorSet) -> None:
    with connection.transaction():
        _limit_waiting(connection)
        for name in ("drop_tables", "drop_quarantine", "close_set"):
            connection.execute(vectors.query(name, _SQL))


def _limit_waiting(connection: Connection) -> None:
    milliseconds = sql.Literal(int(_PATIENCE_SECONDS * 1000))
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(milliseconds))


@contextmanager
def _cancelled_in_time(connection: Connection) -> Iterator[None]:
    """Cancel a statement that takes too long. It runs outside transactions, where a pooler keeps no lock_timeout."""
    timer = threading.Timer(_PATIENCE_SECONDS, _cancel, [connection])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _cancel(connection: Connection) -> None:
    with suppress(psycopg.Error):  # the connection is lost: the statement itself says so
        connection.cancel_safe(timeout=5)


def _in_the_way(connection: Connection, vectors: VectorSet) -> DatabaseBusy:
    tables = list(vectors.names.values())
    holder = connection.execute(_SQL["find_holder"], {"tables": tables}).fetchone()
    who = f"the transaction of {_described(holder)}" if holder else "a transaction"
    return DatabaseBusy(
        f"The vectors of {vectors.version} are not freed yet: {who} may be reading vectors.",
        f"It goes on undisturbed. When it has ended, run `autosort retire {vectors.version}` again.",
        details={"process": holder["pid"] if holder else None},
    )


def _described(holder: dict[str, Any]) -> str:
    """A server process with what may be known of it: other users' are hidden from all but superusers."""
    known = [each for each in (holder["program"], holder["user"]) if each]
    if holder["open_for"]:
        known.append(f"open for {holder['open_for'].total_seconds():.0f} s")
    return f"server process {holder['pid']} ({', '.join(known) or 'of another user'})"
