"""What servers have served, counted by all of them together."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import traffic
from registry.database import Database
from registry.traffic import Cell, Count, Served, bucket_of, seconds_of
from registry.versions import ModelVersion

AddVersion = Callable[..., ModelVersion]


@given(st.floats(1e-5, 1e4))
def test_a_bucket_tells_a_time_within_five_percent(seconds: float) -> None:
    assert seconds_of(bucket_of(seconds)) == pytest.approx(seconds, rel=0.05)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e9])
def test_absurd_times_have_buckets_too(seconds: float) -> None:
    assert 1e-5 / 1.1 < seconds_of(bucket_of(seconds)) < 1e4 * 1.1


def test_quantiles() -> None:
    served = Served({"/match": {bucket_of(0.010): 90, bucket_of(0.100): 10}})
    assert served.quantile("/match", 0.5) == pytest.approx(0.010, rel=0.05)
    assert served.quantile("/match", 0.99) == pytest.approx(0.100, rel=0.05)
    assert served.quantile("/embed", 0.5) is None


def test_what_several_servers_served_is_added_up(database: Database, add_version: AddVersion) -> None:
    add_version()
    counts = {Cell(1, "v1", "/match", 5): Count(3, 1), Cell(1, "v1", "/embed", 2): Count(4, 0)}
    for _ in range(2):
        with database.transaction() as connection:
            traffic.add(connection, counts)
    with database.transaction() as connection:
        served = traffic.read(connection, "v1", 1)
    assert served == Served({"/match": {5: 6}, "/embed": {2: 8}}, failed=2)
    assert served.requests == 14


def test_nothing_served_is_nothing_to_add(database: Database) -> None:
    with database.transaction() as connection:
        traffic.add(connection, {})
        assert traffic.read(connection, "v1", 1) == Served()


def test_generations_and_versions_are_kept_apart(database: Database, add_version: AddVersion) -> None:
    for _ in range(2):
        add_version()
    with database.transaction() as connection:
        cells = [(1, "v1"), (2, "v1"), (2, "v2")]
        traffic.add(connection, {Cell(*cell, "/match", 1): Count(number) for number, cell in enumerate(cells, start=1)})
        assert [traffic.read(connection, name, generation).requests for generation, name in cells] == [1, 2, 3]


def test_it_can_be_read_from_a_moment_on_and_is_forgotten_after_a_month(
    database: Database, add_version: AddVersion
) -> None:
    add_version()
    with database.transaction() as connection:
        traffic.add(connection, {Cell(1, "v1", "/match", 1): Count(1)})
        connection.execute("UPDATE served_requests SET minute = minute - interval '31 days'")
        traffic.add(connection, {Cell(1, "v1", "/match", 1): Count(2)})
        now = datetime.now(UTC)
        assert traffic.read(connection, "v1", 1).requests == 3
        assert traffic.read(connection, "v1", 1, since=now - timedelta(hours=1)).requests == 2
        traffic.delete_old(connection)
        assert traffic.read(connection, "v1", 1).requests == 2
