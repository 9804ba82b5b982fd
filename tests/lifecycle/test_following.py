"""Waiting for servers."""

import threading
import time
from collections.abc import Callable

import pytest

from lifecycle import following
from lifecycle.following import prepare_servers, stop_preparing, wait_for_servers
from lifecycle.progress import Silent
from lifecycle.workspace import Workspace
from registry import pointer, servers
from registry.database import Database
from registry.servers import Standing
from tests.support.random_vectors import make_live
from tests.support.trained_versions import with_two_versions


@pytest.fixture
def database(workspace: Workspace) -> Database:
    """v1 live, v2 ready."""
    return with_two_versions(workspace).database


def beat(database: Database, server: str, generation: int, *warm: str, problem: str | None = None) -> None:
    with database.transaction() as connection:
        servers.beat(connection, server, Standing("v1", generation, warm, problem))


def preparing(database: Database) -> str | None:
    with database.transaction() as connection:
        return pointer.read(connection).preparing


def later(act: Callable[[], None], seconds: float = 0.3) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


def test_without_servers_nobody_is_waited_for(database: Database) -> None:
    prepare_servers(database, "v2", Silent())
    assert preparing(database) == "v2"
    stop_preparing(database)
    assert preparing(database) is None


def test_servers_are_waited_for_until_all_hold_the_version(database: Database) -> None:
    beat(database, "a", 1, "v1", "v2")
    beat(database, "b", 1, "v1")
    timer = later(lambda: beat(database, "b", 1, "v1", "v2"))
    begun = time.monotonic()
    prepare_servers(database, "v2", Silent())
    assert 0.25 < time.monotonic() - begun < 10
    timer.join()


def test_a_server_that_cannot_is_not_waited_for(database: Database) -> None:
    beat(database, "a", 1, "v1", problem="v2 cannot be held ready: there is no memory.")
    begun = time.monotonic()
    prepare_servers(database, "v2", Silent())
    assert time.monotonic() - begun < 5


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_LONGEST_PREPARATION", 0.2)
    beat(database, "a", 1, "v1")
    prepare_servers(database, "v2", Silent())


def test_a_move_is_followed_when_every_server_has_its_generation(database: Database) -> None:
    beat(database, "a", 1)
    beat(database, "b", 1)
    make_live(database, "v2")
    with database.transaction() as connection:
        moved = pointer.read(connection)
    timers = [later(lambda: beat(database, "a", 2), 0.1), later(lambda: beat(database, "b", 3), 0.4)]
    followed = wait_for_servers(database, moved, time.monotonic())
    assert followed.stragglers == {}
    assert 0 <= followed.seconds["a"] < followed.seconds["b"] < 10
    for timer in timers:
        timer.join()


def test_stragglers_are_told_with_their_reasons(database: Database) -> None:
    beat(database, "a", 2)
    beat(database, "b", 1, problem="The artifact was changed.")
    make_live(database, "v2")
    with database.transaction() as connection:
        moved = pointer.read(connection)
    followed = wait_for_servers(database, moved, time.monotonic(), seconds=0.2)
    assert list(followed.seconds) == ["a"]
    assert followed.stragglers == {"b": "The artifact was changed."}
