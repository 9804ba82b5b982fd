"""Freeing a version's vectors: at once, whoever reads others; again, wherever it stopped."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from registry import versions
from registry.database import Connection, Database
from registry.errors import AlreadyRunning, DatabaseBusy
from registry.records import Song
from registry.settings import RegistrySettings
from registry.vectors import removal
from registry.vectors.records import PendingSong
from registry.vectors.vector_set import VectorSet, list_quarantine
from registry.versions import ModelVersion
from tests.support.random_vectors import add_songs, embed

AddVersion = Callable[..., ModelVersion]
Two = tuple[VectorSet, VectorSet]


@pytest.fixture
def two(database: Database, add_version: AddVersion) -> Two:
    """Two whole versions of 30 songs."""
    add_songs(database, 30)
    return embed(database, add_version()), embed(database, add_version())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_PATIENCE_SECONDS", 0.5)


def tables(database: Database, version: str) -> list[str]:
    query = "SELECT relname FROM pg_class WHERE relname LIKE %s ORDER BY 1"
    with database.transaction() as connection:
        return [row["relname"] for row in connection.execute(query, [f"%\\_vectors\\_%\\_{version}%"])]


def songs_of(connection: Connection, version: str) -> int:
    query = sql.SQL("SELECT count(*) AS n FROM song_vectors_8 WHERE model_version = {}").format(sql.Literal(version))
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row["n"])


def is_gone(database: Database, vectors: VectorSet) -> bool:
    with database.transaction() as connection:
        return not tables(database, vectors.version) and vectors.state(connection) is None


def is_pending(database: Database) -> bool:
    with database.transaction() as connection:
        row = connection.execute("SELECT count(*) AS n FROM pg_inherits WHERE inhdetachpending").fetchone()
    return row != {"n": 0}


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60  # a process takes its time to begin where others run
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@contextmanager
def long_reader(database: Database, version: str) -> Iterator[Connection]:
    """A transaction that has read a version, and sees the vectors of that moment for as long as it is open."""
    with database.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert songs_of(connection, version) == 30
        yield connection


def interrupt_detachment(database: Database, settings: RegistrySettings, child: str) -> None:
    """Detach a version's songs, and break off while that waits for a reader."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    with long_reader(database, "v1"), psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET statement_timeout = '500ms'")
        query = sql.SQL("ALTER TABLE song_vectors_8 DETACH PARTITION {} CONCURRENTLY")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(query.format(sql.Identifier(child)))
    assert is_pending(database)


# What goes and what stays ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attach", [True, False])
def test_tables_indexes_books_and_quarantine_of_the_version_go_and_no_others(
    database: Database, add_version: AddVersion, *, attach: bool
) -> None:
    add_songs(database, 30)
    kept, dropped = embed(database, add_version()), embed(database, add_version(), attach=attach)
    with database.transaction() as connection:
        for each in (kept, dropped):
            each.quarantine(
                connection, PendingSong(Song(song_id="s-0001", title="T"), b"\0" * 32, replaces=True), "too odd"
            )
        connection.execute("INSERT INTO embedding_rounds (version, kind) VALUES ('v1', 'songs'), ('v2', 'songs')")
    before = tables(database, "v1")
    assert [name.replace("_v2", "_v1") for name in tables(database, "v2")] == before
    removal.drop(database, dropped)
    assert is_gone(database, dropped)
    assert tables(database, "v1") == before
    with database.transaction() as connection:
        assert [row["version"] for row in list_quarantine(connection)] == ["v1"]
        assert connection.execute("SELECT version FROM embedding_rounds").fetchall() == [{"version": "v1"}]
        assert songs_of(connection, "v1") == 30


def test_dropping_again_changes_nothing(database: Database, two: Two) -> None:
    removal.drop(database, two[1])
    removal.drop(database, two[1])
    assert is_gone(database, two[1])
    assert not is_gone(database, two[0])


def test_a_version_that_never_had_tables_has_nothing_to_drop(database: Database, add_version: AddVersion) -> None:
    version = VectorSet(add_version())
    removal.drop(database, version)
    assert is_gone(database, version)


def test_a_dropped_version_can_be_built_again(database: Database, two: Two) -> None:
    removal.drop(database, two[1])
    with database.transaction() as connection:
        version = versions.get(connection, "v2")
    embed(database, version)
    with database.transaction() as connection:
        assert songs_of(connection, "v2") == 30


