"""What a server says of itself, whatever becomes of the database or of the model it is to load."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from lifecycle.workspace import Workspace
from registry import pointer, servers, traffic
from registry.errors import DatabaseUnavailable, DigestMismatch
from registry.servers import Server
from registry.versions import EmbedderSpec
from serving.inference.encoder import Encoder
from serving.versions import heartbeat
from serving.versions.heartbeat import Heartbeat
from serving.versions.slot import VersionSlot
from serving.versions.traffic import Traffic
from tests.support.random_vectors import make_live
from tests.support.trained_versions import with_two_versions


class Unloaded(Encoder):
    """An encoder that nothing is encoded with."""

    def __init__(self, spec: EmbedderSpec) -> None:
        self.spec = spec


class Loads:
    """Stands in for the loading of encoders: waits, or fails, as told."""

    def __init__(self) -> None:
        self.allowed = threading.Event()
        self.allowed.set()
        self.failure: Exception | None = None

    def __call__(self, spec: EmbedderSpec) -> Encoder:
        self.allowed.wait(timeout=30)
        if self.failure is not None:
            raise self.failure
        return Unloaded(spec)


@pytest.fixture
def loads() -> Loads:
    return Loads()


@pytest.fixture
def registry(workspace: Workspace) -> Workspace:
    """v1 and v2 ready, v1 live."""
    return with_two_versions(workspace)


class Told:
    """A slot whose standing a heartbeat tells."""

    def __init__(self, workspace: Workspace, loads: Loads, *, poll_seconds: float) -> None:
        self.traffic = Traffic()
        self.heartbeat = Heartbeat(workspace.database, self.traffic, lambda: self.slot.report())  # noqa: PLW0108
        self.slot = VersionSlot(workspace.database, loads, poll_seconds=poll_seconds, on_change=self.heartbeat.changed)

    def start(self) -> None:
        self.heartbeat.start()
        self.slot.start()

    def stop(self) -> None:
        self.slot.stop()
        self.heartbeat.stop()


@pytest.fixture
def told(registry: Workspace, loads: Loads) -> Iterator[Told]:
    """A slot that follows by itself, and its heartbeat."""
    told = Told(registry, loads, poll_seconds=0.02)
    told.start()
    yield told
    loads.allowed.set()
    told.stop()


@pytest.fixture
def slot(told: Told) -> VersionSlot:
    return told.slot


@pytest.fixture
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what changes makes the heart beat."""
    monkeypatch.setattr(heartbeat, "_BEAT_SECONDS", 60.0)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "_BEAT_SECONDS", 0.05)


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def alive(workspace: Workspace) -> list[Server]:
    with workspace.database.transaction() as connection:
        return servers.list_alive(connection)


def said(workspace: Workspace) -> list[tuple[str | None, int | None]]:
    return [(each.version, each.generation) for each in alive(workspace)]


def answers(slot: VersionSlot) -> str | None:
    return slot.answering.version.version if slot.answering else None


def rename(workspace: Workspace, old: str, new: str) -> None:
    """Make the heartbeats' table unusable, or usable again."""
    with workspace.database.transaction() as connection:
        connection.execute(f"ALTER TABLE {old} RENAME TO {new}")


@pytest.mark.usefixtures("seldom", "slot")
def test_what_a_server_answers_with_is_said_as_soon_as_it_changes(registry: Workspace) -> None:
    assert eventually(lambda: said(registry) == [("v1", 1)])
    make_live(registry.database, "v2")
    assert eventually(lambda: said(registry) == [("v2", 2)])
    make_live(registry.database, "v1")
    assert eventually(lambda: said(registry) == [("v1", 3)])


def test_a_server_that_has_nothing_to_answer_with_is_seen(workspace: Workspace, loads: Loads) -> None:
    idle = Told(workspace, loads, poll_seconds=60)
    idle.start()
    assert eventually(lambda: said(workspace) == [(None, None)])
    idle.stop()


@pytest.mark.usefixtures("often", "slot")
def test_the_heart_goes_on_beating(registry: Workspace) -> None:
    assert eventually(lambda: said(registry) == [("v1", 1)])
    (before,) = alive(registry)
    assert eventually(lambda: alive(registry)[0].seen_at > before.seen_at)


