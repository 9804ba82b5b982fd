"""Watching keeps every version up to the catalogue, through changes, outages and versions that are broken."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lifecycle.reconcile.watch import watch
from lifecycle.reconcile.work import Reconciled
from lifecycle.workspace import Workspace
from registry import versions
from registry.artifacts import ArtifactStore
from registry.database import open_database
from registry.settings import RegistrySettings
from tests.lifecycle.reconcile.helpers import AddVersion, Told, add, coverage, song, stored

SOON = 20.0
"""Seconds; without a notice it would take a minute."""


class _Enough(BaseException):
    """Ends the watching, as Ctrl-C does."""


class Watching:
    """A watch at work in a thread."""

    def __init__(self, workspace: Workspace) -> None:
        self.rounds: list[list[Reconciled]] = []
        self.told = Told()
        self._workspace = workspace
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._enough.set()
        with self._workspace.database.transaction() as connection:
            connection.execute("INSERT INTO songs (song_id, title) VALUES ('the last', 'The Last')")
        self._thread.join(SOON)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with suppress(_Enough):
            watch(self._workspace, self.told, self._reconciled)

    def _reconciled(self, done: list[Reconciled]) -> None:
        self.rounds.append(done)
        if self._enough.is_set():
            raise _Enough


@contextmanager
def watching(workspace: Workspace) -> Iterator[Watching]:
    at_it = Watching(workspace)
    at_it.start()
    try:
        wait_for(lambda: at_it.rounds)
        yield at_it
    finally:
        at_it.stop()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_songs_added_changed_and_deleted_by_others_reach_every_version(
    served: Workspace, add_version: AddVersion, tmp_path: Path
) -> None:
    name = add_version()

    def both_have(*song_ids: str) -> bool:
        every = [f"s{number}" for number in range(12)] + ["s50"]
        return all(set(stored(served, *every, version=each)) == set(song_ids) for each in ("v1", name))

    first = [f"s{number}" for number in range(12)]
    with watching(served):
        wait_for(lambda: both_have(*first))
        add(served, tmp_path, song(50))
        wait_for(lambda: both_have(*first, "s50"))
        before = stored(served, "s3")["s3"]
        add(served, tmp_path, song(3, description="A tuba solo about tax law."))
        wait_for(lambda: "s3" in stored(served, "s3") and abs(stored(served, "s3")["s3"] - before).max() > 1e-3)
        add(served, tmp_path, {"kind": "removal", "song_id": "s50"}, {"kind": "removal", "song_id": "s0"})
        wait_for(lambda: both_have(*first[1:]))
        wait_for(lambda: coverage(served).complete and coverage(served, name).complete)


def test_a_version_that_cannot_be_loaded_keeps_no_other_from_following_and_is_told_once(
    served: Workspace, tmp_path: Path
) -> None:
    with served.database.transaction() as connection:
        spec = versions.get(connection, "v1").spec
        lost = spec.model_copy(update={"embedder": spec.embedder.model_copy(update={"artifact": "b" * 64})})
        versions.register(connection, lost, recipe="lost", actor="tester")
    with watching(served) as at_it:
        for number in (50, 51):
            add(served, tmp_path, song(number))
            wait_for(lambda: stored(served, f"s{number}"))  # noqa: B023 - waited for before the next
    assert [line.partition(":")[0] for line in at_it.told.lines] == ["v2"]
    assert "b" * 12 in at_it.told.lines[0]


def test_lost_connections_are_told_once_and_outlived(served: Workspace, tmp_path: Path) -> None:
    with watching(served) as at_it:
        with served.database.transaction() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        add(served, tmp_path, song(50))
        wait_for(lambda: stored(served, "s50"))
    assert len(at_it.told.lines) == 1
    assert "Waiting" in at_it.told.lines[0]


def test_the_embedded_postgres_is_started_again_if_it_dies(tmp_path: Path) -> None:
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": tmp_path / "home"})
    with open_database(settings) as database:
        database._pool.timeout = 1.0  # that a connection is waited for, so that the test is short
        workspace = Workspace(database, ArtifactStore(settings.artifacts_folder), settings)
        with watching(workspace) as at_it:
            os.kill(int((settings.database_folder / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
            wait_for(lambda: at_it.told.lines)
            rounds = len(at_it.rounds)
            wait_for(lambda: len(at_it.rounds) > rounds)
