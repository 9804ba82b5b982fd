"""Work far away, on record."""

import pytest

from registry import remote_work
from registry.database import Database
from registry.errors import Refused
from registry.remote_work import RemoteKind, RemoteState, RemoteWork


def asked(database: Database, key: str = "recipe") -> RemoteWork:
    with database.transaction() as connection:
        return remote_work.ask(connection, RemoteKind.TRAINING, key, {"run": key}, actor="test")


def test_the_same_work_is_asked_for_once(database: Database) -> None:
    first, other = asked(database), asked(database, "another")
    assert (first.state, first.call_id, first.attempts) == (RemoteState.QUEUED, None, 0)
    assert first.work_id != other.work_id
    with database.transaction() as connection:
        remote_work.began(connection, first.work_id, "fc-1")
    again = asked(database)
    assert (again.work_id, again.state, again.call_id) == (first.work_id, RemoteState.RUNNING, "fc-1")
    with database.transaction() as connection:
        remote_work.close(connection, first.work_id, RemoteState.DONE)
    assert asked(database).work_id not in {first.work_id, other.work_id}


def test_what_is_put_off_waits_longer_each_time_and_keeps_its_call(database: Database) -> None:
    work = asked(database)
    waits = []
    with database.transaction() as connection:
        remote_work.began(connection, work.work_id, "fc-1")
        for _ in range(14):
            later = remote_work.put_off(connection, work.work_id, "away")
            waits.append((later.due_at - later.changed_at).total_seconds())
    assert waits[:3] == pytest.approx([15, 30, 60], abs=0.1)
    assert waits[-1] == pytest.approx(3600, abs=0.1)
    assert (later.state, later.call_id, later.attempts, later.reason) == (RemoteState.RUNNING, "fc-1", 14, "away")


def test_due_is_only_what_was_put_off_and_has_waited(database: Database) -> None:
    work = asked(database)
    asked(database, "fresh")

    def due() -> list[str]:
        with database.transaction() as connection:
            return [each.key for each in remote_work.list_due(connection)]

    assert due() == []
    with database.transaction() as connection:
        remote_work.put_off(connection, work.work_id, "away")
    assert due() == []
    with database.transaction() as connection:
        connection.execute("UPDATE remote_work SET due_at = now() - interval '1 second'")
    assert due() == ["recipe"]
    with database.transaction() as connection:
        remote_work.close(connection, work.work_id, RemoteState.FAILED, "it failed")
        assert [each.key for each in remote_work.list_open(connection)] == ["fresh"]
    assert due() == []


def test_what_is_over_stays_as_it_is(database: Database) -> None:
    work = asked(database)
    with database.transaction() as connection:
        remote_work.close(connection, work.work_id, RemoteState.DONE)
    with pytest.raises(Refused, match="is over"), database.transaction() as connection:
        remote_work.began(connection, work.work_id, "fc-2")
    with pytest.raises(Refused, match="is over"), database.transaction() as connection:
        remote_work.put_off(connection, work.work_id, "away")
