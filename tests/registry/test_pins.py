"""Pins keep versions, and say who wants them kept and why."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from registry import pins, pointer, versions
from registry.database import Database
from registry.errors import BadInput, NotFound, Refused
from registry.pins import Pin
from registry.stages import Stage
from registry.versions import ModelVersion

AddVersion = Callable[..., ModelVersion]


def pin(database: Database, version: str, reason: str, actor: str = "ada") -> None:
    with database.transaction() as connection:
        pins.pin(connection, version, actor=actor, reason=reason)


def unpin(database: Database, version: str) -> bool:
    with database.transaction() as connection:
        return pins.unpin(connection, version, actor="eve", reason="done")


def found(database: Database, version: str = "v1") -> Pin | None:
    with database.transaction() as connection:
        return pins.find(connection, version)


def acts(database: Database) -> list[tuple[str, str, str, str | None]]:
    """Who did what, newest first, but for the registrations."""
    with database.transaction() as connection:
        entries = pointer.history(connection)
    return [(each.action, each.version, each.actor, each.reason) for each in entries if each.action != "register"]


def test_a_pin_says_who_when_and_why_and_is_audited(database: Database, add_version: AddVersion) -> None:
    add_version()
    assert found(database) is None
    pin(database, "v1", "the audit of May")
    kept = found(database)
    assert kept is not None
    assert (kept.version, kept.actor, kept.reason) == ("v1", "ada", "the audit of May")
    with database.transaction() as connection:
        row = connection.execute("SELECT now() - %s < interval '1 minute' AS fresh", [kept.pinned_at]).fetchone()
    assert row == {"fresh": True}
    assert acts(database) == [("pin", "v1", "ada", "the audit of May")]


def test_pinning_again_replaces_who_when_and_why(database: Database, add_version: AddVersion) -> None:
    add_version()
    pin(database, "v1", "the audit of May")
    before = found(database)
    pin(database, "v1", "the audit of June", actor="eve")
    after = found(database)
    assert before is not None
    assert after is not None
    assert (after.actor, after.reason) == ("eve", "the audit of June")
    assert after.pinned_at > before.pinned_at
    assert [each[0] for each in acts(database)] == ["pin", "pin"]


def test_all_pins_come_by_version(database: Database, add_version: AddVersion) -> None:
    for _ in range(3):
        add_version()
    pin(database, "v1", "one")
    pin(database, "v3", "three")
    with database.transaction() as connection:
        assert {name: each.reason for name, each in pins.list_all(connection).items()} == {"v1": "one", "v3": "three"}


def test_unpinning_is_audited_and_says_whether_anything_was_pinned(database: Database, add_version: AddVersion) -> None:
    add_version()
    pin(database, "v1", "the audit of May")
    assert unpin(database, "v1")
    assert found(database) is None
    assert not unpin(database, "v1")
    assert acts(database) == [("unpin", "v1", "eve", "done"), ("pin", "v1", "ada", "the audit of May")]


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_pin_without_a_reason_is_refused(database: Database, add_version: AddVersion, reason: str) -> None:
    add_version()
    with pytest.raises(BadInput, match="--reason"):
        pin(database, "v1", reason)
    assert found(database) is None


def test_a_version_that_was_given_up_cannot_be_pinned(database: Database, add_version: AddVersion) -> None:
    add_version(stage=Stage.REJECTED)
    with pytest.raises(Refused, match="rejected"):
        pin(database, "v1", "too late")
    assert (found(database), acts(database)) == (None, [])


def test_a_version_that_does_not_exist_is_named(database: Database) -> None:
    with pytest.raises(NotFound, match="v7"):
        pin(database, "v7", "why not")
    with pytest.raises(NotFound, match="v7"):
        unpin(database, "v7")


def test_a_pin_that_is_rolled_back_leaves_neither_pin_nor_act(database: Database, add_version: AddVersion) -> None:
    add_version()
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        pins.pin(connection, "v1", actor="ada", reason="why")
        _ = 1 / 0
    assert (found(database), acts(database)) == (None, [])


def test_whoever_pins_waits_for_whoever_gives_the_version_up(database: Database, add_version: AddVersion) -> None:
    """A pin and the end of a version never both hold, whichever is first."""
    add_version()
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as retiring:
            pointer.lock(retiring)
            versions.move(retiring, "v1", Stage.REJECTED)
            pinning = pool.submit(pin, database, "v1", "why")
            time.sleep(0.5)
            assert not pinning.done()
        with pytest.raises(Refused, match="rejected"):
            pinning.result(timeout=10)
    assert found(database) is None
