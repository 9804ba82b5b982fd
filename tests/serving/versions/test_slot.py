"""The slot follows the live pointer, and holds on to what works."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from lifecycle.progress import Silent
from lifecycle.promotion import promote
from lifecycle.rollback import roll_back
from lifecycle.workspace import Workspace
from registry import parallel_runs, pointer, versions
from registry.database import Database
from registry.errors import DatabaseUnavailable, DigestMismatch, NotFound, Refused
from registry.parallel_runs import Kind
from registry.stages import Stage
from registry.versions import EmbedderSpec
from serving.inference.encoder import Encoder
from serving.inference.lazily import Lazily
from serving.inference.reranker import PairReader
from serving.matching.matcher import Answering
from serving.matching.signals.names import PAYING_SIGNALS, TIERS
from serving.settings import ALL_TIERS, Tier
from serving.versions.slot import VersionSlot
from tests.support.random_vectors import add_songs, make_ready
from tests.support.trained_versions import register_base


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
    """A slot that follows by itself; nothing is held ready but what is live."""
    name_candidate(trained, None)
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


def name_candidate(workspace: Workspace, name: str | None) -> None:
    with workspace.database.transaction() as connection:
        pointer.set_candidate(connection, name)


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


def test_tiers_that_are_switched_off_are_not_matched_by_nor_reranked_by(trained: Workspace, loads: Loads) -> None:
    reranker: Lazily[PairReader] = Lazily("The reranker", lambda: pytest.fail("nobody asked for it"))
    told: list[tuple[Tier, ...]] = [("metadata", "audio"), ("vectors", "deep"), ALL_TIERS]
    found = []
    for tiers in told:
        slot = VersionSlot(trained.database, loads, poll_seconds=60, reranker_of=lambda _: reranker, tiers=tiers)
        slot.follow()
        found.append((set(held(slot).index.signals), held(slot).reranker))
    metadata, vectors, sound = ({*TIERS[tier]} & {*PAYING_SIGNALS} for tier in ("metadata", "vectors", "audio"))
    assert found == [(metadata | sound, None), (vectors, reranker), (metadata | vectors | sound, reranker)]


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
        connection.execute(
            "UPDATE playlist_vectors_384 AS profile SET revision = playlists.revision FROM playlists"
            " WHERE playlists.playlist_id = profile.playlist_id AND model_version = 'v1'"
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
    monkeypatch.setattr("serving.versions.slot._PATIENCE_SECONDS", 0.1)
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


# What may answer soon -------------------------------------------------------------------------------------------------


def start_run(workspace: Workspace) -> None:
    with workspace.database.transaction() as connection:
        parallel_runs.start(connection, Kind.LIVE, "v2", "v1", sample=1.0, canary=0.0, actor="tester")


def test_the_candidate_is_held_ready_so_that_its_promotion_loads_nothing(
    slot: VersionSlot, trained: Workspace, loads: Loads
) -> None:
    slot.follow()
    slot.prepare()
    assert slot.report().warm == ("v1", "v2")
    assert len(loads.artifacts) == 2
    loads.failure = RuntimeError("nothing is to be loaded any more")
    make_live(trained, "v2")
    slot.follow()
    assert held(slot).version.version == "v2"


def test_the_first_version_is_held_ready_before_it_is_live(workspace: Workspace, loads: Loads) -> None:
    slot = VersionSlot(workspace.database, loads, poll_seconds=60)
    add_songs(workspace.database, 5)
    make_ready(workspace.database, register_base(workspace))
    with workspace.database.transaction() as connection:
        pointer.set_preparing(connection, "v1")
    slot.follow()
    slot.prepare()
    assert (slot.answering, slot.report().warm) == (None, ("v1",))


def test_the_version_before_stays_ready(slot: VersionSlot, trained: Workspace, loads: Loads) -> None:
    make_live(trained, "v2")
    slot.follow()
    slot.prepare()
    loads.failure = RuntimeError("nothing is to be loaded any more")
    roll_back(trained, Silent())
    slot.follow()
    assert held(slot).version.version == "v1"


def test_what_is_wanted_no_more_is_let_go_and_answers_on_their_way_keep_theirs(
    slot: VersionSlot, trained: Workspace
) -> None:
    slot.follow()
    slot.prepare()
    in_flight = slot.pinned("v2")
    slot._pinned.clear()
    name_candidate(trained, None)
    slot.follow()
    slot.prepare()
    assert slot.report().warm == ("v1",)
    assert in_flight.encoder().spec == in_flight.version.spec.embedder


def test_a_candidate_that_cannot_be_held_is_told_and_tried_again_later(
    slot: VersionSlot, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot.follow()
    loads.failure = DigestMismatch("The artifact was changed.", "Restore it.")
    slot.prepare()
    assert slot.report().problem == "v2 cannot be held ready: The artifact was changed. Restore it."
    assert slot.problem is None  # the live version is followed
    loads.failure = None
    slot.prepare()
    assert slot.report().warm == ("v1",)  # not at once: verifying takes time
    monkeypatch.setattr("serving.versions.preparation._AGAIN_SECONDS", 0.0)
    slot.prepare()
    assert slot.report().warm == ("v1", "v2")
    assert slot.report().problem is None


def test_without_memory_only_the_live_version_is_held(trained: Workspace, loads: Loads) -> None:
    slot = VersionSlot(trained.database, loads, poll_seconds=60, can_hold=lambda _: False)
    slot.follow()
    slot.prepare()
    assert slot.report().warm == ("v1",)
    assert "There is no memory for v2" in str(slot.report().problem)
    with pytest.raises(Refused, match="no memory for v2"):
        slot.pinned("v2")
    make_live(trained, "v2")
    slot.follow()
    assert held(slot).version.version == "v2"


def test_a_request_may_name_any_version_that_can_serve(slot: VersionSlot, trained: Workspace) -> None:
    slot.follow()
    assert slot.pinned("v1") is slot.answering
    answering = slot.pinned("v2")
    assert (answering.version.version, answering.generation) == ("v2", held(slot).generation)
    with pytest.raises(NotFound):
        slot.pinned("v9")
    with trained.database.transaction() as connection:
        versions.move(connection, "v2", Stage.REJECTED)
    slot.follow()
    slot.prepare()
    with pytest.raises(Refused, match="v2 is rejected"):
        slot.pinned("v2")


def test_a_version_that_requests_name_stays_ready(slot: VersionSlot, trained: Workspace, loads: Loads) -> None:
    name_candidate(trained, None)
    slot.follow()
    slot.pinned("v2")
    slot.follow()
    slot.prepare()
    slot.pinned("v2")
    assert len(loads.artifacts) == 2


def taken_part(slot: VersionSlot) -> list[str]:
    """The candidate of the run that is taken part in."""
    standing = slot.standing
    return [standing.candidate.version.version] if standing.run and standing.candidate else []


def test_a_run_is_taken_part_in_once_its_candidate_is_ready(slot: VersionSlot, trained: Workspace) -> None:
    start_run(trained)
    slot.follow()
    assert not taken_part(slot)
    slot.prepare()
    slot.follow()
    assert taken_part(slot) == ["v2"]
    make_live(trained, "v2")
    slot.follow()
    assert not taken_part(slot)
