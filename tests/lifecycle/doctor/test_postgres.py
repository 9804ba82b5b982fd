"""The database as the doctor sees it: real ones, real poolers, and by their figures those that are not to be had."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from lifecycle.doctor.check import NotLookedAt, State
from lifecycle.doctor.postgres import (
    Located,
    check_clock,
    check_database,
    check_pgvector,
    check_pooler,
    check_schema,
    judge_clock,
    judge_pgvector,
    judge_schema,
    judge_server,
    locate,
)
from registry.condition import Pgvector, Server
from registry.errors import BadInput, DatabaseError, DatabaseUnavailable
from registry.migrate import known_migrations
from registry.settings import RegistrySettings
from tests.support.pgbouncer import pooled


def url_of(settings: RegistrySettings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


def of_url(settings: RegistrySettings, url: str) -> RegistrySettings:
    return RegistrySettings.model_validate({"AUTOSORT_HOME": settings.home, "DATABASE_URL": url})


def test_a_database_that_is_migrated_is_good_in_every_way(settings: RegistrySettings) -> None:
    located = locate(settings)
    assert not located.embedded
    for check in (check_database, check_schema, check_pgvector, check_pooler, check_clock):
        found = check(located)
        assert (found.state, found.remedy) == (State.GOOD, None)
    assert re.match(r"PostgreSQL \d+\.\d+ at ", check_database(located).fact)


def test_looking_writes_nothing(clone: Callable[[str], str]) -> None:
    located = Located(clone("template0"), embedded=False)
    for check in (check_database, check_schema, check_pgvector, check_pooler, check_clock):
        check(located)
    with psycopg.connect(located.url) as connection:
        written = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        assert connection.execute(written).fetchall() == []
        assert connection.execute("SELECT extname FROM pg_extension").fetchall() == [("plpgsql",)]


def test_an_empty_database_is_to_be_migrated_and_can_have_pgvector(clone: Callable[[str], str]) -> None:
    located = Located(clone("template0"), embedded=False)
    schema = check_schema(located)
    assert (schema.state, schema.remedy) == (State.BAD, "Run `autosort migrate`.")
    assert all(each.name in schema.fact for each in known_migrations())
    assert "the first migration installs it" in check_pgvector(located).fact


def test_the_last_migration_alone_is_pending(settings: RegistrySettings) -> None:
    last = known_migrations()[-1]
    with psycopg.connect(url_of(settings)) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE number = %s", [last.number])
    assert check_schema(locate(settings)).fact == f"Pending: {last.name}."


def test_a_schema_of_a_newer_build_is_bad(settings: RegistrySettings) -> None:
    with psycopg.connect(url_of(settings)) as connection:
        connection.execute("INSERT INTO schema_migrations (number, name) VALUES (9999, 'of_later')")
    found = check_schema(locate(settings))
    assert (found.state, found.remedy) == (State.BAD, "Upgrade the toolkit on this machine.")


def test_the_embedded_one_migrates_itself() -> None:
    assert judge_schema(["0001_spine"], embedded=True).state is State.GOOD
    assert judge_schema(["0001_spine"], embedded=False).state is State.BAD


@pytest.mark.parametrize(("mode", "told"), [("transaction", "transaction mode"), ("session", "keeps sessions")])
def test_a_pooler_is_noticed_with_its_kind(settings: RegistrySettings, mode: str, told: str) -> None:
    assert "direct" in check_pooler(locate(settings)).fact
    with pooled(url_of(settings), mode) as url:
        for _ in range(5):  # whichever backend is given next
            found = check_pooler(locate(of_url(settings, url)))
            assert (found.state, told in found.fact) == (State.GOOD, True)


def test_a_pooler_that_transactions_do_not_pass_is_bad_and_the_rest_is_looked_at(settings: RegistrySettings) -> None:
    with pooled(url_of(settings), "statement") as url:
        located = locate(of_url(settings, url))
        with pytest.raises(DatabaseError, match="statement"):
            check_pooler(located)
        assert check_schema(located).state is State.GOOD


def test_a_database_that_cannot_be_reached_is_told_without_its_password(tmp_path: Path) -> None:
    address = "postgresql://somebody:s3cret-word@127.0.0.1:1/songs"
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": tmp_path, "DATABASE_URL": address})
    with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:1/songs") as refused:
        locate(settings)
    assert "s3cret-word" not in str(refused.value)


def test_a_url_that_is_none(tmp_path: Path) -> None:
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": tmp_path, "DATABASE_URL": "mysql://a:s3cret@b/c"})
    with pytest.raises(BadInput) as refused:
        locate(settings)
    assert "s3cret" not in str(refused.value)


def test_the_embedded_one_is_not_made(tmp_path: Path) -> None:
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": tmp_path / "home"})
    with pytest.raises(NotLookedAt, match="no embedded database yet"):
        locate(settings)
    settings.database_folder.mkdir(parents=True)
    with pytest.raises(DatabaseUnavailable, match="holds no database"):
        locate(settings)
    assert list(settings.database_folder.iterdir()) == []
    spaced = RegistrySettings.model_validate({"AUTOSORT_HOME": tmp_path / "a b"})
    with pytest.raises(DatabaseUnavailable, match="a space"):
        locate(spaced)


def test_the_embedded_one_is_started(postgres: str, shared_folder: Path) -> None:
    located = locate(RegistrySettings.model_validate({"AUTOSORT_HOME": shared_folder}))
    assert located == Located(postgres, embedded=True)
    assert "the embedded Postgres" in check_database(located).fact


def test_a_server_must_be_new_enough_and_take_writing() -> None:
    def judged(number: int, *, read_only: bool = False) -> State:
        return judge_server("here", Server(number, "x", read_only, datetime.now(UTC))).state

    assert judged(140_020) is State.BAD
    assert judged(150_000) is State.GOOD
    assert judged(180_001, read_only=True) is State.BAD


def test_a_database_that_takes_no_writing_is_bad(settings: RegistrySettings) -> None:
    located = locate(settings)
    with psycopg.connect(located.url, autocommit=True) as connection:
        statement = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on")
        connection.execute(statement.format(sql.Identifier(connection.info.dbname)))
    found = check_database(located)
    assert (found.state, "takes no writing" in found.fact) == (State.BAD, True)


@pytest.mark.parametrize(
    ("installed", "available", "may_create", "state", "told"),
    [
        ("0.8.5", "0.8.5", True, State.GOOD, "installed"),
        ("1.0", None, False, State.GOOD, "installed"),
        ("0.10.0", "0.10.0", False, State.GOOD, "installed"),
        ("0.7.4", "0.8.5", True, State.BAD, "ALTER EXTENSION vector UPDATE"),
        ("0.7.4", "0.7.4", True, State.BAD, "Install pgvector 0.8"),
        (None, "0.7.4", True, State.BAD, "0.7.4"),
        (None, None, True, State.BAD, "(none)"),
        (None, "0.8.0", True, State.GOOD, "first migration"),
        (None, "0.8.0", False, State.BAD, "CREATE EXTENSION vector"),
        (None, "unpackaged", True, State.BAD, "unpackaged"),
    ],
)
def test_pgvector_must_be_there_or_to_be_had(
    installed: str | None, available: str | None, may_create: bool, state: State, told: str
) -> None:
    found = judge_pgvector(Pgvector(installed, available, may_create))
    assert found.state is state
    assert told in f"{found.fact} {found.remedy}"


def test_a_clock_that_is_fast_is_told_to_be(settings: RegistrySettings) -> None:
    fast = check_clock(locate(settings), lambda: datetime.now(UTC) + timedelta(seconds=60))
    assert (fast.state, fast.fact) == (State.BAD, "This machine's clock is 60.0 s ahead of the database's.")


def test_clocks_must_agree() -> None:
    assert [judge_clock(ahead).state for ahead in (-5.1, -4.9, 0, 4.9, 5.1)] == [
        State.BAD,
        State.GOOD,
        State.GOOD,
        State.GOOD,
        State.BAD,
    ]
    assert "7.0 s behind the database's" in judge_clock(7).fact
    assert "7.0 s ahead of the database's" in judge_clock(-7).fact
