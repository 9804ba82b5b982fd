"""Connections to Postgres, and the one place where driver errors become the toolkit's own."""

import getpass
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TypeVar

import psycopg
from pgvector.psycopg import register_vector
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from registry import migrate
from registry.embedded import start_embedded_postgres
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

Connection = psycopg.Connection[DictRow]

_SCHEMES = ("postgresql://", "postgres://")
_FORM = "Its form is postgresql://user:password@host:port/database."

_BROKEN_RULES: dict[str, tuple[type[AutosortError], str, str]] = {
    "model_versions_immutable": (Refused, "A registered model version never changes.", "Register a new version."),
    "model_versions_kept": (Refused, "A registered model version is never deleted.", "Use `autosort retire`."),
    "spending_kept": (Refused, "What was spent never changes.", "Nothing to do: the record only grows."),
    "api_keys_kept": (Refused, "A key's record never changes.", "Revoke the key, and add another."),
    "api_keys_name_once": (
        BadInput,
        "There is, or was, a key of that name.",
        "Take another name: what a log says of a key then stays clear. See `autosort keys list`.",
    ),
    "audit_log_immutable": (Refused, "The audit log never changes.", "Nothing to do: it only grows."),
    "model_versions_recipe_once": (
        Refused,
        "A version trained from exactly this data, configuration and base is already registered.",
        "See `autosort status`.",
    ),
    "model_versions_one_live": (Refused, "Another version is live already.", "See `autosort status`, then try again."),
}


_UNREACHABLE = ("08", "57P", "28", "3D")
"""SQLSTATE classes of a server that is not there for us: connection, shutdown, authorization, unknown database."""

_BUSY = ("40001", "40P01", "53300", "55P03")
"""SQLSTATEs that pass by themselves: serialization failure, deadlock, too many connections, a lock not to be had."""

_FULL = ("53100",)

_PATIENCE_SECONDS = 120.0
_LONGEST_PAUSE_SECONDS = 5.0

Result = TypeVar("Result")


class Database:
    """A pool of connections to one Postgres. Every connection speaks pgvector and uses no prepared statements.

    Prepared statements do not survive a transaction-mode pooler, so there are none.

    Raises:
        BadInput: the URL cannot be used; no part of it is shown.
    """

    def __init__(self, url: str, *, max_connections: int = 10, revive: Callable[[], object] | None = None) -> None:
        _check_url(url)
        self._url = url
        self._revive = revive
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            connection_class=psycopg.Connection[DictRow],
            kwargs={"row_factory": dict_row, "prepare_threshold": None, "connect_timeout": 5},
            configure=_configure,
            check=ConnectionPool.check_connection,
            min_size=0,
            max_size=max_connections,
            timeout=10,
            reconnect_timeout=5,
            open=False,
        )

    @property
    def name(self) -> str:
        """Host, port and database, without user or password."""
        return describe(self._url)

    def open(self, prepare: Callable[[Connection], object]) -> None:
        """Connect once, so that a wrong address fails here and plainly; `prepare` gets that connection first."""
        with self._translated(), _connect(self._url) as connection:
            prepare(connection)
        self._pool.open()

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection inside one transaction: committed at the end, rolled back by an exception.

        Raises:
            DatabaseUnavailable: Postgres cannot be reached, or went away.
            Refused, BadInput, DatabaseError: a constraint or Postgres itself refused.
        """
        with self._translated(), self._pool.connection() as connection:
            yield connection

    def persist(self, work: Callable[[Connection], Result]) -> Result:
        """Do work in a transaction of its own, and again, for two minutes at most, while it fails for what passes.

        A database that restarts, a deadlock, too many connections: each time the pause grows, with jitter, so that many
        clients do not come back at once. The embedded Postgres is started again if it has stopped.

        Args:
            work: may run several times, each time in a new transaction; only the last one is committed.

        Raises:
            DatabaseUnavailable, DatabaseBusy: it did not pass.
            Refused, BadInput, DatabaseError: a constraint or Postgres itself refused.
        """
        again = Retrying(
            retry=retry_if_exception_type((DatabaseUnavailable, DatabaseBusy)),
            wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE_SECONDS),
            stop=stop_after_delay(_PATIENCE_SECONDS),
            after=self._after_failure,
            reraise=True,
        )
        result: Result = again(self._transact, work)
        return result

    def _transact(self, work: Callable[[Connection], Result]) -> Result:
        with self.transaction() as connection:
            return work(connection)

    def _after_failure(self, attempt: RetryCallState) -> None:
        unavailable = attempt.outcome is not None and isinstance(attempt.outcome.exception(), DatabaseUnavailable)
        if self._revive and unavailable:
            with suppress(DatabaseUnavailable):
                self._revive()

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """A connection outside any transaction, for the few commands that must not run in one."""
        with self._translated(), self._pool.connection() as connection:
            connection.autocommit = True
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.autocommit = False

    def _translated(self) -> AbstractContextManager[None]:
        return _translated(self._url)


@contextmanager
def lone_connection(url: str) -> Iterator[Connection]:
    """One connection outside any pool and transaction, to a database that may not be what it should be.

    Raises:
        BadInput: the URL cannot be used; no part of it is shown.
        DatabaseUnavailable: Postgres cannot be reached, or went away.
        DatabaseError: Postgres refused.
    """
    _check_url(url)
    with _translated(url), _connect(url) as connection:
        connection.prepare_threshold = None
        connection.autocommit = True
        yield connection


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except (psycopg.OperationalError, PoolTimeout) as error:
        raise _operational_error(url, error) from error
    except psycopg.ProgrammingError as error:
        raise _programming_error(url, error) from error
    except psycopg.Error as error:
        raise _broken_rule(error) from error


def describe(url: str) -> str:
    """Host, port and database of a connection URL: what may be shown of it."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "the database of DATABASE_URL"
    host = parts.get("host") or "localhost"
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"{host}{port}/{parts.get('dbname') or ''}"


