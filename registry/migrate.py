"""Schema migrations: numbered `.sql` files, each applied in one transaction together with its record."""

from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg.rows import DictRow

from registry.errors import DatabaseError, SchemaOutdated

_LOCK = 7_120_114_115  # any constant: it keeps two migrating processes apart


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    statements: bytes


def known_migrations() -> list[Migration]:
    """The migrations of this build, in order."""
    folder = files("registry").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [
        Migration(int(name.split("_")[0]), name.removesuffix(".sql"), folder.joinpath(name).read_bytes())
        for name in names
    ]


def migrate(connection: psycopg.Connection[DictRow]) -> list[str]:
    """Bring the schema up to this build's, in the connection's transaction; return the names of what was applied.

    Raises:
        SchemaOutdated: the schema is newer than this build.
        DatabaseError: pgvector is missing or too old.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations "
        "(number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    present = _present(connection)
    pending = [migration for migration in known_migrations() if migration.number > present]
    if pending:
        _check_pgvector(connection)
    for migration in pending:
        connection.execute(migration.statements)
        connection.execute(
            "INSERT INTO schema_migrations (number, name) VALUES (%s, %s)", [migration.number, migration.name]
        )
    check(connection)
    return [migration.name for migration in pending]


def check(connection: psycopg.Connection[DictRow]) -> None:
    """Raise `SchemaOutdated` unless the schema is exactly this build's."""
    if waiting := pending(connection):
        wanted = waiting[-1].number
        raise SchemaOutdated(
            f"The database's schema is at migration {wanted - len(waiting)}, this build needs {wanted}.",
            "Run `autosort migrate`.",
        )


def pending(connection: psycopg.Connection[DictRow]) -> list[Migration]:
    """The migrations of this build that the database does not have yet, in order.

    Raises:
        SchemaOutdated: the schema is newer than this build.
    """
    exists = connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL AS it").fetchone()
    present = _present(connection) if exists and exists["it"] else 0
    known = known_migrations()
    if present > known[-1].number:
        raise SchemaOutdated(
            f"The database's schema is at migration {present}, this build knows only {known[-1].number}.",
            "Upgrade the toolkit on this machine.",
        )
    return [migration for migration in known if migration.number > present]


def _present(connection: psycopg.Connection[DictRow]) -> int:
    row = connection.execute("SELECT coalesce(max(number), 0) AS number FROM schema_migrations").fetchone()
    return int(row["number"]) if row else 0


def _check_pgvector(connection: psycopg.Connection[DictRow]) -> None:
    row = connection.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'").fetchone()
    version = row["default_version"] if row else None
    if version is None or tuple(int(part) for part in version.split(".")[:2]) < (0, 8):
        raise DatabaseError(
            f"This Postgres offers pgvector {version or '(none)'}; 0.8 or newer is needed.",
            "Install pgvector 0.8+ on the server, or unset DATABASE_URL to use the embedded Postgres.",
        )
