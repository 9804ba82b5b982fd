"""What was spent: a record of every training and re-embedding, begun before the work and settled after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg.types.json import Jsonb

from registry.database import Connection
from registry.errors import NotFound
from registry.queries import load_queries

_SQL = load_queries("spending")


class Work(StrEnum):
    """What money is spent on."""

    TRAINING = "training"
    REEMBEDDING = "reembedding"


@dataclass(frozen=True)
class Expense:
    """One piece of work and its price.

    Attributes:
        at: when it began.
        estimate: dollars it was thought to cost.
        seconds, dollars: what it took; none while it runs, and for good if it was killed.
        reason: given by whoever began it.
    """

    spending_id: int
    at: datetime
    actor: str
    work: Work
    version: str | None
    estimate: float
    seconds: float | None
    dollars: float | None
    reason: str | None
    details: Mapping[str, Any]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Expense":
        return cls(**{**row, "work": Work(row["work"])})

    @property
    def counted(self) -> float:
        """Dollars it takes from the budget: its price, or its estimate if that was never settled."""
        return self.estimate if self.dollars is None else self.dollars


def lock(connection: Connection) -> None:
    """Keep others from beginning or settling anything until the transaction ends."""
    connection.execute(_SQL["lock"])


def begin(
    connection: Connection,
    work: Work,
    *,
    actor: str,
    estimate: float,
    version: str | None = None,
    reason: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> Expense:
    """Write down that work begins, and what it is thought to cost (dollars)."""
    parameters = {
        "actor": actor,
        "work": work,
        "version": version,
        "estimate": estimate,
        "reason": reason,
        "details": Jsonb(details or {}),
    }
    return _one(connection, "begin", parameters)


def settle(
    connection: Connection,
    spending_id: int,
    *,
    seconds: float,
    dollars: float,
    version: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> Expense:
    """Write down what work took, whatever came of it.

    Args:
        version: what it made, if that was not known when it began.
        details: added to those it began with.

    Raises:
        Refused: it is settled already.
        NotFound: it was never begun.
    """
    parameters = {
        "spending_id": spending_id,
        "seconds": seconds,
        "dollars": dollars,
        "version": version,
        "details": Jsonb(details or {}),
    }
    return _one(connection, "settle", parameters)


def month_total(connection: Connection) -> float:
    """Dollars spent since this month began, by UTC; what was never settled counts at its estimate."""
    row = connection.execute(_SQL["month_total"]).fetchone()
    return float(row["dollars"]) if row else 0.0


def list_month(connection: Connection) -> list[Expense]:
    """Expenses of the present month, by UTC, newest first."""
    return [Expense.from_row(row) for row in connection.execute(_SQL["list_month"])]


def _one(connection: Connection, query: str, parameters: Mapping[str, Any]) -> Expense:
    row = connection.execute(_SQL[query], parameters).fetchone()
    if row is None:
        raise NotFound(f"There is no expense {parameters.get('spending_id')}.", "See `autosort cost`.")
    return Expense.from_row(row)
