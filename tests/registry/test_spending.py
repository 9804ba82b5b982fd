"""What was spent: begun once, settled once, counted in its month, never changed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from registry import spending
from registry.database import Connection, Database
from registry.errors import DatabaseError, NotFound, Refused
from registry.spending import Work
from registry.versions import ModelVersion


def _spend(connection: Connection, dollars: float, *, estimate: float = 1.0) -> int:
    begun = spending.begin(connection, Work.TRAINING, actor="ada@machine", estimate=estimate)
    spending.settle(connection, begun.spending_id, seconds=60, dollars=dollars)
    return begun.spending_id


def test_at_first_nothing_was_spent(database: Database) -> None:
    with database.transaction() as connection:
        assert spending.month_total(connection) == 0
        assert spending.list_month(connection) == []


def test_work_counts_at_its_estimate_until_it_is_settled(
    database: Database, add_version: Callable[..., ModelVersion]
) -> None:
    add_version()
    with database.transaction() as connection:
        begun = spending.begin(
            connection,
            Work.TRAINING,
            actor="ada@machine",
            estimate=4.0,
            reason="the quarter",
            details={"pairs": 12, "epochs": 1},
        )
        assert (begun.seconds, begun.dollars, begun.counted) == (None, None, 4.0)
        assert spending.month_total(connection) == 4.0

        spending.settle(connection, begun.spending_id, seconds=100.0, dollars=2.5, version="v1", details={"epochs": 2})
        (kept,) = spending.list_month(connection)
        assert (kept.seconds, kept.dollars, kept.counted, kept.version) == (100.0, 2.5, 2.5, "v1")
        assert (kept.actor, kept.work, kept.reason, kept.estimate) == ("ada@machine", Work.TRAINING, "the quarter", 4.0)
        assert kept.details == {"pairs": 12, "epochs": 2}
        assert spending.month_total(connection) == 2.5


def test_a_month_is_a_month_by_utc_whatever_the_session_thinks(database: Database) -> None:
    first, before = "date_trunc('month', now(), 'UTC')", "date_trunc('month', now(), 'UTC') - interval '1 microsecond'"
    insert = (
        "INSERT INTO spending (at, actor, work, estimate, seconds, dollars) VALUES ({}, 'ada', 'training', 0, 1, {})"
    )
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
        with database.transaction() as connection:
            connection.execute(f"SET LOCAL TimeZone = '{zone}'".encode())
            connection.execute(insert.format(first, 3).encode())
            connection.execute(insert.format(before, 100).encode())
            assert spending.month_total(connection) == 3
            assert [each.dollars for each in spending.list_month(connection)] == [3]
            connection.rollback()


def test_the_newest_comes_first(database: Database) -> None:
    with database.transaction() as connection:
        made = [_spend(connection, dollars) for dollars in (1.0, 2.0, 3.0)]
    with database.transaction() as connection:
        assert [each.spending_id for each in spending.list_month(connection)] == made[::-1]
        assert spending.month_total(connection) == 6.0


def test_what_was_settled_is_not_settled_again(database: Database) -> None:
    with database.transaction() as connection:
        number = _spend(connection, 1.0)
    with pytest.raises(Refused, match="never changes"), database.transaction() as connection:
        spending.settle(connection, number, seconds=1, dollars=0)
    with database.transaction() as connection:
        assert spending.month_total(connection) == 1.0


@pytest.mark.parametrize(
    "statement", [b"DELETE FROM spending", b"TRUNCATE spending", b"UPDATE spending SET dollars = 0"]
)
def test_nothing_is_taken_out_of_the_books(database: Database, statement: bytes) -> None:
    with database.transaction() as connection:
        _spend(connection, 1.0)
    with pytest.raises(Refused, match="What was spent never changes"), database.transaction() as connection:
        connection.execute(statement)


def test_what_was_never_begun_cannot_be_settled(database: Database) -> None:
    with pytest.raises(NotFound, match="no expense 7"), database.transaction() as connection:
        spending.settle(connection, 7, seconds=1, dollars=0)


def test_nobody_is_paid_for_spending(database: Database) -> None:
    with pytest.raises(DatabaseError, match="spending_not_negative"), database.transaction() as connection:
        _spend(connection, -1.0)


def test_of_two_that_ask_at_once_the_second_sees_what_the_first_was_allowed(database: Database) -> None:
    def ask(_: int) -> float:
        with database.transaction() as connection:
            spending.lock(connection)
            spent = spending.month_total(connection)
            connection.execute("SELECT pg_sleep(0.05)")
            spending.begin(connection, Work.REEMBEDDING, actor="ada", estimate=1.0)
            return spent

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(ask, range(4))) == [0.0, 1.0, 2.0, 3.0]
