"""The live pointer: one version is live, one of many moves at once wins, and the audit log tells it all."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import LiteralString

import pytest

from registry import pointer, versions
from registry.database import Database
from registry.errors import AutosortError, IllegalMove, NotFound, PointerMoved, Refused
from registry.pointer import Pointer
from registry.stages import Stage
from registry.versions import ModelVersion

AddVersion = Callable[..., ModelVersion]


def test_at_first_nothing_is_live(database: Database) -> None:
    with database.transaction() as connection:
        present = pointer.read(connection)
        assert pointer.last_move(connection) is None
        assert pointer.history(connection) == []
    nothing = dict.fromkeys(("live", "previous", "candidate", "preparing", "moved_at", "age"))
    assert present == Pointer(generation=0, **nothing)


def test_a_move_makes_a_version_live_and_keeps_the_one_before(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 2)
    first = _move(database, "v1")
    second = _move(database, "v2")
    assert (first.generation, first.live, first.previous) == (1, "v1", None)
    assert (second.generation, second.live, second.previous) == (2, "v2", "v1")
    assert _stages(database) == {"v1": Stage.RETAINED, "v2": Stage.LIVE}


def test_the_pointer_goes_back_and_forth(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 2)
    for name in ("v1", "v2", "v1", "v2"):
        moved = _move(database, name)
    assert (moved.generation, moved.live, moved.previous) == (4, "v2", "v1")
    assert _stages(database) == {"v1": Stage.RETAINED, "v2": Stage.LIVE}


def test_the_pointer_knows_how_long_ago_it_moved(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 1)
    _move(database, "v1")
    with database.transaction() as connection:
        first, later = pointer.read(connection), pointer.read(connection)
    assert first.age is not None
    assert later.age is not None
    assert timedelta(0) <= first.age < later.age < timedelta(minutes=1)
    assert first.moved_at == later.moved_at


def test_a_move_and_its_audit_row_agree(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 2)
    _move(database, "v1")
    with database.transaction() as connection:
        after = pointer.move(
            connection,
            "v2",
            expected=pointer.read(connection),
            action="promote",
            actor="ada@machine",
            reason="better",
            evidence={"mrr": 0.65, "reasons": ["a", "b"]},
        )
    with database.transaction() as connection:
        entry = pointer.history(connection)[0]
        assert pointer.last_move(connection) == entry
    assert (entry.version, entry.from_version, entry.generation) == (after.live, after.previous, after.generation)
    assert (entry.actor, entry.action, entry.reason) == ("ada@machine", "promote", "better")
    assert entry.evidence == {"mrr": 0.65, "reasons": ["a", "b"]}


def test_of_eight_that_promote_at_once_one_wins_and_the_others_are_told(
    database: Database, add_version: AddVersion
) -> None:
    _add_ready(add_version, 9)
    _move(database, "v9")
    expected, before = _read(database), len(_moves(database))
    barrier, told = Barrier(8), list[str]()

    def promote(name: str) -> str | None:
        barrier.wait(timeout=10)
        try:
            with database.transaction() as connection:
                pointer.move(connection, name, expected=expected, action="promote", actor=name)
        except PointerMoved as refused:
            told.append(refused.fact)
            return None
        return name

    with ThreadPoolExecutor(8) as pool:
        winners = [name for name in pool.map(promote, [f"v{number}" for number in range(1, 9)]) if name]
    assert len(winners) == 1
    assert len(told) == 7
    assert all(f"{winners[0]} became live at generation {expected.generation + 1}" in fact for fact in told)
    after, stages = _read(database), _stages(database)
    assert (after.live, after.previous, after.generation) == (winners[0], "v9", expected.generation + 1)
    assert [name for name, stage in stages.items() if stage is Stage.LIVE] == winners
    assert [name for name, stage in stages.items() if stage is Stage.RETAINED] == ["v9"]
    assert len(_moves(database)) == before + 1
    assert _moves(database)[0].actor == winners[0]


def test_of_eight_that_promote_one_version_at_once_one_wins(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 1)
    expected, barrier = _read(database), Barrier(8)

    def promote(_: int) -> bool:
        barrier.wait(timeout=10)
        try:
            with database.transaction() as connection:
                pointer.move(connection, "v1", expected=expected, action="promote", actor="tester")
        except PointerMoved:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(promote, range(8))) == 1
    assert (_read(database).live, _read(database).generation) == ("v1", 1)


def test_a_decision_on_an_old_pointer_moves_nothing(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 3)
    old = _read(database)
    _move(database, "v1")
    present, log = _read(database), _moves(database)
    with pytest.raises(PointerMoved) as refused, database.transaction() as connection:
        pointer.move(connection, "v2", expected=old, action="promote", actor="late")
    assert "v1" in refused.value.fact
    assert "autosort history" in refused.value.remedy
    assert (_read(database).generation, _read(database).live, _moves(database)) == (1, present.live, log)
    assert _stages(database)["v2"] is Stage.READY


@pytest.mark.parametrize("stage", [Stage.REGISTERED, Stage.EMBEDDING, Stage.REJECTED])
def test_a_version_that_is_not_ready_does_not_become_live_and_nothing_is_moved(
    database: Database, add_version: AddVersion, stage: Stage
) -> None:
    _add_ready(add_version, 1)
    _move(database, "v1")
    add_version(stage=stage)
    with pytest.raises(IllegalMove):
        _move(database, "v2")
    assert (_read(database).live, _read(database).generation) == ("v1", 1)
    assert _stages(database) == {"v1": Stage.LIVE, "v2": stage}
    assert len(_moves(database)) == 1


def test_a_version_that_does_not_exist_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound):
        _move(database, "v1")


def test_the_live_version_is_not_moved_to_itself(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 1)
    _move(database, "v1")
    with pytest.raises(IllegalMove):
        _move(database, "v1")


@pytest.mark.parametrize("name", ["v1", "v7"])
def test_whatever_a_move_cannot_do_leaves_pointer_and_log_as_they_were(
    database: Database, add_version: AddVersion, name: str
) -> None:
    _add_ready(add_version, 1)
    _move(database, "v1")
    with pytest.raises(AutosortError):
        _move(database, name)
    assert (_read(database).live, _read(database).generation, len(_moves(database))) == ("v1", 1, 1)


def test_a_transaction_that_fails_after_the_move_takes_all_of_it_back(
    database: Database, add_version: AddVersion
) -> None:
    _add_ready(add_version, 2)
    _move(database, "v1")
    log = _moves(database)
    with pytest.raises(RuntimeError), database.transaction() as connection:
        expected = pointer.read(connection)
        moved = pointer.move(connection, "v2", expected=expected, action="promote", actor="tester")
        assert moved.live == "v2"
        raise RuntimeError
    assert (_read(database).live, _read(database).generation, _read(database).previous) == ("v1", 1, None)
    assert _stages(database) == {"v1": Stage.LIVE, "v2": Stage.READY}
    assert _moves(database) == log


def test_an_unknown_action_is_refused_by_postgres_with_the_move(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 1)
    with pytest.raises(AutosortError), database.transaction() as connection:
        pointer.move(connection, "v1", expected=pointer.read(connection), action="nudge", actor="tester")
    assert (_read(database).live, _read(database).generation) == (None, 0)


def test_a_locked_pointer_keeps_still_until_the_transaction_ends(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 2)
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            expected = pointer.lock(connection)
            late = pool.submit(_move_expecting, database, "v2", expected)
            with pytest.raises(TimeoutError):
                late.result(timeout=0.2)
            pointer.move(connection, "v1", expected=expected, action="promote", actor="first")
        with pytest.raises(PointerMoved):
            late.result(timeout=10)
    assert _read(database).live == "v1"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET reason = 'none of your business'",
        "DELETE FROM audit_log WHERE action = 'promote'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "TRUNCATE live_pointer, model_versions CASCADE",
    ],
)
def test_postgres_itself_keeps_the_audit_log(
    database: Database, add_version: AddVersion, statement: LiteralString
) -> None:
    _add_ready(add_version, 1)
    _move(database, "v1")
    log = _moves(database)
    with pytest.raises(Refused), database.transaction() as connection:
        connection.execute(statement)
    assert _moves(database) == log


def test_postgres_itself_allows_one_live_version_and_one_pointer(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 2)
    _move(database, "v1")
    with pytest.raises(Refused), database.transaction() as connection:
        connection.execute("UPDATE model_versions SET stage = 'live' WHERE version = 'v2'")
    for statement in (
        "INSERT INTO live_pointer DEFAULT VALUES",
        "INSERT INTO live_pointer (only_row) VALUES (false)",
        "UPDATE live_pointer SET previous_version = live_version",
        "UPDATE live_pointer SET live_version = 'v9'",
    ):
        with pytest.raises(AutosortError), database.transaction() as connection:
            connection.execute(statement)
    assert _stages(database) == {"v1": Stage.LIVE, "v2": Stage.READY}


def test_a_candidate_is_named_until_it_is_live_or_unnamed(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 3)
    _set_candidate(database, "v2")
    assert (_read(database).candidate, _read(database).generation) == ("v2", 0)
    assert _move(database, "v1").candidate == "v2"
    assert _move(database, "v2").candidate is None
    _set_candidate(database, "v3")
    _set_candidate(database, None)
    assert _read(database).candidate is None


def test_the_history_is_newest_first_and_no_longer_than_asked(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 2)
    _move(database, "v1")
    _move(database, "v2")
    with database.transaction() as connection:
        pointer.audit(connection, "retire", "v1", actor="ada", reason="old", evidence={"mb": 12})
        acts = [(entry.action, entry.version) for entry in pointer.history(connection)]
        assert acts == [
            ("retire", "v1"),
            ("promote", "v2"),
            ("promote", "v1"),
            ("register", "v2"),
            ("register", "v1"),
        ]
        assert len(pointer.history(connection, limit=2)) == 2
        retired = pointer.history(connection, limit=1)[0]
    assert (retired.actor, retired.reason, retired.evidence, retired.generation) == ("ada", "old", {"mb": 12}, 2)


def test_an_act_that_moves_nothing_is_not_the_last_move(database: Database, add_version: AddVersion) -> None:
    _add_ready(add_version, 2)
    _move(database, "v1")
    with database.transaction() as connection:
        pointer.audit(connection, "reject", "v2", actor="ada")
        last = pointer.last_move(connection)
    assert last is not None
    assert (last.action, last.version) == ("promote", "v1")


def _add_ready(add_version: AddVersion, count: int) -> None:
    for _ in range(count):
        add_version(stage=Stage.READY)


def _move(database: Database, name: str) -> Pointer:
    return _move_expecting(database, name, _read(database))


def _move_expecting(database: Database, name: str, expected: Pointer) -> Pointer:
    with database.transaction() as connection:
        return pointer.move(connection, name, expected=expected, action="promote", actor="tester")


def _set_candidate(database: Database, name: str | None) -> None:
    with database.transaction() as connection:
        pointer.set_candidate(connection, name)


def _read(database: Database) -> Pointer:
    with database.transaction() as connection:
        return pointer.read(connection)


def _moves(database: Database) -> list[pointer.AuditEntry]:
    with database.transaction() as connection:
        return [entry for entry in pointer.history(connection) if entry.action in {"promote", "rollback"}]


def _stages(database: Database) -> dict[str, Stage]:
    with database.transaction() as connection:
        return {each.version: each.stage for each in versions.list_all(connection)}