def test_the_disk_is_free_at_once(database: Database, add_version: AddVersion) -> None:
    def size() -> int:
        with database.transaction() as connection:
            row = connection.execute("SELECT pg_database_size(current_database()) AS bytes").fetchone()
        return int((row or {})["bytes"])

    add_songs(database, 2000)
    embed(database, add_version(dimensions=384))
    before = size()
    added = embed(database, add_version(dimensions=384))
    full = size()
    assert full - before > 2000 * 2 * 384
    removal.drop(database, added)
    assert size() - before < (full - before) / 10  # what else the server writes down meanwhile is little


# Readers --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_long_reader_of_any_version_is_not_harmed_and_is_named(database: Database, two: Two, version: str) -> None:
    """Others' transactions are open for longer, but it is this one that reads vectors."""
    with database.transaction() as unrelated:
        unrelated.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        unrelated.execute("SELECT count(*) FROM songs")
        with long_reader(database, version) as reader:
            with pytest.raises(DatabaseBusy) as refused:
                removal.drop(database, two[1])
            process = reader.info.backend_pid
            assert refused.value.details == {"process": process}
            assert f"server process {process} " in refused.value.fact
            assert "autosort retire v2" in refused.value.remedy
            assert songs_of(reader, version) == 30  # it goes on, in the same transaction
    removal.drop(database, two[1])
    assert is_gone(database, two[1])


@pytest.mark.usefixtures("impatient")
def test_a_session_that_somebody_left_open_is_not_waited_for_for_ever(database: Database, two: Two) -> None:
    with database.transaction() as idle:
        assert songs_of(idle, "v1") == 30
        removal.drop(database, two[1])
        assert is_gone(database, two[1])
        assert songs_of(idle, "v1") == 30


def test_nobody_waits_while_a_long_reader_is_waited_for(
    database: Database, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "_PATIENCE_SECONDS", 2.0)
    pauses: list[float] = []
    with ThreadPoolExecutor(1) as pool, long_reader(database, "v1"):
        dropping = pool.submit(removal.drop, database, two[1])
        assert eventually(lambda: is_pending(database))
        while not dropping.done():
            begun = time.perf_counter()
            with database.transaction() as connection:
                assert songs_of(connection, "v1") == 30
            pauses.append(time.perf_counter() - begun)
            time.sleep(0.02)
        assert isinstance(dropping.exception(), DatabaseBusy)
    assert len(pauses) > 20
    assert max(pauses) < 1.0  # twice 2 s are waited for, for either step of the detachment


def test_it_goes_on_as_soon_as_the_reader_has_ended(database: Database, two: Two) -> None:
    with ThreadPoolExecutor(1) as pool:
        with long_reader(database, "v1"):
            dropping = pool.submit(removal.drop, database, two[1])
            assert eventually(lambda: is_pending(database))
        dropping.result(timeout=5)
    assert is_gone(database, two[1])


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("attach", [True, False])
def test_a_writer_in_the_versions_own_table_is_waited_for_and_named(
    database: Database, add_version: AddVersion, *, attach: bool
) -> None:
    add_songs(database, 30)
    made = embed(database, add_version(), attach=attach)
    with database.transaction() as writer:
        writer.execute("UPDATE playlist_vectors_8_v1 SET song_count = 7")
        with pytest.raises(DatabaseBusy, match=f"server process {writer.info.backend_pid} "):
            removal.drop(database, made)
    removal.drop(database, made)
    assert is_gone(database, made)


@pytest.mark.usefixtures("impatient")
def test_no_connection_keeps_a_setting(database: Database, two: Two) -> None:
    with long_reader(database, "v1"), pytest.raises(DatabaseBusy):
        removal.drop(database, two[1])
    removal.drop(database, two[1])
    with database.transaction() as one, database.transaction() as other, database.transaction() as third:
        for connection in (one, other, third):
            for setting in ("lock_timeout", "statement_timeout"):
                assert connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(setting))).fetchone() == {
                    setting: "0"
                }


# Interrupted, and at once ---------------------------------------------------------------------------------------------


