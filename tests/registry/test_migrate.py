"""Bringing a database's schema up to this build's, and refusing one that is not."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psycopg
import pytest

from registry.database import migrate_database, open_database
from registry.errors import SchemaOutdated
from registry.migrate import known_migrations
from registry.settings import RegistrySettings

NAMES = [migration.name for migration in known_migrations()]


@pytest.fixture
def unmigrated(tmp_path: Path, clone: Callable[[str], str]) -> RegistrySettings:
    """Settings of a database in which there is nothing."""
    return RegistrySettings.model_validate({"AUTOSORT_HOME": tmp_path / "home", "DATABASE_URL": clone("template0")})


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    assert [migration.number for migration in known_migrations()] == list(range(1, len(NAMES) + 1))


def test_a_migrated_database_has_the_schema_and_the_record_of_it(unmigrated: RegistrySettings) -> None:
    assert migrate_database(unmigrated) == NAMES
    assert _records(unmigrated) == list(enumerate(NAMES, start=1))
    with open_database(unmigrated) as database, database.transaction() as connection:
        assert connection.execute("SELECT generation FROM live_pointer").fetchall() == [{"generation": 0}]


def test_migrating_again_does_nothing_and_loses_nothing(unmigrated: RegistrySettings) -> None:
    migrate_database(unmigrated)
    with open_database(unmigrated) as database, database.transaction() as connection:
        connection.execute("INSERT INTO songs (song_id, title) VALUES ('s-1', 'Paper Lanterns')")
    assert migrate_database(unmigrated) == []
    assert len(_records(unmigrated)) == len(NAMES)
    with open_database(unmigrated) as database, database.transaction() as connection:
        assert connection.execute("SELECT count(*) AS songs FROM songs").fetchone() == {"songs": 1}


def test_of_many_that_migrate_at_once_one_does_and_the_others_find_it_done(unmigrated: RegistrySettings) -> None:
    barrier = Barrier(4)

    def migrate() -> list[str]:
        barrier.wait(timeout=10)
        return migrate_database(unmigrated)

    with ThreadPoolExecutor(4) as pool:
        applied = [future.result() for future in [pool.submit(migrate) for _ in range(4)]]
    assert sorted(applied) == [[], [], [], NAMES]
    assert len(_records(unmigrated)) == len(NAMES)


def test_a_database_that_was_never_migrated_is_not_used_and_not_migrated_unasked(unmigrated: RegistrySettings) -> None:
    with pytest.raises(SchemaOutdated) as refused, open_database(unmigrated):
        pytest.fail("it must not open")
    assert "autosort migrate" in refused.value.remedy
    with psycopg.connect(_url(unmigrated)) as connection:
        assert connection.execute("SELECT to_regclass('songs')").fetchone() == (None,)


def test_a_newer_schema_is_not_used(settings: RegistrySettings) -> None:
    _pretend_newer(settings)
    with pytest.raises(SchemaOutdated) as refused, open_database(settings):
        pytest.fail("it must not open")
    assert "Upgrade" in refused.value.remedy


def test_a_newer_schema_is_not_migrated(settings: RegistrySettings) -> None:
    _pretend_newer(settings)
    with pytest.raises(SchemaOutdated):
        migrate_database(settings)
    assert _records(settings) == [*enumerate(NAMES, start=1), (len(NAMES) + 1, "of_the_future")]


def test_a_migration_that_fails_leaves_the_database_as_it_was(unmigrated: RegistrySettings) -> None:
    with psycopg.connect(_url(unmigrated), autocommit=True) as connection:
        connection.execute("CREATE TABLE audit_log (mine text)")
    with pytest.raises(Exception, match="audit_log"):
        migrate_database(unmigrated)
    with psycopg.connect(_url(unmigrated)) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert tables == [("audit_log",)]


def _pretend_newer(settings: RegistrySettings) -> None:
    with psycopg.connect(_url(settings), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO schema_migrations (number, name) VALUES (%s, 'of_the_future')", [len(NAMES) + 1]
        )


def _records(settings: RegistrySettings) -> list[tuple[int, str]]:
    with psycopg.connect(_url(settings)) as connection:
        return connection.execute("SELECT number, name FROM schema_migrations ORDER BY number").fetchall()


def _url(settings: RegistrySettings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()
