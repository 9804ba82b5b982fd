"""Connections, transactions, and what becomes of Postgres's own errors."""

import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import LiteralString

import pytest

from registry import database as database_module
from registry.database import Connection, Database, describe, open_database
from registry.errors import (
    AutosortError,
    BadInput,
    DatabaseBusy,
    DatabaseError,
    DatabaseFull,
    DatabaseUnavailable,
    Refused,
    SchemaOutdated,
)
from registry.settings import RegistrySettings

ADD_SONG = "INSERT INTO songs (song_id, title) VALUES ('s-1', 'Paper Lanterns')"
ADD_VERSION = "INSERT INTO model_versions (version, spec, recipe, stage) VALUES (%s, '{}', %s, %s)"


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Host and port of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_is_not_there_is_reported_at_once_and_by_name(tmp_path: Path) -> None:
    started = time.monotonic()
    error = _fail_to_open("postgresql://user:s3cret@127.0.0.1:1/songs", tmp_path)
    assert isinstance(error, DatabaseUnavailable)
    assert time.monotonic() - started < 3
    assert "127.0.0.1:1/songs" in error.fact
    assert error.remedy


def test_a_server_that_never_answers_is_given_up_within_seconds(silent_server: str, tmp_path: Path) -> None:
    started = time.monotonic()
    error = _fail_to_open(f"postgresql://user:s3cret@{silent_server}/songs", tmp_path)
    assert isinstance(error, DatabaseUnavailable)
    assert time.monotonic() - started < 15


def test_a_host_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    assert isinstance(_fail_to_open("postgresql://user@no-such-host.invalid/songs", tmp_path), DatabaseUnavailable)


def test_a_database_that_does_not_exist_is_reported(settings: RegistrySettings, tmp_path: Path) -> None:
    url = _url(settings)
    absent = url.replace(url.split("?", maxsplit=1)[0].rsplit("/", 1)[1], "no_such_database")
    error = _fail_to_open(absent, tmp_path)
    assert isinstance(error, DatabaseUnavailable)
    assert "no_such_database" in error.fact


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cret@127.0.0.1:1/songs",
        "postgresql://user:s3cret@no-such-host.invalid/songs",
        "postgresql://user:s3cret@127.0.0.1:99999/songs",
        "postgresql://user:s3cret@127.0.0.1:port/songs",
        "postgresql://user:s3cret@127.0.0.1:1/songs?sslmode=wrong",
        "postgresql://user:s3cret@127.0.0.1:1/songs?nosuch=1",
        "postgresql://user:s3cret@127.0.0.1:1/so ngs?x",
        "postgresql://127.0.0.1:1/songs?password=s3cret",
        "postgresql://user:s3cret%zz@127.0.0.1:1/songs",
        "postgresql://user:s3cret#1@127.0.0.1:1/songs",
        "postgresql://user:100%s3cret@127.0.0.1:1/songs",
        "postgresql://user:s3cret/1@127.0.0.1:1/songs",
        "postgresql://user:1@s3cret@127.0.0.1:1/songs",
        "postgresql://user:1?s3cret@127.0.0.1:1/songs",
        "postgresql://user:1?s3cret@1@127.0.0.1:1/songs",
        "postgres://user:1/@s3cret@127.0.0.1:1/songs",
        "postgresql://user:s3cret/songs",
        "postgresql://user:s3cret",
        "postgresql://user:s3cret\udcff@127.0.0.1:1/songs",
        "postgresql://user:[s3cret@127.0.0.1:1/songs",
        "mysql://user:s3cret@127.0.0.1:1/songs",
        "mysql://user:s3cret@127.0.0.1:1/songs?a=b",
        "user:s3cret@127.0.0.1/songs",
        "host=127.0.0.1 port=1 password=s3cret",
        "host=127.0.0.1 port=1 password=a s3cret",
        "host=127.0.0.1 port=1 password='s3cret",
    ],
)
def test_no_error_shows_the_password_however_the_url_is_mistaken(url: str, tmp_path: Path) -> None:
    error = _fail_to_open(url, tmp_path)
    assert "s3cret" not in str(error)
    assert "s3cret" not in repr(error)


@pytest.mark.parametrize("url", ["mysql://user:s3cret@127.0.0.1/songs", "no url", "postgresql://[::1/songs"])
def test_what_is_no_connection_url_is_bad_input_that_says_what_one_looks_like(url: str, tmp_path: Path) -> None:
    error = _fail_to_open(url, tmp_path)
    assert isinstance(error, BadInput)
    assert "postgresql://" in error.remedy