def test_an_interrupted_detachment_is_finished(database: Database, two: Two, settings: RegistrySettings) -> None:
    interrupt_detachment(database, settings, "song_vectors_8_v2")
    removal.drop(database, two[1])
    assert is_gone(database, two[1])
    with database.transaction() as connection:
        assert songs_of(connection, "v1") == 30


def test_an_interrupted_detachment_of_another_version_is_no_obstacle(
    database: Database, two: Two, settings: RegistrySettings
) -> None:
    interrupt_detachment(database, settings, "song_vectors_8_v1")
    removal.drop(database, two[1])
    assert is_gone(database, two[1])
    removal.drop(database, two[0])
    assert is_gone(database, two[0])


@pytest.mark.parametrize("interrupted", [True, False])
def test_what_another_process_finishes_at_the_same_moment_is_no_obstacle(
    database: Database, two: Two, settings: RegistrySettings, monkeypatch: pytest.MonkeyPatch, *, interrupted: bool
) -> None:
    if interrupted:
        interrupt_detachment(database, settings, "song_vectors_8_v2")
    look, overtaken = removal._next_step, list[str]()

    def look_and_be_overtaken(connection: Connection, parent: str, child: str) -> tuple[str, str] | None:
        step = look(connection, parent, child)
        if step and not overtaken:
            overtaken.append(step[0])
            with database.autocommit() as faster:
                names = {"parent": sql.Identifier(parent), "child": sql.Identifier(child)}
                faster.execute(removal._SQL[step[0]].format(**names))
        return step

    monkeypatch.setattr(removal, "_next_step", look_and_be_overtaken)
    removal.drop(database, two[1])
    assert overtaken == ["finalize_detach" if interrupted else "detach"]
    assert is_gone(database, two[1])


_DROP = """
import sys
from registry import versions
from registry.database import open_database
from registry.settings import RegistrySettings
from registry.vectors import removal
from registry.vectors.vector_set import VectorSet
with open_database(RegistrySettings()) as database:
    with database.transaction() as connection:
        version = versions.get(connection, sys.argv[1])
    removal.drop(database, VectorSet(version))
"""


@contextmanager
def dropping_process(settings: RegistrySettings) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that drops v2."""
    assert settings.database_url is not None
    environment = {**os.environ, "DATABASE_URL": settings.database_url.get_secret_value()}
    process = subprocess.Popen([sys.executable, "-c", _DROP, "v2"], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_after_a_kill_the_same_goes_on_though_the_server_may_still_be_at_it(
    database: Database, two: Two, settings: RegistrySettings
) -> None:
    """Its server process waits on for the reader, and wakes up at the same moment as the second attempt."""
    with ThreadPoolExecutor(1) as pool:
        with long_reader(database, "v1"):
            with dropping_process(settings):
                assert eventually(lambda: is_pending(database))
            again = pool.submit(removal.drop, database, two[1])
            time.sleep(0.5)
        again.result(timeout=15)
    assert is_gone(database, two[1])


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.1])
def test_killed_at_any_moment_the_same_goes_on(
    database: Database, two: Two, settings: RegistrySettings, seconds: float
) -> None:
    """Readers never stop, so that every step has somebody to wait for."""
    stop, failures = threading.Event(), list[BaseException]()

    def read() -> None:
        while not stop.is_set():
            try:
                with database.transaction() as connection:
                    assert songs_of(connection, "v1") == 30
                    time.sleep(0.05)
            except BaseException as error:  # noqa: BLE001 - told by the assertion below
                failures.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    with dropping_process(settings) as process:
        assert eventually(lambda: is_pending(database) or process.poll() is not None or is_gone(database, two[1]))
        time.sleep(seconds)
    removal.drop(database, two[1])
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert is_gone(database, two[1])


def test_two_at_once_drop_what_they_were_asked_to(database: Database, two: Two) -> None:
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(removal.drop, database, each) for each in (two[0], two[1], two[1])]:
            done.result(timeout=30)
    assert is_gone(database, two[0])
    assert is_gone(database, two[1])


@pytest.mark.usefixtures("impatient")
def test_whoever_finds_another_at_it_for_too_long_is_told(database: Database, two: Two) -> None:
    with database.transaction() as other:
        other.execute("SELECT pg_advisory_xact_lock(7120114118)")
        with pytest.raises(AlreadyRunning, match="Another command"):
            removal.drop(database, two[1])
    assert not is_gone(database, two[1])
