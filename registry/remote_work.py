"""Work on machines far away: asked for once, found again by whoever asks for the same, put off while they are away."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg.types.json import Jsonb

from registry.database import Connection
from registry.errors import Refused
from registry.queries import load_queries

_SQL = load_queries("remote_work")


class RemoteKind(StrEnum):
    """What is asked for."""

    TRAINING = "training"
    REEMBEDDING = "reembedding"


class RemoteState(StrEnum):
    """How it stands; "running" as far as is known here."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class RemoteWork:
    """One piece of work.

    Attributes:
        key: what makes two pieces the same: a training's recipe, a version's name.
        call_id: by which it is found again where it runs; none before it was begun.
        attempts: how often it could not be asked for or asked about; `due_at` when to try again.
        reason: why it was put off, or failed.
    """

    work_id: int
    kind: RemoteKind
    key: str
    request: Mapping[str, Any]
    state: RemoteState
    call_id: str | None
    attempts: int
    due_at: datetime
    reason: str | None
    actor: str
    asked_at: datetime
    changed_at: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "RemoteWork":
        return cls(**{**row, "kind": RemoteKind(row["kind"]), "state": RemoteState(row["state"])})


def ask(connection: Connection, kind: RemoteKind, key: str, request: Mapping[str, Any], *, actor: str) -> RemoteWork:
    """The open piece of this work: that which was asked for before, or a new one."""
    return _one(connection, "ask", {"kind": kind, "key": key, "request": Jsonb(request), "actor": actor})


def began(connection: Connection, work_id: int, call_id: str | None) -> RemoteWork:
    """Note where it runs; None where that is not known any more.

    Raises:
        Refused: it is over.
    """
    return _one(connection, "began", {"work_id": work_id, "call_id": call_id})


def put_off(connection: Connection, work_id: int, reason: str) -> RemoteWork:
    """Let it be tried again later, after twice as long as the last time.

    Raises:
        Refused: it is over.
    """
    return _one(connection, "put_off", {"work_id": work_id, "reason": reason})


def close(connection: Connection, work_id: int, state: RemoteState, reason: str | None = None) -> None:
    """End it, done or failed; one that is over already stays as it is."""
    connection.execute(_SQL["close"], {"work_id": work_id, "state": state, "reason": reason})


def list_open(connection: Connection) -> list[RemoteWork]:
    """All that is not over, the oldest first."""
    return [RemoteWork.from_row(row) for row in connection.execute(_SQL["list_open"])]


def list_due(connection: Connection) -> list[RemoteWork]:
    """What was put off and is to be tried again now, the oldest first."""
    return [RemoteWork.from_row(row) for row in connection.execute(_SQL["list_due"])]


def _one(connection: Connection, query: str, parameters: Mapping[str, Any]) -> RemoteWork:
    row = connection.execute(_SQL[query], parameters).fetchone()
    if row is None:
        raise Refused(f"The remote work {parameters.get('work_id')} is over.", "See `autosort status`.")
    return RemoteWork.from_row(row)