def actor() -> str:
    """Who acts, for the audit log: user@machine."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


@contextmanager
def open_database(settings: RegistrySettings) -> Iterator[Database]:
    """The database that the settings name, open and with this build's schema.

    The embedded Postgres is started and migrated as needed; a Postgres of the user's own is migrated only by
    `autosort migrate`.

    Raises:
        DatabaseUnavailable: it cannot be reached or started.
        SchemaOutdated: its schema is not this build's.
    """
    database, embedded = _database_of(settings)
    database.open(migrate.migrate if embedded else migrate.check)
    try:
        yield database
    finally:
        database.close()


def migrate_database(settings: RegistrySettings) -> list[str]:
    """Bring the schema of the settings' database up to this build's; return the names of what was applied."""
    database, _ = _database_of(settings)
    applied: list[str] = []
    database.open(lambda connection: applied.extend(migrate.migrate(connection)))
    database.close()
    return applied


def _database_of(settings: RegistrySettings) -> tuple[Database, bool]:
    if settings.database_url is None:
        folder = settings.database_folder
        return Database(start_embedded_postgres(folder), revive=lambda: start_embedded_postgres(folder)), True
    return Database(settings.database_url.get_secret_value()), False


def _check_url(url: str) -> None:
    """Refuse a URL of which libpq would take part of the password for a host or port, and show it in its errors."""
    try:
        url.encode()
        ports = str(conninfo_to_dict(url).get("port") or "")
    except UnicodeEncodeError:
        raise BadInput("DATABASE_URL is not valid Unicode.", f"Percent-encode what is not ASCII. {_FORM}") from None
    except psycopg.ProgrammingError:
        raise _no_url() from None
    user_info = url.partition("//")[2].rpartition("@")[0]
    if url.startswith(_SCHEMES) and any(mark in user_info for mark in "@/?#"):
        raise BadInput(
            "DATABASE_URL holds '@', '/', '?' or '#' in its user or password, or '@' behind its host.",
            f"Percent-encode them: '@' as %40, '/' as %2F, '?' as %3F, '#' as %23. {_FORM}",
        )
    if not all(port.isdecimal() for port in ports.split(",") if port):
        raise BadInput("The port in DATABASE_URL is not a number.", _FORM)


def _connect(url: str) -> Connection:
    try:
        return psycopg.Connection[DictRow].connect(url, row_factory=dict_row, connect_timeout=5)
    except psycopg.ProgrammingError:
        raise _no_url() from None


def _no_url() -> BadInput:
    # libpq's own message would repeat the URL, password included: it is neither shown nor chained.
    return BadInput("DATABASE_URL is not a Postgres connection URL.", _FORM)


def _configure(connection: psycopg.Connection[DictRow]) -> None:
    """Teach a new connection pgvector's types; before the first migration there are none to learn."""
    known = connection.execute("SELECT to_regtype('vector') IS NOT NULL AS known").fetchone()
    if known and known["known"]:
        register_vector(connection)
    connection.commit()


def _operational_error(url: str, error: Exception) -> DatabaseError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    if state in _BUSY:
        return DatabaseBusy(f"Postgres is busy: {reason}.", "Run the same command again.")
    if state in _FULL:
        return DatabaseFull(
            f"The disk or shared memory of {describe(url)} is full: {reason}.",
            "Free some, for example by `autosort retire VERSION`, then run the same command again: nothing is lost.",
        )
    if state is not None and not state.startswith(_UNREACHABLE):
        return DatabaseError(f"Postgres could not do it: {reason}.", "Mend that, then run the same command again.")
    return DatabaseUnavailable(
        f"The database {describe(url)} cannot be reached: {reason}",
        "Check that Postgres runs and that DATABASE_URL is right, then run the same command again: nothing is lost.",
    )


def _programming_error(url: str, error: psycopg.ProgrammingError) -> AutosortError:
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return SchemaOutdated(f"The schema of {describe(url)} is not this build's: {error}.", "Run `autosort migrate`.")
    return DatabaseError(f"Postgres refused: {error}.".strip())


def _broken_rule(error: psycopg.Error) -> AutosortError:
    name = error.diag.constraint_name or ""
    if name in _BROKEN_RULES:
        kind, fact, remedy = _BROKEN_RULES[name]
        return kind(fact, remedy)
    return DatabaseError(f"Postgres refused: {str(error).strip()}", f"Constraint: {name}." if name else "")
