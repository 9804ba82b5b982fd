"""Heartbeats: who answers with what, by the database's clock."""

from collections.abc import Callable

import pytest

from registry import servers
from registry.database import Database
from registry.servers import Standing
from registry.versions import ModelVersion

AddVersion = Callable[..., ModelVersion]


def beat(database: Database, server: str, version: str | None = None, generation: int | None = None) -> None:
    with database.transaction() as connection:
        servers.beat(connection, server, Standing(version, generation))


def grow_old(database: Database, server: str, age: str) -> None:
    with database.transaction() as connection:
        query = "UPDATE servers SET seen_at = seen_at - %s::interval WHERE server = %s"
        assert connection.execute(query, [age, server]).rowcount == 1


def alive(database: Database) -> list[tuple[str, str | None, int | None]]:
    with database.transaction() as connection:
        return [(each.server, each.version, each.generation) for each in servers.list_alive(connection)]


def names(database: Database) -> list[str]:
    with database.transaction() as connection:
        return [row["server"] for row in connection.execute("SELECT server FROM servers ORDER BY server")]


def test_a_server_is_known_by_what_it_said_last(database: Database, add_version: AddVersion) -> None:
    for _ in range(2):
        add_version()
    beat(database, "b")
    beat(database, "a", "v1", 1)
    assert alive(database) == [("a", "v1", 1), ("b", None, None)]
    beat(database, "a", "v2", 2)
    assert alive(database) == [("a", "v2", 2), ("b", None, None)]


def test_a_beat_moves_the_time_it_was_seen_and_not_the_time_it_was_started(database: Database) -> None:
    beat(database, "a")
    grow_old(database, "a", "5 seconds")
    with database.transaction() as connection:
        (before,) = servers.list_alive(connection)
    beat(database, "a")
    with database.transaction() as connection:
        (after,) = servers.list_alive(connection)
    assert after.started_at == before.started_at
    assert before.age.total_seconds() == pytest.approx(5, abs=2)
    assert after.age.total_seconds() < 2


@pytest.mark.parametrize(("age", "counts"), [("8 seconds", True), ("11 seconds", False)])
def test_a_server_that_is_silent_for_ten_seconds_uses_nothing(
    database: Database, add_version: AddVersion, age: str, *, counts: bool
) -> None:
    add_version()
    beat(database, "a", "v1", 1)
    grow_old(database, "a", age)
    with database.transaction() as connection:
        assert [each.server for each in servers.using(connection, "v1")] == (["a"] if counts else [])


def test_only_those_that_answer_with_a_version_use_it(database: Database, add_version: AddVersion) -> None:
    for _ in range(2):
        add_version()
    beat(database, "a", "v1", 1)
    beat(database, "b", "v2", 2)
    beat(database, "c")
    with database.transaction() as connection:
        assert [each.server for each in servers.using(connection, "v2")] == ["b"]


def test_a_server_that_stops_is_forgotten_and_no_other(database: Database) -> None:
    beat(database, "a")
    beat(database, "b")
    with database.transaction() as connection:
        servers.forget(connection, "a")
        servers.forget(connection, "never there")
    assert names(database) == ["b"]


def test_servers_silent_for_an_hour_are_forgotten_at_anybodys_beat(database: Database) -> None:
    for name, age in (("gone", "61 minutes"), ("silent", "59 minutes")):
        beat(database, name)
        grow_old(database, name, age)
    beat(database, "a")
    assert names(database) == ["a", "silent"]