@pytest.mark.parametrize("mark", "@/?#")
def test_a_password_that_is_not_percent_encoded_is_bad_input_that_says_how_to(mark: str, tmp_path: Path) -> None:
    error = _fail_to_open(f"postgresql://user:pass{mark}word@db.example:5433/songs", tmp_path)
    assert isinstance(error, BadInput)
    assert "%40" in error.remedy
    assert not [part for part in ("pass", "word@", "db.example", "5433") if part in error.fact.replace("password", "")]


@pytest.mark.parametrize("text", ["\udcff", "caf\udce9"])
def test_a_url_that_is_no_unicode_is_bad_input(text: str, tmp_path: Path) -> None:
    assert isinstance(_fail_to_open(f"postgresql://user:{text}@127.0.0.1:1/songs", tmp_path), BadInput)


def test_neither_the_drivers_words_nor_the_url_hang_on_to_an_error_about_it(tmp_path: Path) -> None:
    error = _fail_to_open("postgresql://user:100%s3cret@127.0.0.1:1/songs", tmp_path)
    assert "s3cret" not in "".join(traceback.format_exception(error))


def test_a_percent_encoded_password_is_taken_as_it_is_meant(settings: RegistrySettings) -> None:
    Database(_url(settings).replace("postgres:@", "postgres:a%40b%2Fc%3Fd%23@")).open(lambda _: None)


def test_a_database_is_named_without_user_or_password() -> None:
    assert describe("postgresql://user:s3cret@db.example:5433/songs") == "db.example:5433/songs"
    assert describe("postgresql:///songs") == "localhost/songs"
    assert "s3cret" not in describe("mysql://user:s3cret@db.example/songs")


