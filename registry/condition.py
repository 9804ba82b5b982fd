"""What a Postgres is and how it is reached, whatever its schema: for whoever looks at one that may not do."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from registry.database import Connection, lone_connection
from registry.queries import load_queries

_SQL = load_queries("condition")


@dataclass(frozen=True)
class Server:
    """A Postgres server.

    Attributes:
        number: its version as a number, such as 180001 for 18.1.
        read_only: it is a standby, or refuses all writing.
        now: the moment by its clock.
    """

    number: int
    version: str
    read_only: bool
    now: datetime


@dataclass(frozen=True)
class Pgvector:
    """The versions of pgvector: in this database, and that the server could put there; None for none.

    Attributes:
        may_create: whether this user may put it there.
    """

    installed: str | None
    available: str | None
    may_create: bool


class Route(StrEnum):
    """What stands between a client and Postgres."""

    DIRECT = "direct"
    SESSION = "session"
    TRANSACTION = "transaction"


def read_server(connection: Connection) -> Server:
    """The server at the other end."""
    return Server(**_row(connection, "server"))


def read_pgvector(connection: Connection) -> Pgvector:
    """What it has of pgvector."""
    return Pgvector(**_row(connection, "pgvector"))


def find_route(url: str) -> Route:
    """Whether a pooler stands before the database, and which kind; nothing is written to find out.

    A pooler tells the client of a backend that is none of Postgres' own. If it works by transactions, one connection's
    backend is given to another as soon as the first is out of its transaction.

    Raises:
        DatabaseUnavailable, DatabaseError: no two connections, or no transaction, can be had.
    """
    with ExitStack() as stack:
        one, other = (stack.enter_context(lone_connection(url)) for _ in range(2))
        own = _backend(one)
        with other.transaction():
            shared = _backend(other) == own or _backend(one) != own
        told = one.info.backend_pid
    if shared:
        return Route.TRANSACTION
    return Route.DIRECT if told == own else Route.SESSION


def _backend(connection: Connection) -> int:
    return int(_row(connection, "backend")["pid"])


def _row(connection: Connection, query: str) -> dict[str, Any]:
    row = connection.execute(_SQL[query]).fetchone()
    assert row is not None  # noqa: S101 - such a query always gives one
    return row
