"""Servers' heartbeats: which server answers with which version, as of a few seconds ago."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from registry.database import Connection
from registry.queries import load_queries

_SQL = load_queries("servers")

ALIVE = timedelta(seconds=10)
"""A server that was not heard of for so long is taken to be gone."""


@dataclass(frozen=True)
class Server:
    """A server that was heard of a moment ago.

    Attributes:
        version: what it answers with; `None` while it has nothing to answer with.
        generation: of the live pointer when it took that version.
        warm: versions that it holds in memory, ready to answer; that one among them.
        problem: why it does not answer with the live version, or cannot hold another one, if so.
        age: time since its last heartbeat, by the database's clock.
    """

    server: str
    version: str | None
    generation: int | None
    warm: tuple[str, ...]
    problem: str | None
    started_at: datetime
    seen_at: datetime
    age: timedelta


@dataclass(frozen=True)
class Standing:
    """What a server says of itself."""

    version: str | None = None
    generation: int | None = None
    warm: tuple[str, ...] = ()
    problem: str | None = None


def beat(connection: Connection, server: str, standing: Standing) -> None:
    """Write down that a server is alive and how it stands; servers silent for an hour are forgotten."""
    connection.execute(_SQL["beat"], {"server": server, **asdict(standing), "warm": list(standing.warm)})
    connection.execute(_SQL["delete_old"])


def forget(connection: Connection, server: str) -> None:
    """Take a server that has stopped off the list."""
    connection.execute(_SQL["forget"], {"server": server})


def list_alive(connection: Connection) -> list[Server]:
    """The servers whose last heartbeat is younger than `ALIVE`, by name."""
    rows = connection.execute(_SQL["list_alive"], {"alive": ALIVE})
    return [Server(**{**row, "warm": tuple(row["warm"])}) for row in rows]


def using(connection: Connection, version: str) -> list[Server]:
    """Those of them that answer with this version."""
    return [each for each in list_alive(connection) if each.version == version]
