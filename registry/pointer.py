"""The live pointer: the one row that says which version answers, and the audit log of every move of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Cursor
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from registry import parallel_runs, versions
from registry.database import Connection
from registry.errors import NotFound, PointerMoved
from registry.queries import load_queries
from registry.stages import Stage, check_move
from registry.versions import ModelVersion

_SQL = load_queries("pointer")


@dataclass(frozen=True)
class Pointer:
    """Which version is live. `generation` grows by one with every move.

    Attributes:
        candidate: waits for its promotion.
        preparing: is being promoted: servers are to hold it ready.
        age: time since the last move, by the database's clock.
    """

    generation: int
    live: str | None
    previous: str | None
    candidate: str | None
    preparing: str | None
    moved_at: datetime | None
    age: timedelta | None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Pointer":
        return cls(**row)


@dataclass(frozen=True)
class AuditEntry:
    """One act: who did what to which version, when, why, and on what evidence."""

    audit_id: int
    at: datetime
    actor: str
    action: str
    version: str
    from_version: str | None
    generation: int
    reason: str | None
    evidence: Mapping[str, Any]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "AuditEntry":
        return cls(**row)


def read(connection: Connection) -> Pointer:
    """The pointer as it stands."""
    return _from_only_row(connection.execute(_SQL["read"]))


def chosen_version(connection: Connection, name: str | None) -> tuple[ModelVersion, int]:
    """The named version, or the live one, and the pointer's generation.

    Raises:
        NotFound: there is no such version, or none is live.
    """
    present = read(connection)
    name = name or present.live
    if name is None:
        raise NotFound(
            "No model version is live.", "Run `autosort retrain`, or `autosort sync` to serve the base model."
        )
    return versions.get(connection, name), present.generation


def lock(connection: Connection) -> Pointer:
    """Read the pointer and keep it still until the transaction ends."""
    return _from_only_row(connection.execute(_SQL["lock"]))


def move(
    connection: Connection,
    version: str,
    *,
    expected: Pointer,
    action: str,
    actor: str,
    reason: str | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Pointer:
    """Make `version` live if the generation is still the expected one, with stages and audit row, in this transaction.

    Args:
        expected: the pointer as it was when the decision to move was taken.
        action: "promote" or "rollback".

    Raises:
        PointerMoved: somebody moved it since; nothing is changed.
        NotFound: there is no such version; nothing is changed.
        IllegalMove: the version is live already, or not in a stage that can become live.
    """
    # Others wait while the row is locked: what can be sent together is, so that few answers are waited for.
    with connection.pipeline():
        locked = connection.execute(_SQL["lock"])  # of two moves at once the later one waits here for the row
        stage = versions.lock_later(connection, version)
        present = _from_only_row(locked)
        if present.generation != expected.generation:
            raise _moved(present, expected)
        check_move(version, stage(), Stage.LIVE)
        connection.execute(_SQL["move"], {"version": version})
        if expected.live is not None:
            versions.set_stage(connection, expected.live, Stage.RETAINED)
        versions.set_stage(connection, version, Stage.LIVE)
        _audit(connection, action, version, expected.live, actor, reason, evidence)
        after = connection.execute(_SQL["read"])
        parallel_runs.end_open(connection)  # it compared with a version that is live no more
        return _from_only_row(after)


def set_candidate(connection: Connection, version: str | None) -> None:
    """Name the version that waits for its promotion, or none."""
    connection.execute(_SQL["set_candidate"], {"version": version})


def set_preparing(connection: Connection, version: str | None) -> None:
    """Have servers hold a version ready, beside those that they hold anyway; `None` for no other one."""
    connection.execute(_SQL["set_preparing"], {"version": version})


def audit(
    connection: Connection,
    action: str,
    version: str,
    *,
    actor: str,
    reason: str | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> None:
    """Write an act that does not move the pointer into the audit log."""
    _audit(connection, action, version, None, actor, reason, evidence)


def history(connection: Connection, *, limit: int = 50) -> list[AuditEntry]:
    """The latest acts, newest first."""
    return [AuditEntry.from_row(row) for row in connection.execute(_SQL["history"], {"limit": limit})]


def last_move(connection: Connection) -> AuditEntry | None:
    """The act that made the live version live."""
    row = connection.execute(_SQL["last_move"]).fetchone()
    return AuditEntry.from_row(row) if row else None


def served_at(connection: Connection, moment: datetime) -> tuple[AuditEntry, datetime | None] | None:
    """The act by which a version was live at a moment, and when the next move ended that; None if nothing was live."""
    row = connection.execute(_SQL["served_at"], {"moment": moment}).fetchone()
    if row is None:
        return None
    until = row.pop("until")
    return AuditEntry.from_row(row), until


def last_promotion(connection: Connection, version: str) -> AuditEntry | None:
    """The act that last made a version live through the gate, if it ever was."""
    row = connection.execute(_SQL["last_promotion"], {"version": version}).fetchone()
    return AuditEntry.from_row(row) if row else None


def _from_only_row(cursor: Cursor[DictRow]) -> Pointer:
    row = cursor.fetchone()
    if row is None:  # the migration writes the row and nothing deletes it
        raise PointerMoved("The live pointer's row is gone.", "Restore it from a backup of the database.")
    return Pointer.from_row(row)


def _moved(present: Pointer, expected: Pointer) -> PointerMoved:
    return PointerMoved(
        f"The live pointer moved while this command ran: {present.live} became live at generation "
        f"{present.generation} (it was {expected.live} at {expected.generation}).",
        "Nothing was changed by this command. Look at `autosort history`, then decide again.",
    )


def _audit(
    connection: Connection,
    action: str,
    version: str,
    from_version: str | None,
    actor: str,
    reason: str | None,
    evidence: Mapping[str, Any] | None,
) -> None:
    connection.execute(
        _SQL["audit"],
        {
            "actor": actor,
            "action": action,
            "version": version,
            "from_version": from_version,
            "reason": reason,
            "evidence": Jsonb(evidence or {}),
        },
    )