def test_a_transaction_that_ends_well_is_kept(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('s-1', 'Paper Lanterns')")
    assert _songs(database) == 1


@pytest.mark.parametrize("error", [RuntimeError("mine"), KeyboardInterrupt(), Refused("No.")])
def test_an_exception_rolls_back_and_comes_through_as_it_is(database: Database, error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, database.transaction() as connection:
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('s-1', 'Paper Lanterns')")
        raise error
    assert raised.value is error
    assert _songs(database) == 0


def test_a_statement_that_fails_rolls_back_what_came_before_it(database: Database) -> None:
    with pytest.raises(DatabaseError), database.transaction() as connection:
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('s-1', 'Paper Lanterns')")
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('s-2', '')")
    assert _songs(database) == 0


def test_changes_are_invisible_to_others_until_the_transaction_ends(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('s-1', 'Paper Lanterns')")
        assert _songs(database) == 0
    assert _songs(database) == 1


def test_outside_a_transaction_each_statement_stands_for_itself(database: Database) -> None:
    with pytest.raises(DatabaseError), database.autocommit() as connection:
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('s-1', 'Paper Lanterns')")
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('s-2', '')")
    assert _songs(database) == 1


def test_a_connection_that_was_outside_transactions_goes_back_into_them(settings: RegistrySettings) -> None:
    database = Database(_url(settings), max_connections=1)
    database.open(lambda connection: connection.execute("SELECT 1"))
    try:
        with database.autocommit():
            pass
        with pytest.raises(RuntimeError), database.transaction() as connection:
            connection.execute("INSERT INTO songs (song_id, title) VALUES ('s-1', 'Paper Lanterns')")
            raise RuntimeError
        assert _songs(database) == 0
    finally:
        database.close()


@pytest.mark.parametrize(
    ("statement", "kind", "fact"),
    [
        ("UPDATE model_versions SET spec = '{\"a\": 1}'", Refused, "never changes"),
        ("UPDATE model_versions SET stage = 'live'", Refused, "live already"),
        (
            "INSERT INTO model_versions (version, spec, recipe) VALUES ('v3', '{}', 'one')",
            Refused,
            "already registered",
        ),
        ("UPDATE audit_log SET actor = 'nobody'", Refused, "audit log never changes"),
        ("DELETE FROM audit_log", Refused, "audit log never changes"),
        ("TRUNCATE audit_log", Refused, "audit log never changes"),
        ("INSERT INTO songs (song_id, title) VALUES ('s-1', '')", DatabaseError, "songs_title_not_blank"),
        ("INSERT INTO songs (song_id, title, energy) VALUES ('s', 't', 2)", DatabaseError, "songs_shares_in_range"),
        ("INSERT INTO memberships VALUES ('p', 's', 'curated')", DatabaseError, "memberships"),
        ("UPDATE live_pointer SET only_row = false", DatabaseError, "live_pointer_only_row"),
        ("SELECT 1 / 0", DatabaseError, "division by zero"),
        ("SELECT * FROM no_such_table", SchemaOutdated, "no_such_table"),
        ("SELECT no_such_column FROM songs", SchemaOutdated, "no_such_column"),
        ("SELEKT 1", DatabaseError, "SELEKT"),
    ],
)
def test_what_postgres_refuses_becomes_an_error_of_the_toolkits_own(
    database: Database, statement: LiteralString, kind: type[AutosortError], fact: str
) -> None:
    _add_two_versions(database)
    with pytest.raises(AutosortError, match=fact) as refused, database.transaction() as connection:
        connection.execute(statement)
    assert type(refused.value) is kind


@pytest.mark.parametrize("statement", ["DELETE FROM model_versions", "TRUNCATE model_versions CASCADE"])
def test_deleting_a_version_points_to_retiring_it(database: Database, statement: LiteralString) -> None:
    _add_two_versions(database)
    with pytest.raises(Refused) as refused, database.transaction() as connection:
        connection.execute(statement)
    assert "autosort retire" in refused.value.remedy


def test_a_mistake_in_a_query_is_not_blamed_on_the_url(database: Database) -> None:
    with pytest.raises(DatabaseError, match="placeholder") as refused, database.transaction() as connection:
        connection.execute("SELECT %s", [])
    assert type(refused.value) is DatabaseError
    assert "DATABASE_URL" not in str(refused.value)


def test_a_lock_that_is_not_had_in_time_is_not_called_an_unreachable_server(database: Database) -> None:
    with database.transaction() as holder:
        holder.execute("LOCK TABLE songs")
        with pytest.raises(AutosortError) as refused, database.transaction() as connection:
            connection.execute("SET LOCAL lock_timeout = '50ms'")
            connection.execute("SELECT * FROM songs")
    assert "cannot be reached" not in refused.value.fact
    assert not isinstance(refused.value, DatabaseUnavailable)


def test_a_server_that_goes_away_is_unavailable_and_the_next_transaction_finds_it_again(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable), database.transaction() as connection:
        with database.transaction() as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        connection.execute("SELECT 1")
    assert _songs(database) == 0


def test_repeated_queries_leave_nothing_prepared_on_the_server(database: Database) -> None:
    # A transaction-mode pooler would hand the next query to a connection that has never heard of it.
    with database.transaction() as connection:
        for number in range(20):
            connection.execute("SELECT %s::int", [number])
        assert connection.execute("SELECT * FROM pg_prepared_statements").fetchall() == []


def test_opening_again_after_closing_works(settings: RegistrySettings) -> None:
    for _ in range(2):
        with open_database(settings) as database:
            assert _songs(database) == 0


# Persisting ---------------------------------------------------------------------------------------------------------


class _Work:
    """Adds a song and counts how often it was tried; what goes wrong is up to the first attempt."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.attempts = 0

    def __call__(self, connection: Connection) -> str:
        self.attempts += 1
        connection.execute(ADD_SONG)
        if self.attempts == 1:
            self.go_wrong(connection)
        return f"attempt {self.attempts}"

    def go_wrong(self, connection: Connection) -> None:
        with self.database.transaction() as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        connection.execute("SELECT 1")


def test_work_that_lost_its_connection_is_done_again_and_once(database: Database) -> None:
    work = _Work(database)
    assert database.persist(work) == "attempt 2"
    assert _songs(database) == 1


def test_work_whose_connection_was_lost_before_the_end_of_its_transaction_is_done_again_and_once(
    database: Database,
) -> None:
    class Late(_Work):
        def go_wrong(self, connection: Connection) -> None:
            with self.database.transaction() as other:
                other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])

    assert database.persist(Late(database)) == "attempt 2"
    assert _songs(database) == 1


def test_a_lock_that_is_not_had_in_time_is_tried_for_again(database: Database) -> None:
    with ExitStack() as held:
        held.enter_context(database.transaction()).execute("LOCK TABLE playlists")

        class Locked(_Work):
            def go_wrong(self, connection: Connection) -> None:
                connection.execute("SET LOCAL lock_timeout = '50ms'")
                try:
                    connection.execute("SELECT * FROM playlists")
                finally:
                    held.close()

        assert database.persist(Locked(database)) == "attempt 2"
    assert _songs(database) == 1


def test_of_two_that_are_in_each_others_way_both_get_done(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('a', 'A'), ('b', 'B')")
    both_hold_one = threading.Barrier(2)
    attempts: list[str] = []

    def swap(first: str, second: str) -> None:
        def work(connection: Connection) -> None:
            attempts.append(first)
            connection.execute("UPDATE songs SET title = title || '!' WHERE song_id = %s", [first])
            if attempts.count(first) == 1:
                both_hold_one.wait(30)
            connection.execute("UPDATE songs SET title = title || '!' WHERE song_id = %s", [second])

        database.persist(work)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(swap, "a", "b"), pool.submit(swap, "b", "a")]:
            done.result()
    with database.transaction() as connection:
        rows = connection.execute("SELECT title FROM songs ORDER BY song_id").fetchall()
    assert [row["title"] for row in rows] == ["A!!", "B!!"]
    assert len(attempts) > 2


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("INSERT INTO songs (song_id, title) VALUES ('s-2', '')", DatabaseError),
        ("INSERT INTO songs (song_id, title) VALUES ('s-1', 'again')", DatabaseError),
        ("UPDATE model_versions SET stage = 'live'", Refused),
        ("SELECT * FROM no_such_table", SchemaOutdated),
        ("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$", DatabaseFull),
        ("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '54000'; END $$", DatabaseError),
    ],
)
def test_what_does_not_pass_is_not_tried_again(
    database: Database, statement: LiteralString, kind: type[AutosortError]
) -> None:
    _add_two_versions(database)

    class Wrong(_Work):
        def go_wrong(self, connection: Connection) -> None:
            connection.execute(statement)

    work = Wrong(database)
    with pytest.raises(AutosortError) as failed:
        database.persist(work)
    assert type(failed.value) is kind
    assert work.attempts == 1
    assert _songs(database) == 0


@pytest.mark.parametrize("error", [Refused("No."), RuntimeError("mine"), KeyboardInterrupt()])
def test_what_work_itself_raises_comes_through_at_once(database: Database, error: BaseException) -> None:
    class Wrong(_Work):
        def go_wrong(self, _: Connection) -> None:
            raise error

    work = Wrong(database)
    with pytest.raises(type(error)) as raised:
        database.persist(work)
    assert raised.value is error
    assert work.attempts == 1


def test_what_passes_by_itself_is_tried_again(database: Database) -> None:
    busy, away = ("40001", "40P01", "53300", "55P03"), ("57P01", "57P03", "08006")
    for state in busy + away:
        raised: list[type[AutosortError]] = []

        def work(_: Connection) -> str:
            if raised:  # noqa: B023 - done with before the next state
                return "done"
            try:
                with database.transaction() as other:
                    other.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")  # noqa: B023
            except AutosortError as error:
                raised.append(type(error))  # noqa: B023
                raise
            return "not raised"

        assert database.persist(work) == "done", state
        assert raised == [DatabaseBusy if state in busy else DatabaseUnavailable], state


def test_a_full_disk_is_said_with_what_frees_some(database: Database) -> None:
    with pytest.raises(DatabaseFull, match="disk") as full, database.transaction() as connection:
        connection.execute(
            "DO $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left' USING ERRCODE = '53100'; END $$"
        )
    assert "could not extend file" in full.value.fact
    assert "autosort retire" in full.value.remedy


def test_what_does_not_pass_in_time_is_given_up_and_said(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "_PATIENCE_SECONDS", 1.0)

    class Never(_Work):
        def __call__(self, connection: Connection) -> str:
            self.attempts += 1
            self.go_wrong(connection)
            return ""

    work = Never(database)
    with pytest.raises(DatabaseUnavailable):
        database.persist(work)
    assert work.attempts > 1
    assert _songs(database) == 0


def test_the_embedded_postgres_is_started_again_after_its_end(tmp_path: Path) -> None:
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": tmp_path / "home"})
    with open_database(settings) as database:
        postmaster = int((settings.database_folder / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        database.persist(lambda connection: connection.execute(ADD_SONG))
        assert _songs(database) == 1


def _add_two_versions(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(ADD_VERSION, ["v1", "one", "live"])
        connection.execute(ADD_VERSION, ["v2", "two", "ready"])
        connection.execute(
            "INSERT INTO audit_log (actor, action, version, generation) VALUES ('a', 'promote', 'v1', 1)"
        )


def _songs(database: Database) -> int:
    with database.transaction() as connection:
        row = connection.execute("SELECT count(*) AS songs FROM songs").fetchone()
    assert row is not None
    return int(row["songs"])


def _fail_to_open(url: str, home: Path) -> AutosortError:
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": home, "DATABASE_URL": url})
    with pytest.raises(AutosortError) as failed, open_database(settings):
        pytest.fail("it must not open")
    return failed.value


def _url(settings: RegistrySettings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()
