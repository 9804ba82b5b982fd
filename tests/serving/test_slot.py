"""The slot follows the live pointer, and holds on to what works."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from lifecycle.progress import Silent
from lifecycle.promotion import promote, roll_back
from lifecycle.workspace import Workspace
from registry import pointer
from registry.database import Database
from registry.errors import DatabaseUnavailable, DigestMismatch
from registry.versions import EmbedderSpec
from serving.encoder import Encoder
from serving.matcher import Answering
from serving.slot import VersionSlot


class Unloaded(Encoder):
    """An encoder that nothing is encoded with."""

    def __init__(self, spec: EmbedderSpec) -> None:
        self.spec = spec


class Loads:
    """Stands in for the loading of encoders: notes what is asked for, and fails as told."""

    def __init__(self) -> None:
        self.artifacts: list[str] = []
        self.failure: Exception | None = None

    def __call__(self, spec: EmbedderSpec) -> Encoder:
        self.artifacts.append(spec.artifact)
        if self.failure is not None:
            raise self.failure
        return Unloaded(spec)


@pytest.fixture
def loads() -> Loads:
    return Loads()


@pytest.fixture
def slot(trained: Workspace, loads: Loads) -> VersionSlot:
    """A slot that looks at the pointer when told to, not by itself."""
    return VersionSlot(trained.database, loads, poll_seconds=60)


@pytest.fixture
def watching(trained: Workspace, loads: Loads) -> Iterator[VersionSlot]:
    """A slot that follows by itself."""
    slot = VersionSlot(trained.database, loads, poll_seconds=0.02)
    slot.start()
    yield slot
    slot.stop()


def held(slot: VersionSlot) -> Answering:
    assert slot.answering is not None
    return slot.answering


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def make_live(workspace: Workspace, version: str) -> None:
    promote(workspace, version, Silent(), force=True, reason="a test")


def test_nothing_answers_before_a_version_is_live(database: Database, loads: Loads) -> None:
    slot = VersionSlot(database, loads, poll_seconds=60)
    slot.follow()
    assert (slot.answering, slot.problem, loads.artifacts) == (None, None, [])


def test_the_live_version_is_taken_with_all_its_playlists(slot: VersionSlot, trained: Workspace) -> None:
    slot.follow()
    with trained.database.transaction() as connection:
        present = pointer.read(connection)
        playlists = connection.execute("SELECT count(*) AS n FROM playlists").fetchone()
    assert held(slot).version.version == present.live == "v1"
    assert held(slot).generation == present.generation
    assert held(slot).encoder().spec == held(slot).version.spec.embedder
    assert playlists == {"n": len(held(slot).index.playlists)}


def test_looking_again_at_the_same_pointer_loads_nothing(slot: VersionSlot, loads: Loads) -> None:
    slot.follow()
    before = slot.answering
    slot.follow()
    assert slot.answering is before
    assert len(loads.artifacts) == 1


def test_a_promotion_is_followed_and_a_request_in_flight_keeps_its_version(
    slot: VersionSlot, trained: Workspace
) -> None:
    slot.follow()
    in_flight = held(slot)
    make_live(trained, "v2")
    slot.follow()
    assert held(slot).version.version == "v2"
    assert held(slot).generation == in_flight.generation + 1
    assert held(slot).encoder().spec == held(slot).version.spec.embedder
    assert in_flight.version.version == "v1"
    assert in_flight.encoder().spec == in_flight.version.spec.embedder


def test_a_rollback_needs_no_loading(slot: VersionSlot, trained: Workspace, loads: Loads) -> None:
    slot.follow()
    make_live(trained, "v2")
    slot.follow()
    roll_back(trained, Silent())
    slot.follow()
    assert held(slot).version.version == "v1"
    assert len(loads.artifacts) == len(set(loads.artifacts)) == 2


def test_what_cannot_be_loaded_leaves_the_old_version_and_is_told(
    slot: VersionSlot, trained: Workspace, loads: Loads
) -> None:
    slot.follow()
    make_live(trained, "v2")
    loads.failure = DigestMismatch("The artifact was changed.", "Restore it.")
    slot.follow()
    assert held(slot).version.version == "v1"
    assert slot.problem == "The artifact was changed. Restore it."
    loads.failure = None
    slot.follow()
    assert held(slot).version.version == "v2"
    assert slot.problem is None


def test_the_old_version_goes_on_while_the_database_is_away(
    slot: VersionSlot, trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot.follow()

    def away() -> None:
        raise DatabaseUnavailable("The database cannot be reached.")

    with monkeypatch.context() as patch:
        patch.setattr(trained.database, "transaction", away)
        slot.follow()
    assert held(slot).version.version == "v1"
    assert slot.problem == "The database cannot be reached."
    slot.follow()
    assert slot.problem is None


def test_a_changed_profile_is_read_again_without_loading_the_model(
    slot: VersionSlot, trained: Workspace, loads: Loads
) -> None:
    slot.follow()
    with trained.database.transaction() as connection:
        connection.execute(
            "UPDATE playlists SET name = 'Renamed' WHERE playlist_id = (SELECT min(playlist_id) FROM playlists)"
        )
        connection.execute("UPDATE vector_sets SET profiles_revision = profiles_revision + 1 WHERE version = 'v1'")
    slot.follow()
    assert "Renamed" in {playlist.name for playlist in held(slot).index.playlists}
    assert len(loads.artifacts) == 1


def test_a_watching_slot_follows_by_itself(watching: VersionSlot, trained: Workspace) -> None:
    assert held(watching).version.version == "v1"
    make_live(trained, "v2")
    assert eventually(lambda: held(watching).version.version == "v2")


def test_the_watch_outlives_whatever_a_library_throws(watching: VersionSlot, trained: Workspace, loads: Loads) -> None:
    loads.failure = RuntimeError("out of memory")
    make_live(trained, "v2")
    assert eventually(lambda: len(loads.artifacts) >= 3)
    assert held(watching).version.version == "v1"
    loads.failure = None
    assert eventually(lambda: held(watching).version.version == "v2")


def test_whatever_a_library_throws_is_told(watching: VersionSlot, trained: Workspace, loads: Loads) -> None:
    loads.failure = RuntimeError("out of memory")
    make_live(trained, "v2")
    assert eventually(lambda: len(loads.artifacts) >= 3)
    assert watching.problem is not None


@pytest.mark.parametrize(
    "failure", [MemoryError(), OSError(2, "No such file", "/srv/private"), RuntimeError("/srv/private")]
)
def test_an_unforeseen_error_is_told_once_without_what_it_holds(
    slot: VersionSlot, trained: Workspace, loads: Loads, caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    slot.follow()
    make_live(trained, "v2")
    loads.failure = failure
    caplog.clear()
    slot.follow()
    slot.follow()
    assert slot.problem is not None
    assert type(failure).__name__ in slot.problem
    assert "/srv" not in slot.problem
    assert len(caplog.records) == 1
    assert slot.database_reachable


def test_where_the_database_is_is_not_told(
    slot: VersionSlot, trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise DatabaseUnavailable("The database db.internal:5432 cannot be reached.", "Start db.internal.")

    slot.follow()
    assert slot.database_reachable
    with monkeypatch.context() as patch:
        patch.setattr(trained.database, "transaction", away)
        slot.follow()
    assert not slot.database_reachable
    assert slot.problem == "The database cannot be reached."
    slot.follow()
    assert slot.database_reachable


def test_a_look_that_waits_long_tells_that_the_database_is_away(
    slot: VersionSlot, trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot.follow()
    given_up = threading.Event()

    def hang() -> None:
        given_up.wait()
        raise DatabaseUnavailable("The database cannot be reached.")

    monkeypatch.setattr(trained.database, "transaction", hang)
    monkeypatch.setattr("serving.slot._PATIENCE_SECONDS", 0.1)
    looking = threading.Thread(target=slot.follow)
    looking.start()
    assert eventually(lambda: not slot.database_reachable)
    assert slot.problem == "The database cannot be reached."
    given_up.set()
    looking.join()
    assert not slot.database_reachable


def test_a_stopped_slot_follows_no_more(trained: Workspace, loads: Loads) -> None:
    slot = VersionSlot(trained.database, loads, poll_seconds=0.02)
    slot.start()
    slot.stop()
    make_live(trained, "v2")
    time.sleep(0.1)
    assert held(slot).version.version == "v1"
