"""Pins: versions that are kept, by whom and why. A pinned one cannot be retired."""

from dataclasses import dataclass
from datetime import datetime

from registry import pointer, versions
from registry.database import Connection
from registry.errors import BadInput, Refused
from registry.queries import load_queries
from registry.stages import GIVEN_UP

_SQL = load_queries("pins")


@dataclass(frozen=True)
class Pin:
    """Who keeps a version, why, and since when."""

    version: str
    actor: str
    reason: str
    pinned_at: datetime


def pin(connection: Connection, version: str, *, actor: str, reason: str) -> None:
    """Keep a version from being retired, with an audit row; pinned again, it has the new reason.

    Raises:
        BadInput: the reason is blank.
        NotFound: there is no such version.
        Refused: it was given up before.
    """
    if not reason.strip():
        raise BadInput("A pin needs a reason.", 'Add --reason "why"; whoever means to retire the version is told it.')
    # Whoever retires a version holds this lock too, so a version is never both.
    pointer.lock(connection)
    stage = versions.get(connection, version).stage
    if stage in GIVEN_UP:
        raise Refused(f"{version} is {stage}: there is nothing left of it to keep.", "Pin another one.")
    connection.execute(_SQL["pin"], {"version": version, "actor": actor, "reason": reason})
    pointer.audit(connection, "pin", version, actor=actor, reason=reason)


def unpin(connection: Connection, version: str, *, actor: str, reason: str | None = None) -> bool:
    """Let a version be retired again, with an audit row; whether it was pinned: if not, nothing is done.

    Raises:
        NotFound: there is no such version.
    """
    pointer.lock(connection)
    versions.get(connection, version)
    if not connection.execute(_SQL["unpin"], {"version": version}).rowcount:
        return False
    pointer.audit(connection, "unpin", version, actor=actor, reason=reason)
    return True


def find(connection: Connection, version: str) -> Pin | None:
    """The version's pin, if it has one."""
    row = connection.execute(_SQL["find"], {"version": version}).fetchone()
    return Pin(**row) if row else None


def list_all(connection: Connection) -> dict[str, Pin]:
    """All pins by version."""
    return {row["version"]: Pin(**row) for row in connection.execute(_SQL["list_all"])}
