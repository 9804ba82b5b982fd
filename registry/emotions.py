"""Which emotions servers have predicted, by version and hour, in Postgres for all to compare."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from registry.database import Connection
from registry.queries import load_queries

_SQL = load_queries("emotions")


@dataclass(frozen=True, order=True)
class Cell:
    """What predictions have in common that are counted together."""

    version: str
    label: str


@dataclass(frozen=True)
class Predicted:
    """Of how many texts a label was said to hold, and the sum of its scores over all of them."""

    texts: int = 0
    held: int = 0
    score: float = 0.0

    def __add__(self, other: "Predicted") -> "Predicted":
        return Predicted(self.texts + other.texts, self.held + other.held, self.score + other.score)


Predictions = Mapping[Cell, Predicted]


def add(connection: Connection, counts: Predictions) -> None:
    """Add what a server has predicted since it last told. Rows go in one order, so that servers do not deadlock."""
    ordered = sorted(counts)
    if not ordered:
        return
    keys = {name: [getattr(cell, name) for cell in ordered] for name in ("version", "label")}
    numbers = {name: [getattr(counts[cell], name) for cell in ordered] for name in ("texts", "held", "score")}
    connection.execute(_SQL["add"], {**keys, **numbers})


def delete_old(connection: Connection) -> None:
    """Forget what was predicted more than 400 days ago."""
    connection.execute(_SQL["delete_old"])


def read(
    connection: Connection, version: str, *, since: datetime, until: datetime | None = None
) -> dict[str, Predicted]:
    """What all servers predicted with a version, by label, from the hour of one moment to before that of another."""
    rows = connection.execute(_SQL["read"], {"version": version, "since": since, "until": until})
    return {row["label"]: Predicted(row["texts"], row["held"], row["score"]) for row in rows}
