"""Workers come and go, and die; what they leave is done by others."""

import os
import time
from typing import Any

import pytest

from lifecycle.progress import Silent
from lifecycle.reconcile import worker
from lifecycle.reconcile.operation import reconcile
from lifecycle.reconcile.worker import at_work, this_machine
from lifecycle.workspace import Workspace
from registry.database import Connection
from registry.errors import DatabaseUnavailable, Refused
from registry.stages import Stage
from registry.vectors import claims
from registry.vectors.claims import Crew, Kind, list_workers
from tests.lifecycle.reconcile.helpers import AddVersion, Doing, count, leave_behind, stage, vector_set

# Dying ----------------------------------------------------------------------------------------------------------------


def test_a_worker_killed_on_this_machine_keeps_nobody_from_finishing(
    served: Workspace, add_version: AddVersion, dead_process: int
) -> None:
    name = add_version()
    held = leave_behind(served, name, machine=this_machine(), process=dead_process)
    assert len(held) == 5
    begun = time.monotonic()
    assert reconcile(served, name, Silent()).embedded == 12
    assert time.monotonic() - begun < claims.LEASE_SECONDS / 2
    assert stage(served, name) is Stage.READY
    assert count(served, "embedding_claims") == 0


def test_one_that_fell_silent_elsewhere_keeps_the_others_only_until_its_lease_is_over(
    served: Workspace, add_version: AddVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = add_version()
    leave_behind(served, name, machine="elsewhere", process=1)
    monkeypatch.setattr(claims, "LEASE_SECONDS", 1.0)
    begun = time.monotonic()
    assert reconcile(served, name, Silent()).embedded == 12
    assert time.monotonic() - begun > 0.5
    assert stage(served, name) is Stage.READY


@pytest.mark.usefixtures("small_chunks")
def test_interrupted_it_gives_back_what_it_holds_and_goes_on_where_it_was(
    served: Workspace, add_version: AddVersion
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    name = add_version()
    with pytest.raises(KeyboardInterrupt):
        reconcile(served, name, Doing(interrupt))
    assert count(served, "embedding_workers") == 0
    assert count(served, "embedding_claims WHERE worker IS NOT NULL") == 0
    written = count(served, f"song_vectors_384_{name}")
    assert 0 < written < 12
    assert reconcile(served, name, Silent()).embedded == 12 - written
    assert stage(served, name) is Stage.READY


# A database that goes away --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_chunks")
def test_connections_that_break_in_the_middle_cost_nothing(served: Workspace, add_version: AddVersion) -> None:
    def break_all() -> None:
        with served.database.transaction() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    name = add_version()
    breaking = Doing(break_all)
    assert reconcile(served, name, breaking).embedded == 12
    assert breaking.done
    assert stage(served, name) is Stage.READY
    assert count(served, "song_vectors_384 WHERE model_version = 'v2'") == 12


@pytest.mark.parametrize("method", ["claim_songs", "claim_playlists", "claim_finish", "release"])
def test_a_commit_of_which_the_answer_is_lost_is_not_waited_for_for_ever(
    served: Workspace, add_version: AddVersion, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Any = getattr(Crew, method)
    lost: list[str] = []

    def lossy(self: Crew, connection: Connection, *arguments: object, **options: object) -> object:
        answer: object = real(self, connection, *arguments, **options)
        if not lost:
            lost.append(method)
            connection.commit()
            raise DatabaseUnavailable("The connection broke.")
        return answer

    monkeypatch.setattr(Crew, method, lossy)
    name = add_version()
    assert reconcile(served, name, Silent()).embedded == 12
    assert lost
    assert stage(served, name) is Stage.READY
    assert count(served, "embedding_claims") == 0


# A sign of life -------------------------------------------------------------------------------------------------------


def test_while_at_work_a_worker_gives_signs_of_life_with_what_it_has_done(
    served: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_BEAT_SECONDS", 0.05)
    done = [0, 0]
    with at_work(served.database, vector_set(served), lambda: (done[0], done[1])):
        done[:] = 7, 2
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with served.database.transaction() as connection:
                (standing,) = list_workers(connection)
            if standing.embedded:
                break
        assert (standing.version, standing.embedded, standing.quarantined) == ("v1", 7, 2)
        assert f":{os.getpid()}:" in standing.worker


@pytest.mark.parametrize("error", [Refused("No."), KeyboardInterrupt()])
def test_whatever_ends_it_a_worker_leaves(served: Workspace, error: BaseException) -> None:
    with pytest.raises(type(error)), at_work(served.database, vector_set(served), lambda: (0, 0)):
        assert count(served, "embedding_workers") == 1
        raise error
    assert count(served, "embedding_workers") == 0


def test_two_of_one_process_are_two_workers(served: Workspace) -> None:
    vectors = vector_set(served)
    with at_work(served.database, vectors, lambda: (0, 0)) as first:
        with at_work(served.database, vectors, lambda: (0, 0)) as second:
            assert first.worker != second.worker
            assert count(served, "embedding_workers") == 2
        assert count(served, "embedding_workers") == 1


def test_a_machine_calls_itself_the_same_each_time() -> None:
    assert this_machine() == this_machine() != ""


def test_claims_of_playlists_that_a_dead_worker_left_are_done(
    served: Workspace, add_version: AddVersion, dead_process: int
) -> None:
    name = add_version()
    vectors = vector_set(served, name)
    dead = Crew(vectors, worker="dead", machine=this_machine(), process=dead_process)
    with served.database.transaction() as connection:
        vectors.create(connection)
        dead.join(connection)
        dead.begin_round(connection, Kind.PLAYLISTS)
        assert dead.claim_playlists(connection, limit=2) is not None
    assert reconcile(served, name, Silent()).profiles == 3
    assert count(served, "embedding_claims") == 0
