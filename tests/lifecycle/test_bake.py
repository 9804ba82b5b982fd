"""The time after a promotion: what is found worse, and what is done about it."""

import threading
from typing import Any

import pytest

from lifecycle import bake as baking
from lifecycle.bake import Serving, judge, look
from lifecycle.progress import Silent
from lifecycle.settings import LifecycleSettings
from lifecycle.workspace import Workspace
from registry import pointer, traffic
from registry.traffic import Cell, Count, Served, bucket_of
from tests.support.random_vectors import add_songs, make_live, make_ready
from tests.support.trained_versions import register_base, register_trained

BY_ITSELF = LifecycleSettings(auto_rollback=True)


@pytest.fixture
def registry(workspace: Workspace) -> Workspace:
    """v2 live since a moment, after v1."""
    add_songs(workspace.database, 5)
    for name in (register_base(workspace), register_trained(workspace, "second").version):
        make_ready(workspace.database, name)
        make_live(workspace.database, name)
    return workspace


def serving(seconds: float = 0.01, requests: int = 2_000, failed: int = 0, said: tuple[int, int] = (0, 0)) -> Serving:
    return Serving(Served({"/match": {bucket_of(seconds): requests}}, failed), *said)


def breached(new: Serving, old: Serving) -> list[str]:
    return [check.name for check in judge(new, old) if check.breached]


def serve(workspace: Workspace, version: str, generation: int, *, failed: int) -> None:
    with workspace.database.transaction() as connection:
        traffic.add(connection, {Cell(generation, version, "/match", bucket_of(0.01)): Count(1_000, failed)})


def live(workspace: Workspace) -> str | None:
    with workspace.database.transaction() as connection:
        return pointer.read(connection).live


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (serving(), serving(), []),
        (serving(failed=60), serving(), ["failures"]),
        (serving(failed=60), serving(failed=60), []),
        (serving(failed=3), serving(), []),  # may be chance
        (serving(0.02), serving(0.01), ["p50"]),
        (serving(0.03), serving(0.01), ["p50", "p99"]),
        (serving(0.03, requests=150), serving(0.01), []),  # too few
        (serving(said=(60, 100)), serving(said=(10, 100)), ["rejections"]),
        (serving(said=(60, 100)), serving(), []),  # nothing to compare with
        (serving(said=(12, 100)), serving(said=(10, 100)), []),
        (Serving(Served(), 0, 0), Serving(Served(), 0, 0), []),
    ],
)
def test_what_is_worse_is_found(new: Serving, old: Serving, expected: list[str]) -> None:
    assert breached(new, old) == expected


def test_the_slowest_endpoint_counts() -> None:
    times: dict[str, Any] = {"/match": {bucket_of(0.01): 2_000}}
    old = Serving(Served({**times, "/embed": {bucket_of(0.01): 2_000}}), 0, 0)
    new = Serving(Served({**times, "/embed": {bucket_of(0.05): 2_000}}), 0, 0)
    checks = {check.name: check for check in judge(new, old)}
    assert checks["p50"].breached
    assert checks["p50"].figure.startswith("/embed")


def test_a_promotion_that_does_well_stays(registry: Workspace) -> None:
    serve(registry, "v1", 1, failed=0)
    serve(registry, "v2", 2, failed=0)
    found = look(registry, BY_ITSELF, Silent())
    assert (found.version, found.before, found.breaches, found.rolled_back) == ("v2", "v1", (), False)
    assert found.until is not None
    assert live(registry) == "v2"


def test_one_that_fails_more_is_rolled_back_by_itself_once(registry: Workspace) -> None:
    serve(registry, "v1", 1, failed=0)
    serve(registry, "v2", 2, failed=100)
    found = look(registry, BY_ITSELF, Silent())
    assert found.rolled_back
    assert live(registry) == "v1"
    with registry.database.transaction() as connection:
        (act,) = pointer.history(connection, limit=1)
    assert act.action == "rollback"
    assert act.reason == "bake: failures: 100 of 1000 requests failed, before 0 of 1000"
    again = look(registry, BY_ITSELF, Silent())
    assert (again.checks, again.rolled_back) == ((), False)


def test_unless_configured_it_is_only_told(registry: Workspace) -> None:
    serve(registry, "v1", 1, failed=0)
    serve(registry, "v2", 2, failed=100)
    found = look(registry, LifecycleSettings(), Silent())
    assert [check.name for check in found.breaches] == ["failures"]
    assert not found.rolled_back
    assert live(registry) == "v2"


def test_after_the_watch_nothing_is_done(registry: Workspace) -> None:
    serve(registry, "v1", 1, failed=0)
    serve(registry, "v2", 2, failed=100)
    with registry.database.transaction() as connection:
        connection.execute("UPDATE live_pointer SET moved_at = moved_at - interval '61 minutes'")
    assert look(registry, BY_ITSELF, Silent()).checks == ()
    assert live(registry) == "v2"
    longer = LifecycleSettings(auto_rollback=True, bake_minutes=120)
    assert look(registry, longer, Silent()).rolled_back


def test_the_watch_tells_what_changes_and_ends_when_told(registry: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baking, "LOOK_SECONDS", 0.05)
    stop = threading.Event()
    seen = []
    for found in baking.watch(registry, BY_ITSELF, Silent(), stop):
        seen.append((found.version, found.rolled_back))
        if len(seen) == 1:
            serve(registry, "v1", 1, failed=0)
            serve(registry, "v2", 2, failed=100)
        if len(seen) == 3:
            stop.set()
    assert seen == [("v2", False), ("v2", True), ("v1", False)]