@pytest.mark.usefixtures("often")
def test_it_beats_while_a_model_is_being_loaded(slot: VersionSlot, registry: Workspace, loads: Loads) -> None:
    assert eventually(lambda: said(registry) == [("v1", 1)])
    loads.allowed.clear()
    make_live(registry.database, "v2")
    time.sleep(0.3)
    (before,) = alive(registry)
    assert eventually(lambda: alive(registry)[0].seen_at > before.seen_at)
    assert (said(registry), answers(slot)) == ([("v1", 1)], "v1")


@pytest.mark.usefixtures("often")
def test_a_server_that_cannot_follow_says_what_it_answers_with(
    slot: VersionSlot, registry: Workspace, loads: Loads
) -> None:
    assert eventually(lambda: said(registry) == [("v1", 1)])
    loads.failure = DigestMismatch("The artifact was changed.", "Restore it.")
    make_live(registry.database, "v2")
    assert eventually(lambda: slot.problem is not None)
    assert eventually(lambda: [each.problem for each in alive(registry)] == ["The artifact was changed. Restore it."])
    assert said(registry) == [("v1", 1)]
    assert [each.warm for each in alive(registry)] == [("v1",)]


@pytest.mark.usefixtures("seldom", "slot")
def test_what_a_server_holds_ready_is_said_as_soon_as_it_is(registry: Workspace) -> None:
    assert eventually(lambda: said(registry) == [("v1", 1)])
    with registry.database.transaction() as connection:
        pointer.set_candidate(connection, "v2")
    assert eventually(lambda: [each.warm for each in alive(registry)] == [("v1", "v2")])


@pytest.mark.usefixtures("often")
def test_what_was_served_is_told_once_also_if_the_database_was_away(
    told: Told, registry: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise DatabaseUnavailable("The database cannot be reached.")

    with monkeypatch.context() as patch:
        patch.setattr(registry.database, "transaction", away)
        told.traffic.note("v1", 1, "/match", 0.01, failed=False)
        time.sleep(0.2)
    told.traffic.note("v1", 1, "/match", 0.01, failed=True)

    def served() -> tuple[int, int]:
        with registry.database.transaction() as connection:
            found = traffic.read(connection, "v1", 1)
        return found.requests, found.failed

    assert eventually(lambda: served() == (2, 1))
    time.sleep(0.2)
    assert served() == (2, 1)


def test_two_servers_of_one_machine_are_two(slot: VersionSlot, registry: Workspace, loads: Loads) -> None:
    other = Told(registry, loads, poll_seconds=60)
    other.start()
    assert eventually(lambda: said(registry) == [("v1", 1), ("v1", 1)])
    other.stop()
    assert eventually(lambda: said(registry) == [("v1", 1)])
    assert answers(slot) == "v1"


def test_a_server_that_stops_takes_itself_off_the_list(registry: Workspace, loads: Loads) -> None:
    stopped = Told(registry, loads, poll_seconds=0.02)
    stopped.start()
    assert eventually(lambda: said(registry) == [("v1", 1)])
    stopped.stop()
    assert said(registry) == []
    time.sleep(0.1)
    assert said(registry) == []


@pytest.mark.usefixtures("often")
def test_heartbeats_that_cannot_be_written_disturb_nothing_and_are_told_once(
    slot: VersionSlot, registry: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    rename(registry, "servers", "gone")
    make_live(registry.database, "v2")
    assert eventually(lambda: answers(slot) == "v2")
    assert slot.problem is None
    time.sleep(0.3)
    assert [each.levelname for each in caplog.records if "heartbeat" in each.message] == ["WARNING"]
    rename(registry, "gone", "servers")
    assert eventually(lambda: said(registry) == [("v2", 2)])


@pytest.mark.usefixtures("often")
def test_a_server_stops_at_once_though_the_database_is_away(
    registry: Workspace, loads: Loads, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stopped = Told(registry, loads, poll_seconds=60)
    stopped.start()
    assert eventually(lambda: said(registry) == [("v1", 1)])
    asked: list[float] = []

    def away() -> None:
        asked.append(time.monotonic())
        raise DatabaseUnavailable("The database cannot be reached.")

    with monkeypatch.context() as patch:
        patch.setattr(registry.database, "transaction", away)
        assert eventually(lambda: "heartbeat" in caplog.text)
        patch.setattr(heartbeat, "_BEAT_SECONDS", 60.0)
        time.sleep(0.2)
        before = len(asked)
        stopped.stop()
    assert len(asked) == before  # it does not wait for the database once more
